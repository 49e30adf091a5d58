import { useSyncExternalStore } from "react";

/**
 * The server's clock as this page knows it. A deal opens by the server's time, not by the phone's.
 * Each sample is a server time heard at a local time; a sample is always late (the network), never early, so
 * the largest offset of the recent samples is the best one.
 */
export class ServerClock {
  private samples: number[] = [];
  private offset = 0;

  constructor(private readonly localNow: () => number = () => Date.now()) {}

  sample(serverTime: string, receivedAt: number = this.localNow()): void {
    const server = Date.parse(serverTime);
    if (Number.isNaN(server)) return;
    this.samples = [...this.samples, server - receivedAt].slice(-64);
    this.offset = Math.max(...this.samples);
  }

  /** Milliseconds since the epoch by the server's clock. */
  now(): number {
    return this.localNow() + this.offset;
  }
}

export const serverClock = new ServerClock();

/** Ticks shared by all countdowns on the page: one timer, aligned to whole steps of the server's clock. */
function makeTicker(stepMs: number) {
  const listeners = new Set<() => void>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  let value = 0;
  const beat = () => {
    value = Math.floor(serverClock.now() / stepMs) * stepMs;
    listeners.forEach((listener) => listener());
    arm();
  };
  const arm = () => {
    timer = setTimeout(beat, stepMs - (serverClock.now() % stepMs) + 2);
  };
  return {
    subscribe(listener: () => void) {
      listeners.add(listener);
      if (listeners.size === 1) beat();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) clearTimeout(timer);
      };
    },
    read: () => value || Math.floor(serverClock.now() / stepMs) * stepMs,
  };
}

const secondTicker = makeTicker(1000);
const quickTicker = makeTicker(100);

/** The server's time in whole seconds (or tenths with `quick`), redrawn as it moves. */
export function useServerNow(quick = false): number {
  const ticker = quick ? quickTicker : secondTicker;
  return useSyncExternalStore(ticker.subscribe, ticker.read);
}
