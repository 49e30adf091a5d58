import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

import type { LiveEvent, Snapshot } from "@/shared/api/types";
import { applyFrame, applyTotals, isGap } from "@/shared/live/reduce";

/** The same files that the server's own reducer is held to: a stale snapshot and the events since are the fresh snapshot. */
interface Golden { snapshot_before: Snapshot; events: LiveEvent[]; snapshot_after: Snapshot }
const FOLDER = "../tests/events";
const files = readdirSync(FOLDER).filter((name) => name.endsWith(".json"));
const read = (name: string) => JSON.parse(readFileSync(join(FOLDER, name), "utf8")) as Golden;
const frame = (events: LiveEvent[]) => ({ type: "events" as const, from: events[0]?.seq, to: events.at(-1)?.seq, events });

it("there are golden files", () => expect(files.length).toBeGreaterThanOrEqual(10));

describe.each(files)("%s", (name) => {
  const golden = read(name);
  it("becomes the fresh snapshot in one frame", () => {
    expect(applyFrame(golden.snapshot_before, frame(golden.events))).toEqual(golden.snapshot_after);
  });
  it("becomes the fresh snapshot event by event", () => {
    const state = golden.events.reduce((last, event) => applyFrame(last, frame([event])), golden.snapshot_before);
    expect(state).toEqual(golden.snapshot_after);
  });
  it("is not changed by hearing it all again, nor is the old snapshot", () => {
    const before = structuredClone(golden.snapshot_before);
    const once = applyFrame(golden.snapshot_before, frame(golden.events));
    expect(applyFrame(once, frame(golden.events))).toEqual(golden.snapshot_after);
    expect(golden.snapshot_before).toEqual(before);
  });
});

describe("totals", () => {
  const { snapshot_before: before } = read("flash_sale_from_countdown_to_end.json");
  it("replace what they name and leave the rest", () => {
    const after = applyTotals(before, { viewers: 99, stock: { extra: 4 } });
    expect(after.totals).toEqual({ ...before.totals, viewers: 99, stock: { ...before.totals.stock, extra: 4 } });
  });
  it("carry into the deal they speak of", () => {
    const deal = read("flash_sale_from_countdown_to_end.json").snapshot_after.deals[0];
    const state = { ...before, deals: deal ? [deal] : [] };
    const after = applyTotals(state, { deals: { [deal?.id ?? ""]: { left: 7, sold: 1, released: 8 } } });
    expect(after.deals[0]).toMatchObject({ left: 7, sold: 1, released: 8 });
  });
});

it("a gap is a first number beyond the next one; chat left out inside a frame is none", () => {
  const gap = (from: number | undefined) => isGap(10, { type: "events", from, to: 20, events: [] });
  expect(gap(11)).toBe(false);
  expect(gap(4)).toBe(false);
  expect(gap(undefined)).toBe(false);
  expect(gap(12)).toBe(true);
});
