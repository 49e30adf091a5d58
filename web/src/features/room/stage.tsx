import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Playback } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { useOnline } from "@/shared/lib/use-media";
import { useVideoEngine, useVideoState, type VideoEngine } from "@/shared/video";
import { Icon } from "@/shared/ui";
import styles from "./stage.module.css";

const BACKDROP_MS = 250;

/** A few pixels of the picture, stretched: the blurred copy that the video sits on where it does not fill the stage. */
function Backdrop({ engine }: { engine: VideoEngine | null }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const context = canvas.current?.getContext("2d", { alpha: false });
    if (!context || !engine) return;
    const timer = setInterval(() => {
      if (!document.hidden && engine.video.readyState >= 2) context.drawImage(engine.video, 0, 0, 16, 16);
    }, BACKDROP_MS);
    return () => clearInterval(timer);
  }, [engine]);
  return <canvas ref={canvas} width={16} height={16} className={styles.backdrop} aria-hidden="true" />;
}

interface Props {
  playback: Playback | null; poster: string | null; label: string; onEngine: (engine: VideoEngine | null) => void; onDoubleTap: () => void;
  children?: React.ReactNode;
}

/** The picture. Everything else lies over it or beside it and never takes it away. */
export function Stage({ playback, poster, label, onEngine, onDoubleTap, children }: Props) {
  const { t } = useTranslation("room");
  const [video, setVideo] = useState<HTMLVideoElement | null>(null);
  const engine = useVideoEngine(video, playback);
  const state = useVideoState(engine);
  const online = useOnline();
  useEffect(() => onEngine(engine), [engine, onEngine]);
  const wide = state.width > state.height;
  return (
    <div className={styles.stage} onDoubleClick={onDoubleTap}>
      {poster && <img src={poster} alt="" className={styles.poster} />}
      <Backdrop engine={engine} />
      <video ref={setVideo} className={cx(styles.video, wide && styles.wide)} playsInline muted autoPlay aria-label={label} tabIndex={-1} data-status={state.status} />
      {children}
      {engine && playback && state.status === "blocked" && (
        <button type="button" className={styles.tap} onClick={() => void engine.unmute()}><Icon name="play" filled size={28} />{t("video.tapPlay")}</button>
      )}
      {engine && state.muted && (state.status === "playing" || state.status === "stalled") && (
        <button type="button" className={cx(styles.tap, styles.sound)} onClick={() => void engine.unmute()}><Icon name="mute" size={20} />{t("video.tapSound")}</button>
      )}
      {(state.status === "reconnecting" || state.status === "stalled") && playback && (
        <p className={styles.healing} role="status"><i aria-hidden="true" />{t(!online ? "video.offline" : state.status === "stalled" ? "video.stalled" : "video.reconnecting")}</p>
      )}
    </div>
  );
}
