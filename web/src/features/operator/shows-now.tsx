import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { showsQuery } from "@/shared/api/queries";
import { Badge, Empty, ErrorState, Photo, Skeleton } from "@/shared/ui";
import styles from "./operator.module.css";

export function ShowsNow() {
  const { t } = useTranslation(["operator", "common"]);
  const shows = useQuery({ ...showsQuery("live"), refetchInterval: 10_000 });
  return (
    <section className={styles.panel} aria-labelledby="shows-title">
      <h2 id="shows-title">{t("shows.title")}</h2>
      {shows.isPending ? <Skeleton height={80} radius={12} />
        : shows.error && !shows.data ? <ErrorState error={shows.error} onRetry={() => void shows.refetch()} />
        : shows.data.items.length === 0 ? <Empty icon="video" title={t("shows.none")}>{t("shows.noneText")}</Empty>
        : (
          <ul className={styles.rows}>
            {shows.data.items.map((show) => (
              <li key={show.id} className={styles.row}>
                <Photo url={show.preview_url ?? show.poster_url} size={48} />
                <div className={styles.words}>
                  <Link to="/shows/$id" params={{ id: show.id }} className={styles.link}><strong>{show.title}</strong></Link>
                  <span className={styles.detail}>{show.creator.name} · {t("shows.viewers", { count: show.viewers })}</span>
                </div>
                <Badge tone="live">{t("common:live")}</Badge>
              </li>
            ))}
          </ul>
        )}
    </section>
  );
}
