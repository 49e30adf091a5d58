import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { ShowCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatCount, formatDuration } from "@/shared/lib/format";
import { useServerNow } from "@/shared/lib/clock";
import { Badge, Icon, Photo } from "@/shared/ui";
import styles from "./shelves.module.css";

/** What is on air, or about to be: the first thing on the page. */
export function RunningShows({ shows }: { shows: readonly ShowCard[] }) {
  const { t } = useTranslation("studio");
  if (shows.length === 0) return null;
  return (
    <section className={styles.shelf} aria-labelledby="running-title">
      <h2 id="running-title">{t("running.title")}</h2>
      <div className={styles.running}>{shows.map((show) => <Stage key={show.id} show={show} />)}</div>
    </section>
  );
}

function Stage({ show }: { show: ShowCard }) {
  const { t } = useTranslation("studio");
  const now = useServerNow();
  const seconds = show.started_at ? (now - Date.parse(show.started_at)) / 1000 : null;
  const live = show.state === "live";
  return (
    <Link to="/studio/shows/$id" params={{ id: show.id }} className={styles.stage} data-theme="dark">
      <Photo url={show.preview_url ?? show.poster_url} className={styles.stagePoster} eager />
      <div className={styles.words}>
        <span><Badge tone={live ? "live" : show.state === "interrupted" ? "warn" : "ink"}>{t(`state.${show.state}`)}</Badge></span>
        <span className={styles.title}>{show.title}</span>
        <span className={styles.detail}>
          {live && <>{t("running.viewers", { count: show.viewers, shown: formatCount(show.viewers, currentLanguage()) })}{" · "}</>}
          <span className="num">{seconds === null ? t("running.notYet") : formatDuration(seconds)}</span>
        </span>
        <span className={styles.go}>{t("running.open")}<Icon name="chevron" size={16} /></span>
      </div>
    </Link>
  );
}
