import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { ShowCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatCount, formatDuration, formatMoney, formatWhen } from "@/shared/lib/format";
import { Icon, Photo } from "@/shared/ui";
import { numbersQuery } from "../api";
import styles from "./shelves.module.css";

export function PastShows({ shows }: { shows: readonly ShowCard[] }) {
  const { t } = useTranslation("studio");
  if (shows.length === 0) return null;
  return (
    <section className={styles.shelf} aria-labelledby="past-title">
      <h2 id="past-title">{t("past.title")}</h2>
      <div className={styles.list}>{shows.map((show) => <PastCard key={show.id} show={show} />)}</div>
    </section>
  );
}

function length(show: ShowCard): string | null {
  if (!show.started_at || !show.ended_at) return null;
  return formatDuration((Date.parse(show.ended_at) - Date.parse(show.started_at)) / 1000);
}

function PastCard({ show }: { show: ShowCard }) {
  const { t } = useTranslation("studio");
  const language = currentLanguage();
  const lasted = length(show);
  return (
    <Link to="/studio/shows/$id" params={{ id: show.id }} className={styles.card}>
      <Photo url={show.poster_url ?? show.preview_url} className={styles.poster} />
      <span className={styles.words}>
        <span className={styles.title}>{show.title}</span>
        <span className={styles.detail}>
          {show.started_at ? formatWhen(show.started_at, language) : t(`state.${show.state}`)}
          {lasted && <> · <span className="num">{lasted}</span></>}
        </span>
        {show.started_at && <Results showId={show.id} />}
      </span>
      <Icon name="chevron" size={18} className={styles.arrow} />
    </Link>
  );
}

function Results({ showId }: { showId: string }) {
  const { t } = useTranslation("studio");
  const numbers = useQuery(numbersQuery(showId, false));
  const language = currentLanguage();
  if (!numbers.data) return <span className={styles.figures}>{numbers.isPending ? "…" : t("past.noNumbers")}</span>;
  const { money, paid_orders, viewers_peak } = numbers.data.totals;
  return (
    <span className={styles.figures}>
      <span><b>{formatMoney(money, language)}</b> {t("past.sold")}</span>
      <span><b>{formatCount(paid_orders, language)}</b> {t("past.paid", { count: paid_orders })}</span>
      <span><b>{formatCount(viewers_peak, language)}</b> {t("past.peak")}</span>
    </span>
  );
}
