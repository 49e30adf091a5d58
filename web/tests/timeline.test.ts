import { describe, expect, it } from "vitest";

import type { Deal, Pin } from "@/shared/api/types";
import { AT_ONCE, dealAt, dealPhase, pinAt } from "@/features/room/timeline";

const T = Date.parse("2026-01-01T12:00:00Z");
const at = (seconds: number) => new Date(T + seconds * 1000).toISOString();
const pin = (id: string, from: number, to: number | null, primary = true): Pin =>
  ({ id, listing_id: id, stream_at: at(from), ended_stream_at: to === null ? null : at(to), primary });
const deal = (part: Partial<Deal> = {}) => ({
  id: "d", state: "running", announced_at: at(0), announced_stream_at: at(2), opens_at: at(10), closes_at: at(100), left: 3, ...part,
}) as Deal;

describe("the pinned card", () => {
  const pins = [pin("a", 0, 10), pin("b", 10, null)];
  it("belongs to the picture on this screen, not to the moment the news came", () => {
    expect(pinAt(pins, T - 1)).toBeNull();
    expect(pinAt(pins, T + 9_999)?.id).toBe("a");
    expect(pinAt(pins, T + 10_000)?.id).toBe("b");
  });
  it("is shown at once where the picture carries no time, but not after it ended", () => {
    expect(pinAt(pins, AT_ONCE)?.id).toBe("b");
    expect(pinAt([pin("a", 0, 10)], AT_ONCE)).toBeNull();
  });
  it("is the primary one", () => {
    expect(pinAt([pin("a", 0, null), pin("second", 5, null, false)], T + 6000)?.id).toBe("a");
  });
});

describe("a flash sale", () => {
  it("appears with its announcement in the picture and goes at the server's closing time", () => {
    expect(dealAt([deal()], T + 1999, T)).toBeNull();
    expect(dealAt([deal()], T + 2000, T)?.id).toBe("d");
    expect(dealAt([deal()], T + 2000, T + 100_000)).toBeNull();
    expect(dealAt([deal({ state: "cancelled" })], AT_ONCE, T)).toBeNull();
  });
  it("appears at the opening at the latest, however late the picture is", () => {
    expect(dealAt([deal()], T - 30_000, T + 9_999)).toBeNull();
    expect(dealAt([deal()], T - 30_000, T + 10_000)?.id).toBe("d");
  });
  it("opens by the server's clock even when the news of it is late", () => {
    expect(dealPhase(deal({ state: "countdown" }), T + 9_999)).toBe("countdown");
    expect(dealPhase(deal({ state: "countdown" }), T + 10_000)).toBe("open");
  });
  it("is sold out at none left and on sale again when one comes back", () => {
    expect(dealPhase(deal({ left: 0 }), T + 20_000)).toBe("gone");
    expect(dealPhase(deal({ left: 1 }), T + 20_000)).toBe("open");
    expect(dealPhase(deal({ left: 1 }), T + 100_000)).toBe("over");
  });
});
