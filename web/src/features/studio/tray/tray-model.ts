/** The tray as the host edits it: plain lists in, plain lists out. The server keeps the whole list, in this order. */

export interface TrayEntry {
  listing_id: string;
  product_id: string;
  /** Show prices by variant, in minor units; a variant that is absent sells at its list price. */
  show_price_amounts: Record<string, number>;
  per_buyer: number | null;
}

export const TRAY_MAX = 500;

/** The slice of a TrayItem that matters here. */
export interface TrayItemLike {
  listing_id: string;
  product: { id: string };
  variants: readonly { variant_id: string; price: { amount: number }; list_price: { amount: number } }[];
  per_buyer: number | null;
}

export function entryOf(item: TrayItemLike): TrayEntry {
  const prices: Record<string, number> = {};
  for (const variant of item.variants) {
    if (variant.price.amount !== variant.list_price.amount) prices[variant.variant_id] = variant.price.amount;
  }
  return {
    listing_id: item.listing_id,
    product_id: item.product.id,
    show_price_amounts: prices,
    per_buyer: item.per_buyer,
  };
}

export function addProduct(entries: readonly TrayEntry[], product_id: string, listing_id: string): TrayEntry[] {
  if (entries.length >= TRAY_MAX || entries.some((entry) => entry.product_id === product_id)) return [...entries];
  return [...entries, { listing_id, product_id, show_price_amounts: {}, per_buyer: null }];
}

export function removeListing(entries: readonly TrayEntry[], listing_id: string): TrayEntry[] {
  return entries.filter((entry) => entry.listing_id !== listing_id);
}

export function editListing(
  entries: readonly TrayEntry[],
  listing_id: string,
  change: Partial<Pick<TrayEntry, "show_price_amounts" | "per_buyer">>,
): TrayEntry[] {
  return entries.map((entry) => (entry.listing_id === listing_id ? { ...entry, ...change } : entry));
}

/** Moves the entry at `from` so that it ends at `to`; both are clamped to the list. */
export function move<Item>(items: readonly Item[], from: number, to: number): Item[] {
  const copy = [...items];
  const [item] = copy.splice(from, 1);
  if (item === undefined) return [...items];
  copy.splice(Math.max(0, Math.min(to, copy.length)), 0, item);
  return copy;
}

/** Number keys 1–9 pin the first nine slots. */
export function slotOfKey(key: string): number | null {
  return /^[1-9]$/.test(key) ? Number(key) - 1 : null;
}
