import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { currentLanguage } from "@/shared/i18n";
import { formatCount, formatMoney } from "@/shared/lib/format";
import { ErrorState, Skeleton, Stat, StatRow } from "@/shared/ui";
import { numbersQuery } from "../api";
import type { RoomProps } from "../control-room/control-room";
import { isOnAir } from "../control-room/use-room";
import { MinutePlot } from "./minute-plot";
import styles from "./numbers.module.css";

/** Viewers, orders and money now, and minute by minute with the pins marked. */
export function LiveNumbers({ show, room }: RoomProps) {
  const { t } = useTranslation("studio");
  const language = currentLanguage();
  const running = isOnAir(show);
  const numbers = useQuery(numbersQuery(show.id, running));
  if (numbers.isPending) return <Skeleton height={96} radius={12} />;
  if (numbers.error && !numbers.data) return <ErrorState error={numbers.error} onRetry={() => void numbers.refetch()} />;
  const { totals, minutes, pins } = numbers.data;
  const viewers = room?.totals.viewers ?? totals.viewers_now;
  return (
    <section className={styles.numbers} aria-label={t("tab.numbers")}>
      <StatRow className={styles.row}>
        <Stat label={t("numbers.viewers")} value={formatCount(viewers, language)} note={t("numbers.peak", { value: formatCount(Math.max(totals.viewers_peak, viewers), language) })} />
        <Stat label={t("numbers.orders")} value={formatCount(totals.orders, language)} note={t("numbers.paid", { value: formatCount(totals.paid_orders, language) })} />
        <Stat label={t("numbers.money")} value={formatMoney(totals.money, language)} note={t("numbers.moneyNote")} />
        <Stat label={t("numbers.likes")} value={formatCount(Math.max(totals.likes, room?.totals.likes ?? 0), language)} note={t("numbers.chat", { value: formatCount(totals.chat, language) })} />
      </StatRow>
      {minutes.length > 0 && <MinutePlot minutes={minutes} pins={pins} tray={room?.tray ?? []} currency={totals.money.currency} running={running} />}
    </section>
  );
}
