import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { Show, ShowNumbers, Snapshot, TrayItem } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatCount, formatDuration, formatMoney, formatWhen } from "@/shared/lib/format";
import { Badge, ErrorState, Icon, Notice, Photo, Skeleton, Stat, StatRow } from "@/shared/ui";
import { numbersQuery } from "../api";
import { MinutePlot } from "../numbers/minute-plot";
import numbersStyles from "../numbers/numbers.module.css";
import { soldWhilePinned } from "../numbers/plot-geometry";
import styles from "./after-show.module.css";

/** What the show brought: money, orders, viewers over time, and what sold while it was being explained. */
export function AfterShow({ show, room }: { show: Show; room: Snapshot | undefined }) {
  const { t } = useTranslation("studio");
  const numbers = useQuery(numbersQuery(show.id, false));
  const language = currentLanguage();
  const missing = show.state === "replay" ? Math.round(show.playback?.gap_seconds ?? 0) : 0;
  const lasted = show.started_at && show.ended_at ? (Date.parse(show.ended_at) - Date.parse(show.started_at)) / 1000 : null;
  return (
    <main className={styles.page}>
      <header className={styles.head}>
        <Link to="/studio" className={styles.back}><Icon name="back" size={18} />{t("title")}</Link>
        <h1>{show.title}</h1>
        <p className={styles.note}>
          <Badge>{t(`state.${show.state}`)}</Badge>
          {show.started_at && <span>{formatWhen(show.started_at, language)}</span>}
          {lasted !== null && <span className="num">{formatDuration(lasted)}</span>}
        </p>
        {show.state === "replay" && <Link to="/shows/$id" params={{ id: show.id }} className={styles.replay}><Icon name="play" size={18} />{t("after.replay")}</Link>}
      </header>
      {show.state === "ended" && <Notice>{t("after.making")}</Notice>}
      {missing > 0 && <Notice tone="warn">{t("after.missing", { value: missing })}</Notice>}
      {numbers.isPending ? <><Skeleton height={96} radius={12} /><Skeleton height={280} radius={18} /></>
        : numbers.error && !numbers.data ? <ErrorState error={numbers.error} onRetry={() => void numbers.refetch()} />
        : <Results numbers={numbers.data} tray={room?.tray ?? []} />}
    </main>
  );
}

function Results({ numbers, tray }: { numbers: ShowNumbers; tray: readonly TrayItem[] }) {
  const { t } = useTranslation("studio");
  const language = currentLanguage();
  const { totals, minutes, pins } = numbers;
  return (
    <>
      <StatRow>
        <Stat label={t("numbers.money")} value={formatMoney(totals.money, language)} note={t("numbers.moneyNote")} />
        <Stat label={t("after.paidOrders")} value={formatCount(totals.paid_orders, language)} note={t("after.ofOrders", { value: formatCount(totals.orders, language) })} />
        <Stat label={t("after.peak")} value={formatCount(totals.viewers_peak, language)} />
        <Stat label={t("numbers.likes")} value={formatCount(totals.likes, language)} note={t("numbers.chat", { value: formatCount(totals.chat, language) })} />
      </StatRow>
      {minutes.length > 0
        ? <MinutePlot minutes={minutes} pins={pins} tray={tray} currency={totals.money.currency} running={false} height={280} />
        : <p className={styles.note}>{t("after.noMinutes")}</p>}
      {pins.length > 0 && <PinTable numbers={numbers} tray={tray} />}
    </>
  );
}

function PinTable({ numbers, tray }: { numbers: ShowNumbers; tray: readonly TrayItem[] }) {
  const { t } = useTranslation("studio");
  const language = currentLanguage();
  const lastMinute = numbers.minutes.at(-1);
  const sold = soldWhilePinned(numbers.minutes, numbers.pins, lastMinute ? Date.parse(lastMinute.at) + 60_000 : 0);
  const rows = [...sold].sort(([, a], [, b]) => b.money - a.money);
  return (
    <section className={styles.panel} aria-labelledby="pins-title">
      <h2 id="pins-title">{t("after.pins")}</h2>
      <table className={numbersStyles.table}>
        <thead><tr><th scope="col">{t("after.product")}</th><th scope="col">{t("after.explained")}</th><th scope="col">{t("after.orders")}</th><th scope="col">{t("numbers.money")}</th></tr></thead>
        <tbody>
          {rows.map(([listing, total]) => {
            const item = tray.find((one) => one.listing_id === listing);
            return (
              <tr key={listing}>
                <td><span className={numbersStyles.product}><Photo url={item?.product.picture_url} size={44} />{item?.product.title ?? t("after.gone")}</span></td>
                <td>{formatDuration(total.seconds)}</td>
                <td>{Math.round(total.orders)}</td>
                <td>{formatMoney({ amount: Math.round(total.money), currency: numbers.totals.money.currency }, language)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p className={styles.note}>{t("after.pinsNote")}</p>
    </section>
  );
}
