import { useEffect, useState, useSyncExternalStore } from "react";

interface Round { offset: number; trip: number; at: number }

const ROUNDS_KEPT = 12;
const ROUND_KEPT_MS = 5 * 60_000;
/** Two estimates that differ by more than both could be wrong by, and this much: the device slept, or the server moved. */
const MOVED_MS = 30;

/**
 * The server's clock as this page knows it. A deal opens by the server's time; what the device's own clock says does not
 * matter, since only its monotonic clock is read. A ping and its answer bound the difference to half of their trip: of
 * the recent ones the quickest is believed. Until there is one, a time heard from the server does.
 */
export class ServerClock {
  private rounds: Round[] = [];
  private heard: number[] = [];
  private offset: number;

  constructor(private readonly localNow: () => number = () => performance.now(), wallNow: () => number = () => Date.now()) {
    this.offset = wallNow() - localNow();
  }

  /** A server time that has just come in. It is late, never early: the largest difference is the best. */
  hear(serverTime: string): void {
    const server = Date.parse(serverTime);
    if (Number.isNaN(server) || this.rounds.length > 0) return;
    this.heard = [...this.heard, server - this.localNow()].slice(-64);
    this.offset = Math.max(...this.heard);
  }

  /** A ping that left at `sentAt` (by `local`) and was answered at `serverTime`, just now. */
  answered(sentAt: number, serverTime: string): void {
    const server = Date.parse(serverTime);
    const at = this.localNow();
    if (Number.isNaN(server) || sentAt > at) return;
    const round = { offset: server - (sentAt + at) / 2, trip: at - sentAt, at };
    const best = this.best();
    if (best && Math.abs(best.offset - round.offset) > (best.trip + round.trip) / 2 + MOVED_MS) this.rounds = [];
    this.rounds = [...this.rounds.filter((one) => at - one.at < ROUND_KEPT_MS), round].slice(-ROUNDS_KEPT);
    this.offset = this.best()?.offset ?? this.offset;
  }

  private best(): Round | undefined {
    return this.rounds.reduce<Round | undefined>((best, one) => (!best || one.trip < best.trip ? one : best), undefined);
  }

  /** The monotonic time of this page that `answered` counts by. */
  local(): number { return this.localNow(); }

  /** By how much `now` may be wrong at most, in ms; null while no ping was answered. */
  uncertainty(): number | null {
    const best = this.best();
    return best ? best.trip / 2 : null;
  }

  /** Milliseconds since the epoch by the server's clock. */
  now(): number {
    return this.localNow() + this.offset;
  }
}

export const serverClock = new ServerClock();

/** Looks again at least so often: the estimate may get better on the way. */
const LOOK_MS = 500;

/** Calls `then` as soon as the server's clock reaches `at`; the function returned calls it off. */
export function whenReached(at: number, then: () => void, clock: Pick<ServerClock, "now"> = serverClock): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    const left = at - clock.now();
    if (left <= 0) then();
    else timer = setTimeout(look, Math.min(Math.ceil(left), LOOK_MS));
  };
  look();
  return () => clearTimeout(timer);
}

/** Whether the server's clock has reached `at`; redrawn at that very moment, not at the next tick. */
export function useReached(at: number): boolean {
  const [reached, setReached] = useState(() => serverClock.now() >= at);
  useEffect(() => {
    setReached(serverClock.now() >= at);
    return whenReached(at, () => setReached(true));
  }, [at]);
  return reached;
}

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
