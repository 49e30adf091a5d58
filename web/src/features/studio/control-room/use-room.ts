import { useQuery } from "@tanstack/react-query";

import { api } from "@/shared/api/client";
import { showQuery } from "@/shared/api/queries";
import type { Deal, Show, Snapshot } from "@/shared/api/types";
import { type LiveClient, useLive, useLiveStatus } from "@/shared/live";

const POLL_MS = 3000;

/** The room as the host sees it: by the socket, and by polling while there is no socket. Undefined: not yet known. */
export function useRoomState(client: LiveClient, showId: string): Snapshot | undefined {
  const live = useLive(client, (state) => state);
  const status = useLiveStatus(client);
  const polled = useQuery({
    queryKey: ["studio", "snapshot", showId],
    queryFn: ({ signal }) => api.get<Snapshot>(`/shows/${showId}/snapshot`, { signal }),
    enabled: status !== "live",
    refetchInterval: status === "live" ? false : POLL_MS,
  });
  if (status === "live" && live) return live;
  return polled.data && polled.data.seq >= (live?.seq ?? 0) ? polled.data : live;
}

/** The show with role and stream (known over HTTP only), and what the socket knows sooner. */
export function useShow(showId: string) {
  return useQuery({
    ...showQuery(showId),
    staleTime: 0,
    refetchInterval: (query) => {
      const show = query.state.data;
      if (!show || isOver(show)) return show?.state === "ended" ? 5000 : false;
      return show.stream?.online ? 4000 : 1500;
    },
  });
}

export function isOver(show: Pick<Show, "state">): boolean {
  return show.state === "ended" || show.state === "replay" || show.state === "purged";
}

export function isOnAir(show: Pick<Show, "state">): boolean {
  return show.state === "live" || show.state === "interrupted";
}

export function merge(show: Show, room: Snapshot | undefined): Show {
  if (!room) return show;
  const { started_at, ended_at, grace_until } = room.show;
  const state = later(show.state, room.show.state);
  // An interrupted show has lost its picture, whatever was heard of the stream a moment before.
  const stream = show.stream && state === "interrupted" ? { ...show.stream, online: false } : show.stream;
  return { ...show, state, stream, started_at, ended_at, grace_until, viewers: room.totals.viewers, likes: room.totals.likes };
}

const ORDER: readonly Show["state"][] = ["draft", "scheduled", "preview", "live", "interrupted", "ended", "replay", "purged"];

/** Whichever of the two channels knows the further state; live and interrupted go both ways, there the socket is right. */
function later(http: Show["state"], socket: Show["state"]): Show["state"] {
  const both = new Set([http, socket]);
  if (both.has("live") && both.has("interrupted")) return socket;
  return ORDER.indexOf(http) > ORDER.indexOf(socket) ? http : socket;
}

export function activePin(room: Snapshot | undefined) {
  return room?.pins.find((pin) => pin.primary && pin.ended_stream_at === null);
}

export function openDeals(room: Snapshot | undefined): Deal[] {
  return (room?.deals ?? []).filter((deal) => deal.state === "countdown" || deal.state === "running");
}
