import { describe, expect, it } from "vitest";

import { cleanAxes, combinations, reconcile, variantTitle, type VariantDraft } from "./variant-matrix";

let minted = 0;
const mintId = () => `new-${(minted += 1)}`;
const draft = (id: string, options: Record<string, string>, priceAmount = 100): VariantDraft => ({
  id,
  sku: `SKU-${id}`,
  options,
  priceAmount,
  compareAtAmount: null,
});

describe("the variant matrix", () => {
  it("has one variant when there are no axes", () => {
    expect(combinations([])).toEqual([{}]);
  });

  it("crosses the axes", () => {
    const axes = [
      { name: "Colour", values: ["red", "blue"] },
      { name: "Size", values: ["S", "M"] },
    ];
    expect(combinations(axes).map(variantTitle)).toEqual(["red / S", "red / M", "blue / S", "blue / M"]);
  });

  it("leaves blanks and doubles out", () => {
    expect(cleanAxes([{ name: " Size ", values: ["S", " S ", ""] }, { name: "", values: ["x"] }])).toEqual([
      { name: "Size", values: ["S"] },
    ]);
  });

  it("keeps ids and figures of variants that still exist", () => {
    const before = [draft("a", { Size: "S" }, 500), draft("b", { Size: "M" }, 600)];
    const after = reconcile([{ name: "Size", values: ["M", "S", "L"] }], before, mintId);
    expect(after.map((one) => one.id).slice(0, 2)).toEqual(["b", "a"]);
    expect(after.map((one) => one.priceAmount)).toEqual([600, 500, 500]);
    expect(new Set(after.map((one) => one.id)).size).toBe(3);
  });

  it("refines a variant when an axis is added: prices spread, the id is used once", () => {
    const before = [draft("a", { Size: "S" }, 500)];
    const axes = [
      { name: "Size", values: ["S"] },
      { name: "Colour", values: ["red", "blue"] },
    ];
    const after = reconcile(axes, before, mintId);
    expect(after.map((one) => one.priceAmount)).toEqual([500, 500]);
    expect(after[0]?.id).toBe("a");
    expect(after[1]?.id).not.toBe("a");
  });
});
