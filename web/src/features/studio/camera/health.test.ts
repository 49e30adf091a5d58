import { describe, expect, it } from "vitest";

import { findings, verdict } from "./health";
import type { PictureStats } from "@/shared/video/rate-meter";

const fine: PictureStats = {
  kilobitsPerSecond: 2400, framesPerSecond: 30, width: 1280, height: 720, keyframeSeconds: 2, roundTripMs: 20, lossPercent: 0, limitedBy: "none",
};

describe("the health of the picture", () => {
  it("is good when nothing is wrong and unknown when nothing is known", () => {
    expect(verdict(fine)).toBe("good");
    expect(verdict(null)).toBe("unknown");
  });

  it("names what to mend", () => {
    expect(findings({ ...fine, keyframeSeconds: 10, framesPerSecond: 12 })).toEqual(["slow-frames", "rare-keyframes"]);
    expect(findings({ ...fine, limitedBy: "cpu", kilobitsPerSecond: 200 })).toEqual(["cpu", "thin"]);
    expect(verdict({ ...fine, limitedBy: "bandwidth" })).toBe("watch");
  });

  it("is bad when much of the picture is lost on the way", () => {
    expect(verdict({ ...fine, lossPercent: 12 })).toBe("bad");
  });
});
