/**
 * Sends one MediaStream to a WHIP endpoint (RFC 9725) and keeps it there.
 *
 * A lost connection is dialled again with growing pauses until `stop()`; a refused key is final, because dialling
 * again with the same key cannot help. All words for people live in the pages: this file only names problems.
 */

import { gathered, hinted, preferH264, withStartBitrate } from "@/shared/video/peer";
import { type PictureStats, RateMeter } from "@/shared/video/rate-meter";

export type PublishProblem = "refused" | "unreachable" | "lost" | "unsupported";

export type PublishState =
  | { phase: "idle" }
  | { phase: "connecting"; attempt: number }
  | { phase: "live"; since: number }
  | { phase: "reconnecting"; attempt: number; retryAt: number; problem: PublishProblem }
  | { phase: "failed"; problem: PublishProblem };

export interface WhipOptions {
  endpoint: string;
  token: string;
  maxKilobitsPerSecond?: number;
  onState: (state: PublishState) => void;
  onStats?: (stats: PictureStats) => void;
  /** Seams for tests. */
  fetch?: typeof fetch;
  createPeer?: () => RTCPeerConnection;
}

export const RETRY_SECONDS = [1, 2, 4, 8, 15] as const;
const STATS_EVERY_MS = 1000;
const DISCONNECTED_MS_MAX = 4000;
const MAX_KILOBITS_DEFAULT = 2500;
const START_KILOBITS = 2000;

class Refused extends Error {}
class Unsupported extends Error {}

export class WhipPublisher {
  private state: PublishState = { phase: "idle" };
  private peer: RTCPeerConnection | null = null;
  private resource: string | null = null;
  private stream: MediaStream | null = null;
  private attempt = 0;
  private generation = 0;
  private retryTimer: ReturnType<typeof setTimeout> | null = null;
  private lossTimer: ReturnType<typeof setTimeout> | null = null;
  private statsTimer: ReturnType<typeof setInterval> | null = null;
  private meter = new RateMeter();

  constructor(private readonly options: WhipOptions) {}

  start(stream: MediaStream): void {
    this.stream = stream;
    this.attempt = 0;
    void this.dial();
  }

  /** Another camera or microphone goes into the running broadcast without a new connection. */
  async replaceStream(stream: MediaStream): Promise<void> {
    this.stream = stream;
    const senders = this.peer?.getSenders() ?? [];
    await Promise.all(
      senders.map(async (sender) => {
        const kind = sender.track?.kind;
        const track = stream.getTracks().find((one) => one.kind === kind);
        if (track) await sender.replaceTrack(hinted(track));
      }),
    );
  }

  /** Ends the broadcast and tells the server, unless it knows (`told`): the show need not wait out its grace. */
  async stop(told = false): Promise<void> {
    this.generation += 1;
    this.clearTimers();
    const resource = this.resource;
    this.closePeer();
    this.move({ phase: "idle" });
    if (resource && !told) await this.deleteResource(resource);
  }

  private async dial(): Promise<void> {
    const generation = ++this.generation;
    this.clearTimers();
    this.closePeer();
    this.attempt += 1;
    this.move({ phase: "connecting", attempt: this.attempt });
    try {
      await this.negotiate(generation);
    } catch (error) {
      if (generation !== this.generation) return;
      if (error instanceof Refused) this.fail("refused");
      else if (error instanceof Unsupported) this.fail("unsupported");
      else this.retry("unreachable");
    }
  }

  private async negotiate(generation: number): Promise<void> {
    const peer = this.preparePeer(generation);
    await peer.setLocalDescription(await peer.createOffer());
    await gathered(peer);
    const answer = await this.post(peer.localDescription?.sdp ?? "");
    if (generation !== this.generation) {
      await this.deleteResource(answer.resource);
      return;
    }
    this.resource = answer.resource;
    await peer.setRemoteDescription({ type: "answer", sdp: withStartBitrate(answer.sdp, START_KILOBITS) });
  }

  private preparePeer(generation: number): RTCPeerConnection {
    const peer = this.options.createPeer?.() ?? new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.peer = peer;
    const maxBitrate = (this.options.maxKilobitsPerSecond ?? MAX_KILOBITS_DEFAULT) * 1000;
    for (const track of this.stream?.getTracks() ?? []) {
      const isVideo = track.kind === "video";
      const transceiver = peer.addTransceiver(hinted(track), {
        direction: "sendonly",
        ...(isVideo ? { sendEncodings: [{ maxBitrate, maxFramerate: 30 }] } : {}),
      });
      if (isVideo) preferH264(transceiver);
    }
    peer.onconnectionstatechange = () => {
      if (generation === this.generation) this.connectionChanged(peer);
    };
    return peer;
  }

  private connectionChanged(peer: RTCPeerConnection): void {
    if (this.lossTimer) clearTimeout(this.lossTimer);
    this.lossTimer = null;
    if (peer.connectionState === "connected") {
      this.attempt = 0;
      if (this.state.phase !== "live") this.move({ phase: "live", since: Date.now() });
      this.watchStats(peer);
    } else if (peer.connectionState === "failed" || peer.connectionState === "closed") {
      this.retry("lost");
    } else if (peer.connectionState === "disconnected") {
      // Often heals by itself (a change of network); only a lasting silence is a loss.
      this.lossTimer = setTimeout(() => this.retry("lost"), DISCONNECTED_MS_MAX);
    }
  }

  private retry(problem: PublishProblem): void {
    this.clearTimers();
    const resource = this.resource;
    this.closePeer();
    if (resource) void this.deleteResource(resource);
    const seconds = RETRY_SECONDS[Math.min(this.attempt, RETRY_SECONDS.length) - 1] ?? RETRY_SECONDS[0];
    this.move({
      phase: "reconnecting",
      attempt: Math.max(this.attempt, 1),
      retryAt: Date.now() + seconds * 1000,
      problem,
    });
    this.retryTimer = setTimeout(() => void this.dial(), seconds * 1000);
  }

  private fail(problem: PublishProblem): void {
    this.clearTimers();
    this.closePeer();
    this.move({ phase: "failed", problem });
  }

  private async post(offer: string): Promise<{ sdp: string; resource: string | null }> {
    const response = await this.fetch(this.options.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/sdp", Authorization: `Bearer ${this.options.token}` },
      body: offer,
    });
    if ([400, 406, 415, 422].includes(response.status)) throw new Unsupported();
    if ([401, 403, 404].includes(response.status)) throw new Refused();
    if (!response.ok) throw new Error(`WHIP answered ${response.status}`);
    const location = response.headers.get("Location");
    const resource = location ? new URL(location, this.options.endpoint).href : this.options.endpoint;
    return { sdp: await response.text(), resource };
  }

  private async deleteResource(resource: string | null): Promise<void> {
    if (!resource) return;
    await this.fetch(resource, {
      method: "DELETE",
      headers: { Authorization: `Bearer ${this.options.token}` },
      keepalive: true,
    }).catch(() => undefined);
  }

  private get fetch(): typeof fetch {
    return this.options.fetch ?? fetch.bind(globalThis);
  }

  private watchStats(peer: RTCPeerConnection): void {
    if (!this.options.onStats || this.statsTimer) return;
    this.meter = new RateMeter();
    this.statsTimer = setInterval(() => {
      void peer.getStats().then(
        (report) => this.options.onStats?.(this.meter.read(report)),
        () => undefined,
      );
    }, STATS_EVERY_MS);
  }

  private clearTimers(): void {
    if (this.retryTimer) clearTimeout(this.retryTimer);
    if (this.lossTimer) clearTimeout(this.lossTimer);
    if (this.statsTimer) clearInterval(this.statsTimer);
    this.retryTimer = this.lossTimer = this.statsTimer = null;
  }

  private closePeer(): void {
    if (this.peer) {
      this.peer.onconnectionstatechange = null;
      this.peer.close();
    }
    this.peer = null;
    this.resource = null;
  }

  private move(state: PublishState): void {
    this.state = state;
    this.options.onState(state);
  }
}
