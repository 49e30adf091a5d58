import { useTranslation } from "react-i18next";

import type { Chapter } from "@/shared/api/types";
import { formatDuration } from "@/shared/lib/format";
import { IconButton } from "@/shared/ui";
import type { VideoEngine } from "@/shared/video";
import { usePosition } from "./use-replay";
import styles from "./scrubber.module.css";

const STEP_SECONDS = 1;

/** Play, pause, seek; a mark on the line for each pin. `missing`: seconds of the show that were not recorded. */
export function Scrubber({ engine, chapters, missing }: { engine: VideoEngine | null; chapters: Chapter[]; missing: number }) {
  const { t } = useTranslation("room");
  const { at, of, paused } = usePosition(engine);
  const current = chapters.filter((chapter) => chapter.at_seconds <= at + 0.5).at(-1);
  const share = of > 0 ? (at / of) * 100 : 0;
  const toggle = () => { if (engine) void (paused ? engine.play() : engine.video.pause()); };
  const seek = (seconds: number) => engine?.seek(seconds);
  return (
    <div className={styles.scrubber}>
      <IconButton icon={paused ? "play" : "pause"} filled={paused} label={t(paused ? "replay.play" : "replay.pause")} onClick={toggle} disabled={!engine} />
      <div className={styles.middle}>
        {current && <p className={styles.chapter}>{current.title}</p>}
        {missing >= 1 && <p className={styles.missing}>{t("replay.missing", { count: Math.round(missing) })}</p>}
        <div className={styles.line}>
          <input type="range" min={0} max={Math.max(1, of)} step={STEP_SECONDS} value={Math.min(at, of || 1)} onChange={(event) => seek(Number(event.target.value))}
            aria-label={t("replay.position")} aria-valuetext={`${formatDuration(at)} / ${formatDuration(of)}`} style={{ "--share": `${share}%` } as React.CSSProperties} />
          {of > 0 && chapters.map((chapter) => <i key={chapter.pin_id} aria-hidden="true" style={{ left: `${(chapter.at_seconds / of) * 100}%` }} />)}
        </div>
      </div>
      <span className={styles.time}>{formatDuration(at)} / {formatDuration(of)}</span>
    </div>
  );
}
