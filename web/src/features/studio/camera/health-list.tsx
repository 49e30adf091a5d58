import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { Notice } from "@/shared/ui";
import styles from "./camera.module.css";
import { findings } from "./health";
import type { PictureStats } from "@/shared/video/rate-meter";

interface Props { show: Show; stats: PictureStats | null; own: boolean }

/** Figures of the picture and, when something is not well, the one thing to do about it. */
export function HealthList({ show, stats, own }: Props) {
  const { t } = useTranslation("studio");
  if (!show.stream?.online && !stats) return null;
  const delay = show.playback?.target_latency_seconds;
  const figures: [string, string | null][] = [
    ["protocol", show.stream?.protocol ? show.stream.protocol.toUpperCase() : own ? "WHIP" : null],
    ["size", stats?.width && stats.height ? `${stats.width}×${stats.height}` : null],
    ["frames", stats?.framesPerSecond != null ? `${stats.framesPerSecond}` : null],
    ["rate", stats?.kilobitsPerSecond != null ? t("health.kilobits", { value: stats.kilobitsPerSecond }) : null],
    ["keyframe", stats?.keyframeSeconds != null ? t("health.seconds", { value: stats.keyframeSeconds }) : null],
    ["delay", delay != null ? t("health.seconds", { value: delay }) : null],
    ["trip", stats?.roundTripMs != null ? `${stats.roundTripMs} ms` : null],
    ["loss", stats?.lossPercent != null ? `${stats.lossPercent} %` : null],
  ];
  const worst = stats ? findings(stats)[0] : undefined;
  return (
    <div className={styles.health}>
      <dl className={styles.figures} aria-label={t("health.title")}>
        {figures.filter(([, value]) => value !== null).map(([name, value]) => <div key={name}><dt>{t(`health.${name}`)}</dt><dd>{value}</dd></div>)}
      </dl>
      {worst && <Notice tone="warn">{t(`health.advice.${own ? "" : "encoder."}${worst}`)}</Notice>}
    </div>
  );
}
