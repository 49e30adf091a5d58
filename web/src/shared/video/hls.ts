import type Hls from "hls.js/light";

export type HlsPlayer = typeof Hls;

/**
 * The player for HLS, fetched beside the room and not before it: it weighs as much as all the rest, and the room is there
 * to read and to buy in before the picture moves. Null where the browser has no use for it and plays HLS by itself.
 */
export async function loadHls(): Promise<HlsPlayer | null> {
  if (!("MediaSource" in window) && !("ManagedMediaSource" in window)) return null;
  const { default: player } = await import("hls.js/light");
  return player.isSupported() ? player : null;
}
