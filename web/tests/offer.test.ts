import { describe, expect, it } from "vitest";

import type { Product, TrayItem } from "@/shared/api/types";
import { offerOfListing, offerOfProduct, soldOut } from "@/shared/lib/offer";

const money = (amount: number) => ({ amount, currency: "CNY" });

describe("what has no price", () => {
  const variant = { title: "", options: {}, picture_url: null };
  const item = (price: number, list: number) => ({
    listing_id: "l", slot: 1, per_buyer: null, product: { id: "p", title: "Tea", picture_url: null, seller_id: "s", seller_name: "S" },
    variants: [{ ...variant, variant_id: "v", price: money(price), list_price: money(list) }],
  }) as unknown as TrayItem;

  it("is not offered for sale, since nobody can buy it", () => {
    const product = { id: "p", title: "Tea", pictures: [], seller: { id: "s", name: "S" }, variants: [{ ...variant, id: "v", price: money(0), compare_at: null, available: 9, picture_id: null }] };
    expect(soldOut(offerOfProduct(product as unknown as Product))).toBe(true);
    expect(soldOut(offerOfListing(item(0, 0), { v: 9 }, "show"))).toBe(true);
  });
  it("is for sale where a show gives it one", () => {
    expect(soldOut(offerOfListing(item(500, 0), { v: 9 }, "show"))).toBe(false);
    expect(soldOut(offerOfListing(item(500, 0), { v: 9 }, "show", true))).toBe(true);
  });
});
