import { useCallback, useEffect, useRef, useState } from "react";

/** Something that happens in `seconds` unless it is taken back: the host's five seconds of second thought. */
export function useGrace(act: () => void, seconds = 5): { left: number | null; begin: () => void; undo: () => void } {
  const [left, setLeft] = useState<number | null>(null);
  const latest = useRef(act);
  useEffect(() => { latest.current = act; });
  useEffect(() => {
    if (left === null) return;
    if (left === 0) {
      setLeft(null);
      latest.current();
      return;
    }
    const timer = setTimeout(() => setLeft(left - 1), 1000);
    return () => clearTimeout(timer);
  }, [left]);
  const begin = useCallback(() => setLeft(seconds), [seconds]);
  const undo = useCallback(() => setLeft(null), []);
  return { left, begin, undo };
}
