import type { PictureStats } from "@/shared/video/rate-meter";

/** What is not well with the picture, worst first. Each has a sentence of advice in the words of the page. */
export type HealthFinding = "loss" | "cpu" | "bandwidth" | "slow-frames" | "rare-keyframes" | "thin";
export type Verdict = "good" | "watch" | "bad" | "unknown";

const LOSS_BAD_PERCENT = 8;
const LOSS_WATCH_PERCENT = 3;
const FRAMES_WATCH = 20;
const KEYFRAME_WATCH_SECONDS = 4.5;
const KILOBITS_WATCH = 300;

export function findings(stats: PictureStats): HealthFinding[] {
  const found: HealthFinding[] = [];
  if (stats.lossPercent !== null && stats.lossPercent > LOSS_WATCH_PERCENT) found.push("loss");
  if (stats.limitedBy === "cpu") found.push("cpu");
  if (stats.limitedBy === "bandwidth") found.push("bandwidth");
  if (stats.framesPerSecond !== null && stats.framesPerSecond < FRAMES_WATCH) found.push("slow-frames");
  if (stats.keyframeSeconds !== null && stats.keyframeSeconds > KEYFRAME_WATCH_SECONDS) found.push("rare-keyframes");
  if (stats.kilobitsPerSecond !== null && stats.kilobitsPerSecond < KILOBITS_WATCH) found.push("thin");
  return found;
}

export function verdict(stats: PictureStats | null): Verdict {
  if (!stats) return "unknown";
  if (stats.lossPercent !== null && stats.lossPercent > LOSS_BAD_PERCENT) return "bad";
  return findings(stats).length > 0 ? "watch" : "good";
}
