import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { placeAtOpening } from "@/features/checkout/at-opening";
import { ApiError } from "@/shared/api/client";
import type { Deal, Order } from "@/shared/api/types";

const clock = { now: () => Date.now() };
const order = { id: "o" } as Order;
const refusal = (code: string) => new ApiError({ title: code, status: 409, detail: "", code });
const deal = (inMs: number) => ({ opens_at: new Date(Date.now() + inMs).toISOString() }) as Deal;

beforeEach(() => { vi.useFakeTimers(); });
afterEach(() => { vi.useRealTimers(); });

describe("a tap shortly before the opening", () => {
  it("is sent at the opening, not before and not later", async () => {
    const place = vi.fn().mockResolvedValue(order);
    const placed = placeAtOpening(deal(150), place, clock);
    await vi.advanceTimersByTimeAsync(149);
    expect(place).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(place).toHaveBeenCalledOnce();
    await expect(placed).resolves.toBe(order);
  });

  it("is sent again when the server's clock was a little behind", async () => {
    const place = vi.fn().mockRejectedValueOnce(refusal("deal-not-open")).mockRejectedValueOnce(refusal("deal-not-open")).mockResolvedValue(order);
    const placed = placeAtOpening(deal(0), place, clock);
    await vi.advanceTimersByTimeAsync(100);
    await expect(placed).resolves.toBe(order);
    expect(place).toHaveBeenCalledTimes(3);
  });

  it("does not knock for ever, and not at all when the refusal is another", async () => {
    const shut = vi.fn().mockRejectedValue(refusal("deal-not-open"));
    const first = expect(placeAtOpening(deal(0), shut, clock)).rejects.toThrow();
    await vi.advanceTimersByTimeAsync(5000);
    await first;
    expect(shut.mock.calls.length).toBeLessThanOrEqual(13);
    const gone = vi.fn().mockRejectedValue(refusal("sold-out"));
    await expect(placeAtOpening(undefined, gone, clock)).rejects.toThrow();
    expect(gone).toHaveBeenCalledOnce();
  });
});
