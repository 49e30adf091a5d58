import { useEffect, useRef, useState, useSyncExternalStore } from "react";

import { api } from "../api/client";
import type { Snapshot, Ticket } from "../api/types";
import { LiveClient, type LiveStatus } from "./client";

function makeClient(showId: string): LiveClient {
  return new LiveClient({
    getTicket: () => api.post<Ticket>(`/shows/${showId}/ticket`),
    openSocket: (url) => new WebSocket(url),
    isHidden: () => document.hidden,
  });
}

/**
 * The room's socket for as long as the page is open. `userId` is who is signed in: when it changes the socket is
 * renewed, since a ticket is made out to a person.
 */
export function useLiveClient(showId: string, userId: string | null | undefined): LiveClient {
  const [client] = useState(() => makeClient(showId));
  const enabled = userId !== undefined;
  const known = useRef(userId);
  useEffect(() => {
    if (!enabled) return;
    client.start();
    const renew = () => { if (client.status !== "live") client.renew(); };
    const shown = () => { if (!document.hidden) renew(); };
    window.addEventListener("online", renew);
    document.addEventListener("visibilitychange", shown);
    return () => {
      window.removeEventListener("online", renew);
      document.removeEventListener("visibilitychange", shown);
      client.stop();
    };
  }, [client, enabled]);
  useEffect(() => {
    if (known.current !== undefined && userId !== undefined && known.current !== userId) client.renew();
    known.current = userId;
  }, [client, userId]);
  return client;
}

/** A slice of the room's state; the part is redrawn only when the slice changes. */
export function useLive<T>(client: LiveClient, slice: (state: Snapshot) => T): T | undefined {
  return useSyncExternalStore(client.subscribe, () => (client.state ? slice(client.state) : undefined));
}

export function useLiveStatus(client: LiveClient): LiveStatus {
  return useSyncExternalStore(client.subscribe, () => client.status);
}
