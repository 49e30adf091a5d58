import { describe, expect, it } from "vitest";

import type { Order } from "@/shared/api/types";
import { boardOf } from "./board-numbers";

const now = new Date(2026, 10, 22, 15);
const at = (day: number, hour: number) => new Date(2026, 10, day, hour).toISOString();
const order = (id: string, state: Order["state"], paid_at: string | null, amount = 1000): Order => ({
  id, number: id, state, show_id: null, seller: { id: "s", name: "s" }, lines: [], total: { amount, currency: "CNY" }, address: null, placed_at: at(22, 8),
  expires_at: null, paid_at, cancelled_at: null, cancel_reason: null, payment: null, waterfall: [], history: [],
});

describe("the seller's board", () => {
  it("counts what was paid today and lists what waits longest first", () => {
    const board = boardOf([
      order("late", "paid", at(22, 14)), order("early", "paid", at(21, 9), 500), order("open", "placed", null), order("back", "refunded", at(22, 10)),
    ], "CNY", now);
    expect(board.toShip.map((one) => one.id)).toEqual(["early", "late"]);
    expect(board).toMatchObject({ paidToday: 1, moneyToday: { amount: 1000, currency: "CNY" }, open: 1 });
  });
});
