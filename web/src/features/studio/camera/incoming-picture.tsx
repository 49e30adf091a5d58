import { useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { IconButton } from "@/shared/ui";
import { useVideoEngine } from "@/shared/video";
import styles from "./camera.module.css";
import type { PictureStats } from "@/shared/video/rate-meter";
import { WhepPlayer } from "@/shared/video/whep-player";

interface Props { show: Show; onStats: (stats: PictureStats | null) => void; className?: string }

/** What arrives from the encoder: by WebRTC with the least delay, else as the audience sees it. */
export function IncomingPicture({ show, onStats, className }: Props) {
  const { t } = useTranslation("studio");
  const [unavailable, setUnavailable] = useState<string | null>(null);
  const online = show.stream?.online ?? false;
  // Only a browser's broadcast has a WebRTC preview: asking for an encoder's would be a 404.
  const whep = show.stream?.protocol === "whip" ? show.playback?.whep_url ?? null : null;
  const key = show.stream?.since ?? "";
  if (!online) {
    return (
      <div className={cx(styles.view, styles.waiting, className)} data-theme="dark">
        <p>{t("picture.waiting")}</p>
      </div>
    );
  }
  return whep && unavailable !== key
    ? <WhepVideo key={key} endpoint={whep} onStats={onStats} onUnavailable={() => setUnavailable(key)} className={className} />
    : <HlsVideo show={show} className={className} />;
}

function WhepVideo({ endpoint, onStats, onUnavailable, className }: { endpoint: string; onStats: Props["onStats"]; onUnavailable: () => void; className?: string }) {
  const video = useRef<HTMLVideoElement>(null);
  const latest = useRef({ onStats, onUnavailable });
  useEffect(() => { latest.current = { onStats, onUnavailable }; });
  // Each look at the show brings the same address with a new token: what plays goes on.
  const [playing, setPlaying] = useState(endpoint);
  if (playing.split("?")[0] !== endpoint.split("?")[0]) setPlaying(endpoint);
  useEffect(() => {
    const player = new WhepPlayer({
      endpoint: playing,
      onStream: (stream) => { if (video.current) video.current.srcObject = stream; },
      onStats: (stats) => latest.current.onStats(stats),
      onUnavailable: () => latest.current.onUnavailable(),
    });
    player.start();
    return () => player.stop();
  }, [playing]);
  return <Screen video={video} className={className} />;
}

function HlsVideo({ show, className }: { show: Show; className?: string }) {
  const video = useRef<HTMLVideoElement>(null);
  const [element, setElement] = useState<HTMLVideoElement | null>(null);
  useEffect(() => setElement(video.current), []);
  // As the audience sees it: without the staff's WebRTC address, which comes anew with every look at the show.
  const playback = useMemo(() => show.playback && { ...show.playback, whep_url: null }, [show.playback]);
  useVideoEngine(element, playback);
  return <Screen video={video} className={className} />;
}

/** Muted at first: the host hears themselves otherwise. */
function Screen({ video, className }: { video: React.RefObject<HTMLVideoElement | null>; className?: string }) {
  const { t } = useTranslation("studio");
  const [muted, setMuted] = useState(true);
  return (
    <div className={cx(styles.view, className)} data-theme="dark">
      <video ref={video} autoPlay muted={muted} playsInline aria-label={t("picture.incoming")} className={cx(styles.video, styles.contain)} />
      <div className={styles.tools}>
        <IconButton icon={muted ? "mute" : "sound"} className={styles.tool} label={t(muted ? "picture.listen" : "picture.silence")} onClick={() => setMuted(!muted)} />
      </div>
    </div>
  );
}
