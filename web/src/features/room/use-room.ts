import { useCallback } from "react";

import { ApiError } from "@/shared/api/client";
import { placeOverHttp } from "@/shared/api/place-order";
import type { LineTicket, Order } from "@/shared/api/types";
import type { PlaceOrder } from "@/shared/lib/offer";
import { clicked } from "@/shared/lib/trace";
import type { LiveClient } from "@/shared/live";

const SOCKET_PATIENCE_MS = 4000;

/** A promise of null that comes after `ms` without a sign of life. */
function silence(ms: number) {
  let timer: ReturnType<typeof setTimeout>;
  let done: (nothing: null) => void = () => undefined;
  const heard = () => { clearTimeout(timer); timer = setTimeout(() => done(null), ms); };
  const over = new Promise<null>((resolve) => { done = resolve; });
  heard();
  return { over, heard, stop: () => clearTimeout(timer) };
}

/**
 * Buys over the open socket; when it is down, or silent for 4 s, over HTTP under the same id. Both lead to the same one
 * order, so it does not matter which answer comes first. Who stands in line hears of it, and is not silent.
 */
export function usePlaceOrder(client: LiveClient, showId: string): PlaceOrder {
  return useCallback(async ({ id, lines }, onPlace) => {
    const overHttp = () => placeOverHttp({ id, show_id: showId, lines }, onPlace);
    if (client.status !== "live") return overHttp();
    const patience = silence(SOCKET_PATIENCE_MS);
    const onProgress = (progress: unknown) => { patience.heard(); onPlace?.(progress as LineTicket); };
    try {
      const answer = await Promise.race([client.command<Order>({ type: "buy", id, lines, traceparent: clicked() }, true, onProgress), patience.over]);
      return answer ?? (await overHttp());
    } catch (error) {
      // A lost socket, or a socket still open under the name of nobody from before the sign-in.
      if (error instanceof ApiError && (error.code === "connection-lost" || error.status === 401)) return overHttp();
      throw error;
    } finally {
      patience.stop();
    }
  }, [client, showId]);
}
