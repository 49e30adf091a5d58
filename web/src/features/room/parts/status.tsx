import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { serverClock } from "@/shared/lib/clock";
import { formatCount, formatWhen } from "@/shared/lib/format";
import { useOnline } from "@/shared/lib/use-media";
import { type LiveClient, useLive, useLiveStatus } from "@/shared/live";
import { Avatar, Countdown } from "@/shared/ui";
import type { VideoEngine } from "@/shared/video";
import styles from "./status.module.css";

const LOOK_MS = 1000;

function useBehind(engine: VideoEngine | null): number | null {
  const [behind, setBehind] = useState<number | null>(null);
  useEffect(() => {
    if (!engine) return;
    const timer = setInterval(() => {
      const seconds = engine.state.status === "playing" ? engine.behind(serverClock.now()) : null;
      setBehind(seconds === null ? null : Math.round(seconds * 10) / 10);
    }, LOOK_MS);
    return () => { clearInterval(timer); setBehind(null); };
  }, [engine]);
  return behind;
}

/** The truth about the connection, in one short line. */
export function HonestStatus({ client, engine }: { client: LiveClient; engine: VideoEngine | null }) {
  const { t } = useTranslation("room");
  const status = useLiveStatus(client);
  const behind = useBehind(engine);
  const online = useOnline();
  const buying = useLive(client, (state) => state.totals.buying ?? true) ?? true;
  if (!online) return <p className={styles.status} data-tone="bad" role="status"><i />{t("status.offline")}</p>;
  if (status === "reconnecting") return <p className={styles.status} data-tone="warn" role="status"><i />{t("status.reconnecting")}</p>;
  if (!buying) return <p className={styles.status} data-tone="warn" role="status" data-testid="paused"><i />{t("status.paused")}</p>;
  if (behind === null) return null;
  return <p className={styles.status} data-tone={behind > 8 ? "warn" : "good"}><i />{t("status.behind", { seconds: behind.toFixed(1) })}</p>;
}

/** Lies over the stage when there is no picture to see: before, between and after. */
export function Slate({ show }: { show: Show }) {
  const { t } = useTranslation("room");
  const kind = slateOf(show);
  if (!kind) return null;
  return (
    <div className={styles.slate} data-testid="slate" data-kind={kind}>
      <Avatar name={show.creator.name} url={show.creator.avatar_url} size={88} />
      <h2>{t(`slate.${kind}`, { name: show.creator.name })}</h2>
      {kind === "interrupted" && show.grace_until && (
        <p>{t("slate.grace")} <Countdown until={show.grace_until} className={styles.big} /></p>
      )}
      {kind === "interrupted" && <p className={styles.quiet}>{t("slate.stillBuy")}</p>}
      {kind === "waiting" && show.planned_at && <p>{t("slate.planned", { when: formatWhen(show.planned_at, currentLanguage()) })}</p>}
      {kind === "ended" && show.likes > 0 && <p>{t("slate.likes", { likes: formatCount(show.likes, currentLanguage()) })}</p>}
      {kind === "ended" && <p>{t("slate.replaySoon")}</p>}
      {kind !== "interrupted" && <Link to="/" className={styles.out}>{t("slate.others")}</Link>}
    </div>
  );
}

export function slateOf(show: Show): "interrupted" | "waiting" | "ended" | "purged" | null {
  if (show.state === "interrupted") return "interrupted";
  if (show.state === "draft" || show.state === "scheduled" || (show.state === "preview" && show.role === "viewer")) return "waiting";
  if (show.state === "purged") return "purged";
  return show.state === "ended" && show.playback?.kind !== "replay" ? "ended" : null;
}
