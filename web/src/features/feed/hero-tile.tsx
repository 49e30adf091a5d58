import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { ShowCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatCount } from "@/shared/lib/format";
import { useDesktop } from "@/shared/lib/use-media";
import { Avatar, Badge, Icon, Photo, Price } from "@/shared/ui";
import { Preview } from "./preview";
import styles from "./hero-tile.module.css";

/** A live show given room: its moving picture on a blurred copy of itself, and beside it who, what and for how much. */
export function HeroTile({ show }: { show: ShowCard }) {
  const { t } = useTranslation("feed");
  const desktop = useDesktop();
  return (
    <li>
      <Link to="/shows/$id" params={{ id: show.id }} search={{}} className={styles.hero} preload="intent">
        {desktop && <span className={styles.blur} aria-hidden="true"><Preview show={show} eager /></span>}
        <span className={styles.picture}><Preview show={show} eager /></span>
        <span className={styles.about}>
          <span className={styles.badges}>
            <Badge tone="live">{t("common:live")}</Badge>
            {show.viewers > 0 && <span className={styles.viewers}><Icon name="eye" size={16} label={t("viewers")} /><span className="num">{formatCount(show.viewers, currentLanguage())}</span></span>}
          </span>
          <b className={styles.title}>{show.title}</b>
          <span className={styles.host}><Avatar name={show.creator.name} url={show.creator.avatar_url} size={32} />{show.creator.name}</span>
          {show.pinned && (
            <span className={styles.pinned}>
              <Photo url={show.pinned.picture_url} size={64} eager />
              <span className={styles.goods}><span className={styles.kicker}>{t("shownNow")}</span><span className={styles.name}>{show.pinned.title}</span><Price money={show.pinned.price} /></span>
            </span>
          )}
          <span className={styles.watch}><Icon name="play" filled size={16} />{t("watch")}</span>
        </span>
      </Link>
    </li>
  );
}
