import { describe, expect, it } from "vitest";

import { areaPath, linePath, niceMax, plotOf, soldWhilePinned } from "./plot-geometry";

const box = { width: 300, height: 100, left: 10, right: 10, top: 10, bottom: 10 };
const minute = (at: string, viewers: number, money = 0, paid = 0) => ({
  at,
  viewers,
  orders: paid,
  paid_orders: paid,
  money_amount: money,
});

describe("the per-minute plot", () => {
  it("rounds the top of the scale up", () => {
    expect([0, 4, 5, 11, 21, 60, 100, 101].map(niceMax)).toEqual([4, 4, 5, 20, 50, 100, 100, 200]);
  });

  it("spans five minutes from the start, however young the show is", () => {
    const plot = plotOf([minute("2026-01-01T10:00:00Z", 3)], box, 0);
    expect(plot.to - plot.from).toBe(300_000);
    expect(plot.x(plot.from)).toBe(10);
    expect(plot.x(plot.to)).toBe(290);
  });

  it("puts nothing on the floor and the most at the top", () => {
    const plot = plotOf([minute("2026-01-01T10:00:00Z", 100)], box, 0);
    expect(plot.viewerY(0)).toBe(90);
    expect(plot.viewerY(100)).toBe(10);
  });

  it("draws a line and closes an area to the floor", () => {
    expect(linePath([[0, 1], [2, 3]])).toBe("M0.0 1.0 L2.0 3.0");
    expect(areaPath([[0, 1], [2, 3]], 9)).toBe("M0.0 1.0 L2.0 3.0 L2.0 9.0 L0.0 9.0 Z");
    expect(areaPath([], 9)).toBe("");
  });

  it("shares a minute's money by how much of it the pin covers", () => {
    const minutes = [minute("2026-01-01T10:00:00Z", 5, 600, 6), minute("2026-01-01T10:01:00Z", 5, 1000, 10)];
    const pin = {
      id: "p",
      listing_id: "l",
      stream_at: "2026-01-01T10:00:30Z",
      ended_stream_at: "2026-01-01T10:02:00Z",
    };
    expect(soldWhilePinned(minutes, [pin], 0).get("l")).toEqual({ seconds: 90, orders: 13, money: 1300 });
  });
});
