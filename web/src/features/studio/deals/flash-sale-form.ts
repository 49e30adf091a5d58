import type { Deal } from "@/shared/api/types";

/** The rules of the flash sale dialog; the server checks them again. Defaults and bounds are those of the domain. */

export const FLASH = {
  countdownSeconds: { min: 0, max: 300, value: 30 },
  durationMinutes: { min: 1, max: 20, value: 5 },
  perBuyer: { min: 1, max: 999, value: 1 },
  quotaMax: 100_000,
} as const;

export interface FlashSaleDraft {
  variantId: string;
  priceAmount: number | null;
  quota: number | null;
  /** How many of the quota can be bought at once; the rest is let go by "release more". */
  released: number | null;
  countdownSeconds: number | null;
  durationMinutes: number | null;
  perBuyer: number | null;
}

export type FlashSaleField = keyof FlashSaleDraft;
export type FlashSaleFault = "required" | "too-low" | "too-high" | "not-below-list" | "above-stock" | "above-quota";

/** The sale opens later than the host's countdown, because the slowest viewers must see it announced first. */
export const isStretched = (deal: Pick<Deal, "opens_at" | "fair_at">): boolean => !!deal.fair_at && Date.parse(deal.opens_at) === Date.parse(deal.fair_at);

export function newFlashSale(variantId: string, listAmount: number, available: number): FlashSaleDraft {
  const quota = Math.max(1, Math.min(50, available));
  return {
    variantId,
    priceAmount: suggestedPrice(listAmount),
    quota,
    released: quota,
    countdownSeconds: FLASH.countdownSeconds.value,
    durationMinutes: FLASH.durationMinutes.value,
    perBuyer: FLASH.perBuyer.value,
  };
}

/** A fifth off, rounded down to a price that reads well (…9 or …90 in minor units). */
export function suggestedPrice(listAmount: number): number {
  const target = Math.floor(listAmount * 0.8);
  if (target >= 1000) return Math.max(1, Math.floor(target / 100) * 100 - 10);
  return Math.max(1, target);
}

export function faults(
  draft: FlashSaleDraft,
  known: { listAmount: number; available: number },
): Partial<Record<FlashSaleField, FlashSaleFault>> {
  const found: Partial<Record<FlashSaleField, FlashSaleFault>> = {};
  const note = (field: FlashSaleField, fault: FlashSaleFault | null): void => {
    if (fault) found[field] = fault;
  };
  if (!draft.variantId) found.variantId = "required";
  note("priceAmount", between(draft.priceAmount, 1, Number.MAX_SAFE_INTEGER));
  if (draft.priceAmount !== null && draft.priceAmount >= known.listAmount) found.priceAmount = "not-below-list";
  note("quota", between(draft.quota, 1, FLASH.quotaMax));
  if (!found.quota && draft.quota !== null && draft.quota > known.available) found.quota = "above-stock";
  note("released", between(draft.released, 0, FLASH.quotaMax));
  if (!found.released && draft.released !== null && draft.quota !== null && draft.released > draft.quota) {
    found.released = "above-quota";
  }
  note("countdownSeconds", between(draft.countdownSeconds, FLASH.countdownSeconds.min, FLASH.countdownSeconds.max));
  note("durationMinutes", between(draft.durationMinutes, FLASH.durationMinutes.min, FLASH.durationMinutes.max));
  note("perBuyer", between(draft.perBuyer, FLASH.perBuyer.min, FLASH.perBuyer.max));
  return found;
}

function between(value: number | null, min: number, max: number): FlashSaleFault | null {
  if (value === null || !Number.isInteger(value)) return "required";
  if (value < min) return "too-low";
  return value > max ? "too-high" : null;
}

export function requestOf(draft: FlashSaleDraft, id: string, listingId: string) {
  return {
    id,
    listing_id: listingId,
    variant_id: draft.variantId,
    price_amount: draft.priceAmount ?? 0,
    quota: draft.quota ?? 0,
    released: draft.released ?? draft.quota ?? 0,
    countdown_seconds: draft.countdownSeconds ?? FLASH.countdownSeconds.value,
    duration_seconds: (draft.durationMinutes ?? FLASH.durationMinutes.value) * 60,
    per_buyer: draft.perBuyer ?? FLASH.perBuyer.value,
  };
}
