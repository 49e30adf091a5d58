import { infiniteQueryOptions, queryOptions } from "@tanstack/react-query";

import { api } from "@/shared/api/client";
import type { Import, Order, Page, Picture, Product, Seller, StockRow } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";

export interface VariantBody { id: string; sku: string; options: Record<string, string>; price_amount: number; compare_at_amount?: number | null }
export interface ProductBody {
  id: string; title: string; description: string; state: Product["state"]; options: { name: string; values: string[] }[]; variants: VariantBody[];
}

const paged = <T>(key: readonly unknown[], path: string, query: Record<string, string> = {}) =>
  infiniteQueryOptions({
    queryKey: key,
    queryFn: ({ pageParam, signal }) => api.get<Page<T>>(path, { query: { ...query, cursor: pageParam }, signal }),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next,
  });

export const productsQuery = (sellerId: string, q: string, state: string) =>
  paged<Product>(["seller", sellerId, "products", q, state], `/sellers/${sellerId}/products`, { q, state });
export const stockQuery = (sellerId: string) => paged<StockRow>(["seller", sellerId, "stock"], `/sellers/${sellerId}/stock`);
export const ordersQuery = (sellerId: string) => ({
  ...paged<Order>(["seller", sellerId, "orders"], `/sellers/${sellerId}/orders`),
  refetchInterval: 15_000,
});
export const importQuery = (sellerId: string, importId: string) =>
  queryOptions({
    queryKey: ["seller", sellerId, "import", importId],
    queryFn: ({ signal }) => api.get<Import>(`/sellers/${sellerId}/imports/${importId}`, { signal }),
    refetchInterval: (query) => {
      const data = query.state.data;
      if (!data || data.state === "reading") return 700;
      return data.pictures_pending > 0 ? 3000 : false;
    },
  });
export const importsQuery = (sellerId: string) =>
  queryOptions({ queryKey: ["seller", sellerId, "imports"], queryFn: ({ signal }) => api.get<Page<Import>>(`/sellers/${sellerId}/imports`, { signal }) });

export const apply = (body: { id: string; name: string }) => api.post<Seller>("/sellers", body);
export const createProduct = (sellerId: string, body: ProductBody) => api.post<Product>(`/sellers/${sellerId}/products`, body);
export const putProduct = (sellerId: string, body: ProductBody) => api.put<Product>(`/sellers/${sellerId}/products/${body.id}`, body);
export const putStock = (sellerId: string, rows: { variant_id: string; on_hand: number }[]) =>
  api.put<StockRow[]>(`/sellers/${sellerId}/stock`, { id: newId(), rows });
export const removePicture = (sellerId: string, productId: string, pictureId: string) =>
  api.delete(`/sellers/${sellerId}/products/${productId}/pictures/${pictureId}`);

export function bodyOf(product: Product, change: Partial<ProductBody> = {}): ProductBody {
  return {
    id: product.id, title: product.title, description: product.description, state: product.state, options: product.options,
    variants: product.variants.map((variant) => ({
      id: variant.id, sku: variant.sku, options: variant.options, price_amount: variant.price.amount, compare_at_amount: variant.compare_at?.amount ?? null,
    })),
    ...change,
  };
}

export const pictureAddress = (sellerId: string, productId: string, pictureId: string) => `/api/sellers/${sellerId}/products/${productId}/pictures?id=${pictureId}`;
export const importAddress = (sellerId: string, importId: string) => `/api/sellers/${sellerId}/imports?id=${importId}`;
export type { Import, Picture };
