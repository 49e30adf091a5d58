import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api } from "@/shared/api/client";
import type {
  ChatMode, Creator, Deal, Ingest, Page, Pin, ProductCard, Show, ShowCard, ShowNumbers, TrayItem,
} from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import type { TrayEntry } from "./tray/tray-model";

export type LatencyMode = "default" | "interactive";

export const myShowsQuery = infiniteQueryOptions({
  queryKey: ["studio", "shows"],
  queryFn: ({ pageParam, signal }) => api.get<Page<ShowCard>>("/studio/shows", { query: { cursor: pageParam }, signal }),
  initialPageParam: null as string | null,
  getNextPageParam: (last) => last.next,
  refetchInterval: 20_000,
});

export const ingestQuery = (showId: string) =>
  queryOptions({
    queryKey: ["studio", "ingest", showId],
    queryFn: ({ signal }) => api.get<Ingest>(`/shows/${showId}/ingest`, { signal }),
    staleTime: 30_000,
  });

export const numbersQuery = (showId: string, running: boolean) =>
  queryOptions({
    queryKey: ["studio", "numbers", showId],
    queryFn: ({ signal }) => api.get<ShowNumbers>(`/shows/${showId}/numbers`, { signal }),
    refetchInterval: running ? 3000 : false,
    staleTime: running ? 1000 : 300_000,
  });

export const productSearchQuery = (q: string) =>
  infiniteQueryOptions({
    queryKey: ["studio", "products", q],
    queryFn: ({ pageParam, signal }) => api.get<Page<ProductCard>>("/products", { query: { q, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });

export const chatModeQuery = (showId: string) =>
  queryOptions({
    queryKey: ["studio", "chat-mode", showId],
    queryFn: ({ signal }) => api.get<ChatMode>(`/shows/${showId}/chat-mode`, { signal }),
  });

export interface ShowPlan { title: string; description?: string; planned_at?: string | null; mode?: LatencyMode }

export const openChannel = (body: { id: string; name: string; bio: string }) => api.post<Creator>("/me/creator", body);
export const createShow = (id: string, plan: ShowPlan) => api.post<Show>("/shows", { id, ...plan });
export const changeShow = (id: string, plan: Partial<ShowPlan> & { ingest_delay_ms?: number }) => api.patch<Show>(`/shows/${id}`, plan);
export const openPreview = (id: string) => api.post<Show>(`/shows/${id}/preview`);
export const goLive = (id: string) => api.post<Show>(`/shows/${id}/go-live`);
export const endShow = (id: string) => api.post<Show>(`/shows/${id}/end`);
export const rotateKey = (id: string) => api.post<Ingest>(`/shows/${id}/ingest/rotate`);

export const putTray = (showId: string, entries: readonly TrayEntry[]) =>
  api.put<TrayItem[]>(`/shows/${showId}/tray`, { items: entries });

export const pinListing = (showId: string, listing_id: string) => api.post<Pin>(`/shows/${showId}/pins`, { id: newId(), listing_id });
export const unpin = (showId: string, pinId: string) => api.delete(`/shows/${showId}/pins/${pinId}`);

export const startFlashSale = (showId: string, body: object) => api.post<Deal>(`/shows/${showId}/flash-sales`, body);
export const releaseMore = (dealId: string, quantity: number) => api.post<Deal>(`/deals/${dealId}/release`, { id: newId(), quantity });
export const endDeal = (dealId: string) => api.post<Deal>(`/deals/${dealId}/end`);

export const deleteMessage = (showId: string, messageId: string) => api.delete(`/shows/${showId}/chat/${messageId}`);
export const muteViewer = (showId: string, user_id: string, seconds: number | null) =>
  api.post<void>(`/shows/${showId}/mutes`, { id: newId(), user_id, seconds });
export const unmuteViewer = (showId: string, userId: string) => api.delete(`/shows/${showId}/mutes/${userId}`);
export const setChatMode = (showId: string, mode: ChatMode) => api.put<ChatMode>(`/shows/${showId}/chat-mode`, mode);
