import type { Claim, OnPlace } from "../api/place-order";
import type { Deal, Money, Order, Product, TrayItem } from "../api/types";

/** What a buy sheet needs to know of the goods, wherever they are offered: tray, flash sale, replay or product page. */
export interface OfferVariant {
  variant_id: string; title: string; options: Record<string, string>; price: Money; was: Money | null; available: number;
  picture_url: string | null;
}
export interface Offer {
  key: string; title: string; picture_url: string | null; seller_name: string; variants: OfferVariant[];
  listing_id?: string; deal?: Deal; show_id?: string; per_buyer: number | null;
}

/** Places the claim under the id given and answers with the order, or throws the server's refusal; `onPlace` hears the place in line. */
export type PlaceOrder = (claim: Claim, onPlace?: OnPlace) => Promise<Order>;

type Stock = Record<string, number>;

/** How many can be had: of what has no price, none. */
const units = (price: Money, available: number): number => (price.amount > 0 ? available : 0);

/** In a live show a listing is sold at its show price; in a replay at the ordinary one, and not as a listing. */
export function offerOfListing(item: TrayItem, stock: Stock, showId: string, ordinary = false): Offer {
  return {
    key: ordinary ? `replay:${item.listing_id}` : item.listing_id,
    title: item.product.title, picture_url: item.product.picture_url, seller_name: item.product.seller_name,
    listing_id: ordinary ? undefined : item.listing_id, show_id: showId, per_buyer: ordinary ? null : item.per_buyer,
    variants: item.variants.map((variant) => ({
      variant_id: variant.variant_id, title: variant.title, options: variant.options,
      price: ordinary ? variant.list_price : variant.price, was: ordinary ? null : variant.list_price,
      available: units(ordinary ? variant.list_price : variant.price, stock[variant.variant_id] ?? 0), picture_url: variant.picture_url,
    })),
  };
}

/** A flash sale offers its one variant at the deal's price, out of the deal's own quota. */
export function offerOfDeal(deal: Deal, item: TrayItem, showId: string): Offer {
  const all = offerOfListing(item, {}, showId);
  return {
    ...all, key: deal.id, deal, per_buyer: deal.per_buyer,
    variants: all.variants.filter((variant) => variant.variant_id === deal.variant_id)
      .map((variant) => ({ ...variant, price: deal.price, was: deal.list_price, available: deal.left })),
  };
}

export function offerOfProduct(product: Product): Offer {
  const picture = (id: string | null) => product.pictures.find((item) => item.id === id)?.thumb_url ?? null;
  return {
    key: product.id, title: product.title, picture_url: product.pictures[0]?.thumb_url ?? null, seller_name: product.seller.name, per_buyer: null,
    variants: product.variants.map((variant) => ({
      variant_id: variant.id, title: variant.title, options: variant.options, price: variant.price, was: variant.compare_at,
      available: units(variant.price, variant.available), picture_url: picture(variant.picture_id),
    })),
  };
}

export const soldOut = (offer: Offer): boolean => offer.variants.every((variant) => variant.available <= 0);

/** The price to show first: the cheapest that can still be bought, else the cheapest. */
export function leadVariant(offer: Offer): OfferVariant | undefined {
  const order = (a: OfferVariant, b: OfferVariant) =>
    Number(a.available <= 0) - Number(b.available <= 0) || a.price.amount - b.price.amount;
  return [...offer.variants].sort(order)[0];
}
