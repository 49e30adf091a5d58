import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { ServerClock, whenReached } from "@/shared/lib/clock";
import { newId } from "@/shared/lib/ids";

const at = (ms: number) => new Date(ms).toISOString();

/** A device whose own clock is wrong by hours, and a network to the server. */
function device(wrongBy: number) {
  const world = { real: 1_000_000_000_000 };
  const clock = new ServerClock(() => world.real - 999_999_000_000, () => world.real + wrongBy);
  const ping = (there: number, back: number) => {
    const sent = clock.local();
    world.real += there;
    const said = at(world.real);
    world.real += back;
    clock.answered(sent, said);
  };
  return { world, clock, ping };
}

describe("the server's clock", () => {
  it.each([-7 * 3_600_000, 0, 26 * 3_600_000])("does not care that the device is wrong by %d ms", (wrongBy) => {
    const { world, clock, ping } = device(wrongBy);
    expect(clock.now() - world.real).toBe(wrongBy);
    clock.hear(at(world.real - 80));
    expect(clock.now()).toBe(world.real - 80);
    ping(12, 12);
    expect(clock.now()).toBe(world.real);
    world.real += 90_000;
    expect(clock.now()).toBe(world.real);
  });
  it("believes the quickest of several pings, and says by how much it may be wrong", () => {
    const { world, clock, ping } = device(0);
    ping(900, 20);
    expect(clock.now() - world.real).not.toBe(0);
    ping(10, 14);
    ping(40, 700);
    expect(Math.abs(clock.now() - world.real)).toBeLessThanOrEqual(2);
    expect(clock.uncertainty()).toBe(12);
  });
  it("is never further off than it says, whatever the network does", () => {
    for (let there = 0; there <= 400; there += 40) for (let back = 0; back <= 400; back += 40) {
      const { world, clock, ping } = device(3_600_000);
      ping(there, back);
      ping(back, there);
      expect(Math.abs(clock.now() - world.real)).toBeLessThanOrEqual((clock.uncertainty() ?? 0) + 1);
    }
  });
  it("begins anew after the device slept through its own clock", () => {
    const { world, ping } = device(0);
    let slept = 0;
    const clock = new ServerClock(() => world.real - 999_999_000_000 - slept, () => 0);
    const sent = clock.local();
    world.real += 10;
    clock.answered(sent, at(world.real - 5));
    slept = 40_000;
    world.real += 40_000;
    const later = clock.local();
    world.real += 100;
    clock.answered(later, at(world.real - 50));
    expect(clock.now()).toBe(world.real);
    ping(1, 1);
  });
  it("forgets estimates of long ago, since clocks drift", () => {
    const { world, clock, ping } = device(0);
    ping(1, 1);
    world.real += 6 * 60_000;
    ping(30, 30);
    expect(clock.uncertainty()).toBe(30);
  });
  it("trusts of times merely heard the largest, as a delay can only make the server look earlier", () => {
    const { world, clock } = device(0);
    for (const late of [800, 40, 2500]) clock.hear(at(world.real - late));
    expect(clock.now()).toBe(world.real - 40);
  });
  it("does not mind nonsense", () => {
    const { world, clock } = device(5);
    clock.hear("soon");
    clock.answered(clock.local() + 10, at(0));
    clock.answered(clock.local(), "then");
    expect(clock.now()).toBe(world.real + 5);
  });
});

describe("a moment by the server's clock", () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });
  it("is reached to the millisecond, also when the estimate moves on the way", async () => {
    const start = Date.now();
    let wrong = 0;
    const reached = vi.fn();
    whenReached(start + 2000, reached, { now: () => Date.now() + wrong });
    await vi.advanceTimersByTimeAsync(1000);
    wrong = 300;
    await vi.advanceTimersByTimeAsync(699);
    expect(reached).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(reached).toHaveBeenCalledOnce();
  });
  it("can be called off", async () => {
    const reached = vi.fn();
    whenReached(Date.now() + 50, reached, { now: () => Date.now() })();
    await vi.advanceTimersByTimeAsync(1000);
    expect(reached).not.toHaveBeenCalled();
  });
});

describe("ids", () => {
  it("are version 7, unique, and sort by time", () => {
    const early = newId(1_700_000_000_000);
    const late = newId(1_700_000_000_001);
    expect(early).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(early < late).toBe(true);
    expect(new Set(Array.from({ length: 500 }, () => newId(1))).size).toBe(500);
  });
});
