import { describe, expect, it } from "vitest";

import type { ShowCard } from "@/shared/api/types";
import { dayOf, localInput, nextGoodHour, sortShows, weeksOf } from "./calendar";

const show = (id: string, change: Partial<ShowCard>): ShowCard => ({
  id, title: id, state: "scheduled", creator: { id: "c", name: "c", avatar_url: null }, viewers: 0, likes: 0, planned_at: null,
  started_at: null, ended_at: null, poster_url: null, preview_url: null, playback: null, live_url: null, pinned: null, ...change,
});

describe("the studio's calendar", () => {
  it("covers a month with whole weeks from Monday", () => {
    const weeks = weeksOf(2026, 10);
    expect(weeks[0]?.[0]).toBe("2026-10-26");
    expect(weeks.at(-1)?.at(-1)).toBe("2026-12-06");
    expect(weeks.every((week) => week.length === 7)).toBe(true);
    expect(weeksOf(2027, 1).flat()).toHaveLength(28);
  });

  it("puts every show on its shelf, soonest plan and newest past first", () => {
    const later = new Date(2026, 10, 24, 9).toISOString();
    const sooner = new Date(2026, 10, 23, 20).toISOString();
    const shelves = sortShows([
      show("later", { planned_at: later }), show("sooner", { planned_at: sooner }), show("live", { state: "live" }),
      show("old", { state: "replay", started_at: "2026-01-01T00:00:00Z" }), show("new", { state: "ended", started_at: "2026-02-01T00:00:00Z" }),
      show("draft", { state: "draft" }),
    ]);
    expect(shelves.running.map((one) => one.id)).toEqual(["live"]);
    expect(shelves.planned.map((day) => day.day)).toEqual(["2026-11-23", "2026-11-24"]);
    expect(shelves.past.map((one) => one.id)).toEqual(["new", "old"]);
    expect(shelves.drafts.map((one) => one.id)).toEqual(["draft"]);
  });

  it("offers a full hour that can still be kept", () => {
    expect(nextGoodHour(new Date(2026, 0, 1, 10, 10)).getHours()).toBe(11);
    expect(nextGoodHour(new Date(2026, 0, 1, 10, 40)).getHours()).toBe(12);
    expect(localInput(new Date(2026, 0, 5, 9, 3))).toBe("2026-01-05T09:03");
    expect(dayOf(new Date(2026, 0, 5, 23, 59))).toBe("2026-01-05");
  });
});
