import { queryOptions, useMutation, useQueryClient } from "@tanstack/react-query";

import { api } from "@/shared/api/client";
import type { Health, Me, Page, Seller } from "@/shared/api/types";

export const healthQuery = queryOptions({
  queryKey: ["operator", "health"],
  queryFn: ({ signal }) => api.get<Health>("/operator/health", { signal }),
  refetchInterval: 5000, retry: false, // it is asked again soon; until then the page says that nobody answered
});

export const sellersQuery = queryOptions({
  queryKey: ["operator", "sellers"],
  queryFn: ({ signal }) => api.get<Page<Seller>>("/operator/sellers", { signal }),
  refetchInterval: 15_000,
});

export function useApproveSeller() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: (seller: Seller) => api.post<Seller>(`/operator/sellers/${seller.id}/approve`),
    onSettled: () => client.invalidateQueries({ queryKey: ["operator", "sellers"] }),
  });
}

export interface FirstRun {
  token: string; id: string; login: string; password: string; name: string; market_name: string; currency: string;
}

export const openMarket = (body: FirstRun) => api.post<Me>("/first-run", body, { retry: false });
