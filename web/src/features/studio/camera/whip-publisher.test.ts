import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { h264First, withStartBitrate } from "@/shared/video/peer";
import { RateMeter } from "@/shared/video/rate-meter";
import { type PublishState, WhipPublisher } from "./whip-publisher";

/** A peer that gathers at once and connects when told. */
class Peer {
  connectionState: RTCPeerConnectionState = "new";
  iceGatheringState = "complete";
  localDescription: { sdp: string } | null = null;
  remote: string | null = null;
  closed = false;
  onconnectionstatechange: (() => void) | null = null;
  added: { track: { kind: string }; init: RTCRtpTransceiverInit }[] = [];
  addTransceiver(track: { kind: string }, init: RTCRtpTransceiverInit) {
    this.added.push({ track, init });
    return {};
  }
  createOffer = async () => ({ type: "offer", sdp: "offer" });
  setLocalDescription = async (description: { sdp: string }) => { this.localDescription = description; };
  setRemoteDescription = async (description: { sdp: string }) => { this.remote = description.sdp; };
  getSenders = () => [];
  getStats = async () => new Map();
  addEventListener() { /* gathered already */ }
  close() { this.closed = true; }
  become(state: RTCPeerConnectionState) {
    this.connectionState = state;
    this.onconnectionstatechange?.();
  }
}

const stream = { getTracks: () => [{ kind: "video", contentHint: "" }, { kind: "audio", contentHint: "" }] } as unknown as MediaStream;
const answer = (status: number) =>
  new Response(status === 201 ? "answer" : "no", { status, headers: status === 201 ? { Location: "/media/s/whip/7" } : {} });

function studio(statuses: number[]) {
  const peers: Peer[] = [];
  const states: PublishState[] = [];
  const calls: { url: string; init: RequestInit }[] = [];
  const publisher = new WhipPublisher({
    endpoint: "http://media.test/media/s/whip",
    token: "secret",
    onState: (state) => states.push(state),
    createPeer: () => {
      const peer = new Peer();
      peers.push(peer);
      return peer as unknown as RTCPeerConnection;
    },
    fetch: (async (url: string, init: RequestInit) => {
      calls.push({ url, init });
      return init.method === "DELETE" ? new Response(null, { status: 200 }) : answer(statuses.shift() ?? 201);
    }) as typeof fetch,
  });
  return { publisher, peers, states, calls, phases: () => states.map((state) => state.phase) };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe("broadcasting from the browser", () => {
  beforeEach(() => { vi.useFakeTimers(); });
  afterEach(() => { vi.useRealTimers(); });

  it("offers with the key, goes live, and takes the resource down when it stops", async () => {
    const { publisher, peers, calls, phases } = studio([201]);
    publisher.start(stream);
    await settle();
    peers[0]?.become("connected");
    expect(phases()).toEqual(["connecting", "live"]);
    expect(calls[0]?.init.headers).toMatchObject({ Authorization: "Bearer secret", "Content-Type": "application/sdp" });
    expect(peers[0]?.added[0]?.init.sendEncodings?.[0]?.maxBitrate).toBe(2_500_000);
    await publisher.stop();
    expect(calls.at(-1)).toMatchObject({ url: "http://media.test/media/s/whip/7", init: { method: "DELETE" } });
    expect(peers[0]?.closed).toBe(true);
    expect(phases().at(-1)).toBe("idle");
  });

  it("dials again with growing pauses while the server cannot be reached", async () => {
    const { publisher, phases, calls } = studio([503, 503, 201]);
    publisher.start(stream);
    await settle();
    expect(phases()).toEqual(["connecting", "reconnecting"]);
    await vi.advanceTimersByTimeAsync(1000);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1999);
    expect(calls).toHaveLength(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(calls).toHaveLength(3);
  });

  it("does not insist when the key is refused", async () => {
    const { publisher, states, calls } = studio([401]);
    publisher.start(stream);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(calls).toHaveLength(1);
    expect(states.at(-1)).toEqual({ phase: "failed", problem: "refused" });
  });

  it("waits a moment before it calls a silent connection lost, then comes back by itself", async () => {
    const { publisher, peers, phases } = studio([201, 201]);
    publisher.start(stream);
    await settle();
    peers[0]?.become("connected");
    peers[0]?.become("disconnected");
    await vi.advanceTimersByTimeAsync(3999);
    expect(phases().at(-1)).toBe("live");
    await vi.advanceTimersByTimeAsync(1);
    expect(phases().at(-1)).toBe("reconnecting");
    await vi.advanceTimersByTimeAsync(1000);
    peers[1]?.become("connected");
    expect(phases().at(-1)).toBe("live");
  });

  it("stays stopped when the answer comes after the stop", async () => {
    const { publisher, calls, phases } = studio([201]);
    publisher.start(stream);
    await publisher.stop();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(phases().at(-1)).toBe("idle");
    const posts = calls.filter((call) => call.init.method === "POST").length;
    const deletes = calls.filter((call) => call.init.method === "DELETE").length;
    expect(posts).toBe(deletes);
  });
});

describe("what goes over the wire", () => {
  it("puts constrained-baseline H.264 first and keeps the rest in order", () => {
    const codecs = [
      { mimeType: "video/VP8" },
      { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=0;profile-level-id=42e01f" },
      { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1;profile-level-id=4d001f" },
      { mimeType: "video/H264", sdpFmtpLine: "packetization-mode=1;profile-level-id=42e01f" },
    ];
    expect(h264First(codecs).map((codec) => codec.sdpFmtpLine ?? codec.mimeType)).toEqual([
      "packetization-mode=1;profile-level-id=42e01f",
      "packetization-mode=1;profile-level-id=4d001f",
      "packetization-mode=0;profile-level-id=42e01f",
      "video/VP8",
    ]);
  });

  it("asks the encoder to start at full rate", () => {
    expect(withStartBitrate("a=fmtp:102 packetization-mode=1\r\n", 2000)).toBe(
      "a=fmtp:102 packetization-mode=1;x-google-start-bitrate=2000\r\n",
    );
  });

  it("turns counters into rates", () => {
    const meter = new RateMeter();
    const at = (timestamp: number, bytesSent: number, keyFramesEncoded: number) =>
      new Map([["v", { type: "outbound-rtp", kind: "video", timestamp, bytesSent, keyFramesEncoded, framesPerSecond: 29.97 }]]) as unknown as RTCStatsReport;
    expect(meter.read(at(1000, 0, 1)).kilobitsPerSecond).toBeNull();
    expect(meter.read(at(2000, 250_000, 1)).kilobitsPerSecond).toBe(2000);
    const third = meter.read(at(5000, 1_000_000, 3));
    expect(third).toMatchObject({ kilobitsPerSecond: 2000, keyframeSeconds: 2, framesPerSecond: 30, limitedBy: "none" });
  });
});
