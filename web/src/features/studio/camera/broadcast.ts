import { useSyncExternalStore } from "react";

import { cameraNow, stopCamera, watchCamera } from "./camera";
import type { PictureStats } from "@/shared/video/rate-meter";
import { type PublishState, WhipPublisher } from "./whip-publisher";

/** The broadcast that this tab sends, if any: one show at a time, kept while the host walks through the pages. */
export interface BroadcastState {
  showId: string | null;
  publish: PublishState;
  stats: PictureStats | null;
  /** Set by "go live now": the show goes live by itself as soon as the picture has arrived. */
  goLiveOnArrival: boolean;
}

const IDLE: BroadcastState = { showId: null, publish: { phase: "idle" }, stats: null, goLiveOnArrival: false };

let state = IDLE;
let publisher: WhipPublisher | null = null;
let unwatch: (() => void) | null = null;
const listeners = new Set<() => void>();

function set(change: Partial<BroadcastState>): void {
  state = { ...state, ...change };
  listeners.forEach((listener) => listener());
}

export const useBroadcast = (): BroadcastState =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => state,
  );

export interface WhipAddress { whip_url: string | null; whip_token: string | null }

/** Not every media server takes a browser's camera. */
export const takesBrowser = (ingest: WhipAddress): boolean => ingest.whip_url !== null;

/** Sends the camera of this tab to the show. The camera must be on. */
export function startBroadcast(showId: string, ingest: WhipAddress, goLiveOnArrival = false): void {
  const stream = cameraNow().stream;
  if (!stream || ingest.whip_url === null) return;
  void publisher?.stop();
  unwatch?.();
  const mine = new WhipPublisher({
    endpoint: ingest.whip_url,
    token: ingest.whip_token ?? "",
    onState: (publish) => { if (publisher === mine) set({ publish, ...(publish.phase === "live" ? {} : { stats: null }) }); },
    onStats: (stats) => { if (publisher === mine) set({ stats }); },
  });
  publisher = mine;
  set({ showId, publish: { phase: "idle" }, stats: null, goLiveOnArrival });
  let sent = stream;
  unwatch = watchCamera(() => {
    const next = cameraNow().stream;
    if (!next || next === sent) return;
    sent = next;
    void mine.replaceStream(next);
  });
  window.addEventListener("beforeunload", warn);
  mine.start(stream);
}

/** `told`: the server has ended the show itself and wants no farewell. */
export async function stopBroadcast(told = false): Promise<void> {
  const last = publisher;
  publisher = null;
  unwatch?.();
  unwatch = null;
  window.removeEventListener("beforeunload", warn);
  state = IDLE;
  listeners.forEach((listener) => listener());
  stopCamera();
  await last?.stop(told);
}

export function cancelGoLiveOnArrival(): void {
  set({ goLiveOnArrival: false });
}

/** Closing the tab would end the broadcast: the browser asks first. */
function warn(event: BeforeUnloadEvent): void {
  event.preventDefault();
}
