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
 * The stream time of the picture where the playlist says none: the server's time, less how far the picture is behind the
 * end of the playlist, less how far that end is behind the camera. Right to about half a second.
 */
export function estimatedAt(playback: Playback, behindEnd: number | null, serverNow: number): number | null {
  if (playback.kind === "replay" || playback.edge_delay_seconds === null || behindEnd === null || behindEnd <= 0) return null;
  return serverNow - (behindEnd + playback.edge_delay_seconds) * 1000;
}
