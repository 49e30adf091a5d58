/** What one end of the picture's connection measures, once a second. Null: not known (yet). */
export interface PictureStats {
  kilobitsPerSecond: number | null;
  framesPerSecond: number | null;
  width: number | null;
  height: number | null;
  keyframeSeconds: number | null;
  roundTripMs: number | null;
  lossPercent: number | null;
  limitedBy: "none" | "cpu" | "bandwidth" | "other";
}

type Entry = Record<string, unknown>;

/** Turns cumulative WebRTC counters into rates, at the sending or at the receiving end. */
export class RateMeter {
  private last: { at: number; bytes: number } | null = null;
  private keyframes: { at: number; count: number }[] = [];

  read(report: RTCStatsReport): PictureStats {
    let own: Entry = {};
    let remote: Entry = {};
    report.forEach((entry: Entry) => {
      if (entry.kind !== "video") return;
      if (entry.type === "outbound-rtp" || entry.type === "inbound-rtp") own = entry;
      if (entry.type === "remote-inbound-rtp") remote = entry;
    });
    return this.combine(own, remote);
  }

  private combine(own: Entry, remote: Entry): PictureStats {
    const at = number(own.timestamp);
    const bytes = number(own.bytesSent) ?? number(own.bytesReceived);
    let kilobitsPerSecond: number | null = null;
    if (at !== null && bytes !== null) {
      if (this.last && at > this.last.at) {
        kilobitsPerSecond = Math.round(((bytes - this.last.bytes) * 8) / (at - this.last.at));
      }
      this.last = { at, bytes };
    }
    const roundTrip = number(remote.roundTripTime);
    const loss = number(remote.fractionLost);
    const fps = number(own.framesPerSecond);
    return {
      kilobitsPerSecond,
      framesPerSecond: fps === null ? null : Math.round(fps),
      width: number(own.frameWidth),
      height: number(own.frameHeight),
      keyframeSeconds: this.keyframeSeconds(at, number(own.keyFramesEncoded) ?? number(own.keyFramesDecoded)),
      roundTripMs: roundTrip === null ? null : Math.round(roundTrip * 1000),
      lossPercent: loss === null ? null : Math.round(loss * 1000) / 10,
      limitedBy: limitation(own.qualityLimitationReason),
    };
  }

  private keyframeSeconds(at: number | null, count: number | null): number | null {
    if (at === null || count === null) return null;
    this.keyframes.push({ at, count });
    if (this.keyframes.length > 20) this.keyframes.shift();
    const first = this.keyframes[0];
    if (!first || count <= first.count) return null;
    return Math.round((at - first.at) / (count - first.count) / 100) / 10;
  }
}

function number(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

function limitation(value: unknown): PictureStats["limitedBy"] {
  return value === "cpu" || value === "bandwidth" || value === "other" ? value : "none";
}
