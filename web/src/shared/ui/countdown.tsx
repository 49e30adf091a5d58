import { useEffect, useRef } from "react";

import { useServerNow } from "../lib/clock";
import { formatDuration } from "../lib/format";

/**
 * Whole seconds until `until` by the server's clock; zero when it is reached, and not before. The clock is that of the
 * second that has begun, so fifteen minutes do not start as 15:01.
 */
export function useSecondsLeft(until: string | null | undefined): number {
  const now = useServerNow();
  const left = until ? Date.parse(until) - now : 0;
  return left > 0 ? Math.max(1, Math.floor(left / 1000)) : 0;
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
