import { describe, expect, it } from "vitest";

import { EdgeClock } from "../src/shared/video/edge-clock";

const T = 1_800_000_000_000;

describe("the time of a playlist's end", () => {
  it("is within the second in which the file was written, and before it was read", () => {
    const clock = new EdgeClock();
    expect(clock.at(0)).toBeNull();
    clock.saw(10, T + 10_300, T + 10_000);
    expect(clock.at(10)).toBe(T + 10_150);
    expect(clock.at(4)).toBe(T + 4150);
  });

  it("gets better with every reload", () => {
    const clock = new EdgeClock();
    clock.saw(10, T + 12_000, T + 10_000);
    expect(clock.at(10)).toBe(T + 10_500);
    clock.saw(12.4, T + 14_000, T + 12_000); // written at 12.4 … 13: the origin is between 0 and 0.6 s
    expect(clock.at(10)).toBe(T + 10_300);
    clock.saw(12.4, T + 20_000, T + 12_000); // the same list again says nothing new
    expect(clock.at(10)).toBe(T + 10_300);
  });

  it("begins anew when the encoder was away", () => {
    const clock = new EdgeClock();
    clock.saw(10, T + 10_300, T + 10_000);
    clock.saw(12, T + 42_300, T + 42_000);
    expect(clock.at(12)).toBe(T + 42_150);
  });

  it("does not believe a server whose clock is ahead, and makes do without one that says nothing", () => {
    const ahead = new EdgeClock();
    ahead.saw(10, T + 10_300, T + 99_000);
    expect(ahead.at(10)).toBe(T + 9600);
    const silent = new EdgeClock();
    silent.saw(10, T + 10_300, null);
    expect(silent.at(10)).toBe(T + 9600);
  });
});
