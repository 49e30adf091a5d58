import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { ShowCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatCount, formatDuration, formatWhen } from "@/shared/lib/format";
import { Avatar, Badge, Icon, Photo, Price, Skeleton } from "@/shared/ui";
import { Preview } from "./preview";
import styles from "./feed.module.css";

function length(show: ShowCard): string | null {
  if (!show.started_at || !show.ended_at) return null;
  return formatDuration((Date.parse(show.ended_at) - Date.parse(show.started_at)) / 1000);
}

export function ShowTile({ show, eager }: { show: ShowCard; eager: boolean }) {
  const { t } = useTranslation("feed");
  const language = currentLanguage();
  const live = show.state === "live" || show.state === "interrupted";
  const duration = length(show);
  return (
    <li>
      <Link to="/shows/$id" params={{ id: show.id }} search={{}} className={styles.tile} preload="intent">
        <span className={styles.picture}>
          <Preview show={show} eager={eager} />
          <span className={styles.top}>
            {live && <Badge tone="live">{t("common:live")}</Badge>}
            {!live && duration && <span className={styles.views}><Icon name="play" filled size={12} /><span className="num">{duration}</span></span>}
            {live && show.viewers > 0 && <span className={styles.views}><Icon name="eye" size={14} label={t("viewers")} /><span className="num">{formatCount(show.viewers, language)}</span></span>}
          </span>
          {show.pinned && (
            <span className={styles.pinned}>
              <Photo url={show.pinned.picture_url} size={40} className={styles.pinnedPhoto} />
              <span className={styles.pinnedText}><span>{show.pinned.title}</span><Price money={show.pinned.price} size="small" /></span>
            </span>
          )}
        </span>
        <span className={styles.about}>
          <Avatar name={show.creator.name} url={show.creator.avatar_url} size={32} />
          <span className={styles.words}><b>{show.title}</b><span>{show.creator.name}</span></span>
        </span>
      </Link>
    </li>
  );
}

/** A show that is still to come has no picture yet: when, who and what, in one line. */
export function PlannedTile({ show }: { show: ShowCard }) {
  return (
    <li>
      <Link to="/shows/$id" params={{ id: show.id }} search={{}} className={styles.product} preload="intent">
        {show.poster_url ? <Photo url={show.poster_url} size={56} /> : <Avatar name={show.creator.name} url={show.creator.avatar_url} size={56} />}
        <span className={styles.words}>
          <b>{show.title}</b><span>{show.creator.name}</span>
          {show.planned_at && <span className={styles.when}><Icon name="clock" size={14} />{formatWhen(show.planned_at, currentLanguage())}</span>}
        </span>
      </Link>
    </li>
  );
}

export function CardSkeletons() {
  return [0, 1, 2, 3].map((index) => (
    <li key={index} className={styles.tile} aria-hidden="true"><Skeleton className={styles.picture} /><Skeleton width="80%" height={16} /></li>
  ));
}
