import type { HlsConfig } from "hls.js/light";

import type { Playback } from "../api/types";

const SEGMENTS_BEHIND = 3;

/**
 * Plain HLS has no parts to hold back from: a player is safe three segments behind the end. Segments are as long as the
 * encoder's keyframes are apart, so it is the playlist that says how many seconds that is.
 */
export function plainConfig(playback: Playback): Partial<HlsConfig> {
  if (playback.kind === "replay" || playback.part_seconds > 0) return {};
  return { lowLatencyMode: false, liveSyncDurationCount: SEGMENTS_BEHIND };
}

/**
 * The stream time of the picture where the playlist says none: when it was written, less how far that is behind the camera.
 * Right to about half a second.
 */
export function estimatedAt(playback: Playback, writtenAt: number | null): number | null {
  if (playback.kind === "replay" || playback.edge_delay_seconds === null || writtenAt === null) return null;
  return writtenAt - playback.edge_delay_seconds * 1000;
}

/** When the answer's file was written, ms since the epoch, by its server's clock; null when it does not say. */
export function lastModified(answer: unknown): number | null {
  const said = answer instanceof XMLHttpRequest ? answer.getResponseHeader("Last-Modified") : null;
  return said ? Date.parse(said) : null;
}
