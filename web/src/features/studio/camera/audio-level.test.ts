import { describe, expect, it } from "vitest";

import { loudness } from "./audio-level";
import { cameraProblem } from "./media-errors";

describe("the microphone meter", () => {
  it("reads silence as nothing and a full wave as everything", () => {
    expect(loudness([0, 0, 0])).toBe(0);
    expect(loudness([])).toBe(0);
    expect(loudness([1, -1, 1, -1])).toBe(1);
  });

  it("grows with the sound", () => {
    expect(loudness([0.01, -0.01])).toBeCloseTo(1 / 3, 5);
    expect(loudness([0.1, -0.1])).toBeCloseTo(2 / 3, 5);
  });
});

describe("why there is no camera", () => {
  const named = (name: string) => cameraProblem(Object.assign(new Error(), { name }));
  it("names the reason so that the page can say what to do", () => {
    expect(named("NotAllowedError")).toBe("denied");
    expect(named("NotReadableError")).toBe("in-use");
    expect(named("NotFoundError")).toBe("missing");
    expect(named("InsecureContext")).toBe("insecure");
    expect(cameraProblem("?")).toBe("unknown");
  });
});
