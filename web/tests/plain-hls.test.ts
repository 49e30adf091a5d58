import { describe, expect, it } from "vitest";

import type { Playback } from "../src/shared/api/types";
import { estimatedAt, plainConfig } from "../src/shared/video/plain-hls";

const plain: Playback = {
  hls_url: "https://v.example/hls/a.m3u8", whep_url: null, mode: "default", part_seconds: 0, target_latency_seconds: 3,
  kind: "live", edge_delay_seconds: 0.6, gap_seconds: 0,
};
const parts: Playback = { ...plain, part_seconds: 0.5, target_latency_seconds: 1.5, edge_delay_seconds: null };

describe("HLS without parts", () => {
  it("is followed three segments behind its end", () => {
    expect(plainConfig(plain)).toEqual({ lowLatencyMode: false, liveSyncDurationCount: 3 });
  });

  it("leaves everything else to the playlist", () => {
    expect(plainConfig(parts)).toEqual({});
    expect(plainConfig({ ...plain, kind: "replay" })).toEqual({});
  });
});

describe("stream time where the playlist says none", () => {
  it("is when the picture was written, less the way from the camera", () => {
    expect(estimatedAt(plain, 1_000_000)).toBe(1_000_000 - 600);
  });

  it("is not made up before anything plays, nor where the playlist says it, nor in a replay", () => {
    expect(estimatedAt(plain, null)).toBeNull();
    expect(estimatedAt(parts, 1_000_000)).toBeNull();
    expect(estimatedAt({ ...plain, kind: "replay" }, 1_000_000)).toBeNull();
  });
});
