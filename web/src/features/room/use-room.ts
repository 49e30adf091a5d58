import { useCallback } from "react";

import { api, ApiError } from "@/shared/api/client";
import type { Order } from "@/shared/api/types";
import type { PlaceOrder } from "@/shared/lib/offer";
import type { LiveClient } from "@/shared/live";

const SOCKET_PATIENCE_MS = 4000;

/**
 * Buys over the open socket; when it is down, or silent for 4 s, over HTTP under the same id. Both lead to the same one
 * order, so it does not matter which answer comes first.
 */
export function usePlaceOrder(client: LiveClient, showId: string): PlaceOrder {
  return useCallback(async ({ id, lines }) => {
    const overHttp = () => api.post<Order>("/orders", { id, show_id: showId, lines });
    if (client.status !== "live") return overHttp();
    const patience = new Promise<null>((resolve) => setTimeout(() => resolve(null), SOCKET_PATIENCE_MS));
    try {
      const answer = await Promise.race([client.command<Order>({ type: "buy", id, lines }), patience]);
      return answer ?? (await overHttp());
    } catch (error) {
      // A lost socket, or a socket still open under the name of nobody from before the sign-in.
      if (error instanceof ApiError && (error.code === "connection-lost" || error.status === 401)) return overHttp();
      throw error;
    }
  }, [client, showId]);
}
