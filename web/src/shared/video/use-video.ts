import { useEffect, useState, useSyncExternalStore } from "react";

import type { Playback } from "../api/types";
import { VideoEngine, type VideoState } from "./engine";

const NOTHING: VideoState = { status: "loading", muted: true, width: 0, height: 0 };
const never = () => () => undefined;

/** The engine of this <video> and address; null until both are there. It is made anew only when the address changes. */
export function useVideoEngine(video: HTMLVideoElement | null, playback: Playback | null): VideoEngine | null {
  const [engine, setEngine] = useState<VideoEngine | null>(null);
  const url = playback?.hls_url;
  const kind = playback?.kind;
  const whep = playback?.whep_url;
  useEffect(() => {
    if (!video || !playback) return;
    const made = new VideoEngine(video, playback);
    setEngine(made);
    return () => {
      made.destroy();
      setEngine(null);
    };
    // The address and its kind say it all; the other fields of `playback` are advice.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [video, url, kind, whep]);
  return engine;
}

export function useVideoState(engine: VideoEngine | null): VideoState {
  return useSyncExternalStore(engine?.subscribe ?? never, () => engine?.state ?? NOTHING);
}
