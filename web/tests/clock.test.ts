import { describe, expect, it } from "vitest";

import { ServerClock } from "@/shared/lib/clock";
import { newId } from "@/shared/lib/ids";

const at = (ms: number) => new Date(ms).toISOString();

describe("the server's clock", () => {
  it("follows the server when the device is an hour off", () => {
    const clock = new ServerClock(() => 1_000_000);
    clock.sample(at(4_600_000));
    expect(clock.now()).toBe(4_600_000);
  });
  it("trusts the quickest sample: a delay can only make the server look earlier", () => {
    const clock = new ServerClock(() => 10_000);
    clock.sample(at(10_000 - 800));
    clock.sample(at(10_000 - 40));
    clock.sample(at(10_000 - 2500));
    expect(clock.now()).toBe(10_000 - 40);
  });
  it("does not mind nonsense", () => {
    const clock = new ServerClock(() => 5);
    clock.sample("soon");
    expect(clock.now()).toBe(5);
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
