import { useEffect, useState } from "react";

import type { Deal, Pin } from "@/shared/api/types";
import { serverClock } from "@/shared/lib/clock";
import type { VideoEngine } from "@/shared/video";
import { AT_ONCE, dealAt, pinAt } from "./timeline";

const FALLBACK_MS = 100;

/**
 * Which pin and deal belong to the picture on *this* screen now. Looked at on every frame shown, and a few times a second
 * for when no frames come. `replayOf` is when the show began: a recording without stream times is counted from there.
 */
export function useStreamGate(engine: VideoEngine | null, pins: Pin[], deals: Deal[], replayOf: string | null): { pinId: string | null; dealId: string | null } {
  const [shown, setShown] = useState<{ pinId: string | null; dealId: string | null }>({ pinId: null, dealId: null });
  useEffect(() => {
    const video = engine?.video;
    let frame = 0;
    let over = false;
    const look = () => {
      const at = engine?.playingAt() ?? (replayOf && engine ? Date.parse(replayOf) + engine.video.currentTime * 1000 : AT_ONCE);
      const pinId = pinAt(pins, at)?.id ?? null;
      const dealId = dealAt(deals, at, serverClock.now())?.id ?? null;
      setShown((last) => (last.pinId === pinId && last.dealId === dealId ? last : { pinId, dealId }));
    };
    const onFrame = () => {
      if (over) return;
      look();
      if (video) frame = video.requestVideoFrameCallback(onFrame);
    };
    look();
    if (video && "requestVideoFrameCallback" in video) frame = video.requestVideoFrameCallback(onFrame);
    const timer = setInterval(look, FALLBACK_MS);
    return () => {
      over = true;
      clearInterval(timer);
      if (video && frame) video.cancelVideoFrameCallback(frame);
    };
  }, [engine, pins, deals, replayOf]);
  return shown;
}
