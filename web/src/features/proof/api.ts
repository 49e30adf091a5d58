import { infiniteQueryOptions } from "@tanstack/react-query";

import { api } from "@/shared/api/client";
import type { components } from "@/shared/api/schema";
import { serverClock } from "@/shared/lib/clock";

export type Proof = components["schemas"]["StockProof"];
export type Pool = components["schemas"]["ProofPool"];
export interface Asked { show?: string; deal?: string; variant?: string }

const POLL_MS = 2000;

/** Asked again every two seconds, never while nobody looks. */
export const proofQuery = (asked: Asked) => infiniteQueryOptions({
  queryKey: ["proof", asked],
  queryFn: async ({ pageParam, signal }) => {
    const page = await api.get<Proof>("/proof/stock", { query: { ...asked, cursor: pageParam }, signal });
    serverClock.hear(page.checked_at);
    return page;
  },
  initialPageParam: null as string | null,
  getNextPageParam: (page) => page.next,
  refetchInterval: POLL_MS,
  staleTime: 0,
});

/** The same question for a program or another tab. */
export function proofAddress(asked: Asked): string {
  const query = new URLSearchParams(Object.entries(asked).filter((pair): pair is [string, string] => Boolean(pair[1]))).toString();
  return `/api/proof/stock${query ? `?${query}` : ""}`;
}

/** Flash sales first, then what was promised most. */
export function inOrder(pools: Pool[]): Pool[] {
  const promised = (pool: Pool) => pool.held + pool.sold;
  return [...pools].sort((a, b) => Number(b.kind === "flash") - Number(a.kind === "flash") || promised(b) - promised(a));
}
