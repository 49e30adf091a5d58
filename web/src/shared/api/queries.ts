import { QueryClient, queryOptions } from "@tanstack/react-query";

import { api, ApiError } from "./client";
import type { Deal, Me, Order, Page, Product, SavedAddress, Show, ShowCard } from "./types";

/** Reads are tried again when the network or the server stumbles, never when the server said no. */
function worthRetrying(failures: number, error: Error): boolean {
  const refused = error instanceof ApiError && error.status >= 400 && error.status < 500;
  return !refused && failures < 3;
}

export function makeQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: { staleTime: 10_000, retry: worthRetrying, refetchOnWindowFocus: true },
      mutations: { retry: false },
    },
  });
}

/** Who is here decides what every page shows: asked again until there is an answer, since "signed out" would be none. */
export const meQuery = queryOptions({
  queryKey: ["me"], queryFn: ({ signal }) => api.get<Me>("/me", { signal }), staleTime: 60_000, retryDelay: 2000,
  retry: (_failures, error) => !(error instanceof ApiError && error.status >= 400 && error.status < 500 && error.status !== 429),
});

export type FeedKind = "all" | "following";

/** Shows of everybody, or of the channels that I follow; the latter needs somebody who is signed in. */
export const showsQuery = (state: "live" | "scheduled" | "replay", kind: FeedKind = "all") =>
  queryOptions({
    queryKey: ["shows", kind, state],
    queryFn: ({ signal }) => api.get<Page<ShowCard>>("/shows", { query: { state, following: kind === "following" || undefined }, signal }),
  });

export const showQuery = (id: string) =>
  queryOptions({ queryKey: ["show", id], queryFn: ({ signal }) => api.get<Show>(`/shows/${id}`, { signal }) });

export const dealsQuery = (showId: string) =>
  queryOptions({ queryKey: ["deals", showId], queryFn: ({ signal }) => api.get<Deal[]>(`/shows/${showId}/deals`, { signal }) });

export const productQuery = (id: string) =>
  queryOptions({ queryKey: ["product", id], queryFn: ({ signal }) => api.get<Product>(`/products/${id}`, { signal }) });

export const orderQuery = (id: string) =>
  queryOptions({ queryKey: ["order", id], queryFn: ({ signal }) => api.get<Order>(`/orders/${id}`, { signal }) });

export const addressesQuery = queryOptions({
  queryKey: ["addresses"],
  queryFn: ({ signal }) => api.get<SavedAddress[] | Page<SavedAddress>>("/me/addresses", { signal })
    .then((answer) => (Array.isArray(answer) ? answer : answer.items)),
});
