import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { currentLanguage } from "@/shared/i18n";
import { useLiveStatus } from "@/shared/live";
import { useServerNow } from "@/shared/lib/clock";
import { formatCount, formatDuration } from "@/shared/lib/format";
import { Badge, Countdown, Icon, IconButton } from "@/shared/ui";
import type { RoomProps } from "./control-room";
import styles from "./control-room.module.css";
import { isOnAir } from "./use-room";

export function TopBar({ show, client, onHelp }: RoomProps & { onHelp: () => void }) {
  const { t } = useTranslation("studio");
  const status = useLiveStatus(client);
  const now = useServerNow();
  const language = currentLanguage();
  const lasted = show.started_at ? formatDuration((now - Date.parse(show.started_at)) / 1000) : null;
  return (
    <header className={styles.bar}>
      <Link to="/studio" className={styles.back} aria-label={t("room.back")} title={t("room.back")}><Icon name="back" /></Link>
      <div className={styles.barWords}>
        <h1 className={styles.barTitle}>{show.title}</h1>
        <p className={styles.barNote}>
          <Badge tone={show.state === "live" ? "live" : show.state === "interrupted" ? "warn" : "plain"}>{t(`state.${show.state}`)}</Badge>
          {lasted && <span className="num">{lasted}</span>}
          {isOnAir(show) && <span className={styles.viewers}><Icon name="eye" size={16} /><span className="num">{formatCount(show.viewers, language)}</span></span>}
          {show.state === "interrupted" && show.grace_until && <span>{t("room.grace")} <Countdown until={show.grace_until} /></span>}
          {status === "reconnecting" && <span className={styles.lost}>{t("room.reconnecting")}</span>}
        </p>
      </div>
      <a className={styles.back} href={`/shows/${show.id}`} target="_blank" rel="noreferrer" aria-label={t("room.watchNew")} title={t("room.watchNew")}><Icon name="eye" /></a>
      <span className={styles.help}><IconButton icon="info" label={t("room.help")} onClick={onHelp} /></span>
    </header>
  );
}
