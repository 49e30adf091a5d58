import { useEffect, useRef, useSyncExternalStore } from "react";

import { ApiError } from "../api/client";
import { cx } from "../lib/cx";
import styles from "./toast.module.css";

export interface Toast {
  id: number; text: string; tone: "plain" | "good" | "bad"; action?: { label: string; run: () => void }; seconds: number;
}

let toasts: Toast[] = [];
let nextId = 1;
const listeners = new Set<() => void>();
const publish = (next: Toast[]) => { toasts = next; listeners.forEach((listener) => listener()); };

/** Says something in passing. With an action ("Undo") it stays 5 s. Returns a function that takes it away. */
export function toast(text: string, options: Partial<Omit<Toast, "id" | "text">> = {}): () => void {
  const id = nextId++;
  const seconds = options.seconds ?? (options.action ? 5 : 4);
  const dismiss = () => publish(toasts.filter((item) => item.id !== id));
  publish([...toasts.slice(-2), { tone: "plain", ...options, seconds, id, text }]);
  setTimeout(dismiss, seconds * 1000);
  return dismiss;
}

/** Says what the server refused, in its own words. */
export function toastError(error: unknown): void {
  toast(error instanceof ApiError ? error.message : String(error), { tone: "bad", seconds: 6 });
}

/** Lies in the browser's top layer, so that toasts are seen above open sheets. */
export function Toaster() {
  const items = useSyncExternalStore((listener) => { listeners.add(listener); return () => listeners.delete(listener); }, () => toasts);
  const host = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = host.current;
    if (!element?.showPopover) return;
    if (element.matches(":popover-open")) element.hidePopover();
    if (items.length > 0) element.showPopover();
  }, [items]);
  return (
    <div ref={host} popover="manual" className={styles.host} role="status" aria-live="polite">
      {items.map((item) => (
        <div key={item.id} className={cx(styles.toast, styles[item.tone])}>
          <span>{item.text}</span>
          {item.action && <button type="button" className={styles.action} onClick={item.action.run}>{item.action.label}</button>}
        </div>
      ))}
    </div>
  );
}
