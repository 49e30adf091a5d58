import { describe, expect, it } from "vitest";

import { faults, isStretched, newFlashSale, requestOf, suggestedPrice } from "./flash-sale-form";

const known = { listAmount: 5900, available: 40 };

describe("the flash sale dialog", () => {
  it("opens with the defaults of the domain and never offers more than there is", () => {
    const draft = newFlashSale("v", 5900, 40);
    expect(draft).toMatchObject({ quota: 40, released: 40, countdownSeconds: 30, durationMinutes: 5, perBuyer: 1 });
    expect(faults(draft, known)).toEqual({});
  });

  it("asks for a price below the list price", () => {
    const draft = { ...newFlashSale("v", 5900, 40), priceAmount: 5900 };
    expect(faults(draft, known)).toEqual({ priceAmount: "not-below-list" });
  });

  it("refuses a quota above the stock and a release above the quota", () => {
    const draft = { ...newFlashSale("v", 5900, 40), quota: 41, released: 42 };
    expect(faults(draft, known)).toEqual({ quota: "above-stock", released: "above-quota" });
  });

  it("keeps countdown, duration and limit inside their bounds", () => {
    const draft = { ...newFlashSale("v", 5900, 40), countdownSeconds: 301, durationMinutes: 21, perBuyer: null };
    expect(faults(draft, known)).toEqual({
      countdownSeconds: "too-high",
      durationMinutes: "too-high",
      perBuyer: "required",
    });
  });

  it("speaks seconds to the server", () => {
    const body = requestOf(newFlashSale("v", 5900, 40), "id", "listing");
    expect(body).toMatchObject({ duration_seconds: 300, countdown_seconds: 30, quota: 40, released: 40 });
  });

  it("lets a host ask for no countdown, and knows when fairness decides", () => {
    expect(faults({ ...newFlashSale("v", 5900, 40), countdownSeconds: 0 }, known)).toEqual({});
    const fair_at = "2026-01-01T12:00:03.400000Z";
    expect(isStretched({ opens_at: "2026-01-01T12:00:03.400Z", fair_at })).toBe(true);
    expect(isStretched({ opens_at: "2026-01-01T12:00:30Z", fair_at })).toBe(false);
    expect(isStretched({ opens_at: "2026-01-01T12:00:30Z", fair_at: null })).toBe(false);
  });

  it("suggests a price that stays above nothing", () => {
    expect(suggestedPrice(5900)).toBe(4690);
    expect(suggestedPrice(1)).toBe(1);
    expect(suggestedPrice(900)).toBe(720);
  });
});
