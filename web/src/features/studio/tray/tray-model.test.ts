import { describe, expect, it } from "vitest";

import { addProduct, editListing, entryOf, move, removeListing, slotOfKey, type TrayEntry } from "./tray-model";

const entry = (id: string): TrayEntry => ({
  listing_id: id,
  product_id: `p-${id}`,
  show_price_amounts: {},
  per_buyer: null,
});

describe("the tray", () => {
  it("moves a listing to a new slot and clamps at both ends", () => {
    expect(move(["a", "b", "c"], 0, 2)).toEqual(["b", "c", "a"]);
    expect(move(["a", "b", "c"], 2, -5)).toEqual(["c", "a", "b"]);
    expect(move(["a", "b", "c"], 1, 99)).toEqual(["a", "c", "b"]);
    expect(move(["a", "b"], 7, 0)).toEqual(["a", "b"]);
  });

  it("holds a product once", () => {
    const tray = addProduct([entry("1")], "p-1", "2");
    expect(tray).toHaveLength(1);
    expect(addProduct(tray, "p-2", "2")).toHaveLength(2);
  });

  it("removes and edits by listing", () => {
    expect(removeListing([entry("1"), entry("2")], "1").map((one) => one.listing_id)).toEqual(["2"]);
    expect(editListing([entry("1"), entry("2")], "2", { per_buyer: 3 })[1]?.per_buyer).toBe(3);
  });

  it("keeps only the prices that differ from the list", () => {
    const item = {
      listing_id: "1",
      product: { id: "p" },
      per_buyer: 2,
      variants: [
        { variant_id: "same", price: { amount: 500 }, list_price: { amount: 500 } },
        { variant_id: "cheaper", price: { amount: 400 }, list_price: { amount: 500 } },
      ],
    };
    expect(entryOf(item).show_price_amounts).toEqual({ cheaper: 400 });
  });

  it("reads number keys as slots", () => {
    expect(slotOfKey("1")).toBe(0);
    expect(slotOfKey("9")).toBe(8);
    expect(slotOfKey("0")).toBeNull();
    expect(slotOfKey("a")).toBeNull();
  });
});
