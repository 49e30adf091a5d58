import { useEffect, useRef } from "react";

import { useServerNow } from "../lib/clock";
import { formatDuration } from "../lib/format";

/** Whole seconds until `until` by the server's clock, never below zero. */
export function useSecondsLeft(until: string | null | undefined): number {
  const now = useServerNow();
  return until ? Math.max(0, Math.ceil((Date.parse(until) - now) / 1000)) : 0;
}

/** "4:59" until `until` by the server's clock; calls `onEnd` once when it gets there. */
export function Countdown({ until, onEnd, className }: { until: string; onEnd?: () => void; className?: string }) {
  const left = useSecondsLeft(until);
  const told = useRef<string | null>(null);
  useEffect(() => {
    if (left > 0 || told.current === until) return;
    told.current = until;
    onEnd?.();
  }, [left, until, onEnd]);
  return <time className={className} style={{ fontVariantNumeric: "tabular-nums" }} dateTime={`PT${left}S`}>{formatDuration(left)}</time>;
}
