import { gathered } from "./peer";
import { type PictureStats, RateMeter } from "./rate-meter";

const RETRY_MS = 3000;
const STATS_EVERY_MS = 1000;

export interface WhepOptions {
  endpoint: string;
  onStream: (stream: MediaStream | null) => void;
  onStats: (stats: PictureStats | null) => void;
  /** The endpoint cannot serve this browser: show the picture in another way. */
  onUnavailable: () => void;
}

/** Shows what arrives at the ingest with the least delay there is. Keeps trying until stopped. */
export class WhepPlayer {
  private peer: RTCPeerConnection | null = null;
  private resource: string | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private meter: ReturnType<typeof setInterval> | null = null;
  private stopped = false;
  private failures = 0;

  constructor(private readonly options: WhepOptions) {}

  start(): void {
    void this.dial();
  }

  stop(): void {
    this.stopped = true;
    this.hangUp();
  }

  private async dial(): Promise<void> {
    this.hangUp();
    const peer = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.peer = peer;
    peer.addTransceiver("video", { direction: "recvonly" });
    peer.addTransceiver("audio", { direction: "recvonly" });
    const stream = new MediaStream();
    peer.ontrack = (event) => {
      stream.addTrack(event.track);
      if (this.peer === peer) this.options.onStream(stream);
    };
    peer.onconnectionstatechange = () => {
      if (this.peer === peer && ["failed", "closed", "disconnected"].includes(peer.connectionState)) this.later();
      if (this.peer === peer && peer.connectionState === "connected") this.watch(peer);
    };
    try {
      await peer.setLocalDescription(await peer.createOffer());
      await this.negotiate(peer);
    } catch {
      if (this.peer === peer && !this.stopped) this.later();
    }
  }

  private async negotiate(peer: RTCPeerConnection): Promise<void> {
    await gathered(peer);
    const response = await fetch(this.options.endpoint, {
      method: "POST", headers: { "Content-Type": "application/sdp" }, body: peer.localDescription?.sdp ?? "",
    });
    if (!response.ok) throw new Error(`WHEP answered ${response.status}`);
    const location = response.headers.get("Location");
    const resource = location ? new URL(location, this.options.endpoint) : null;
    // A server that names the endpoint itself ends the session when the peer closes.
    this.resource = resource && resource.pathname !== new URL(this.options.endpoint).pathname ? resource.href : null;
    await peer.setRemoteDescription({ type: "answer", sdp: await response.text() });
  }

  private watch(peer: RTCPeerConnection): void {
    this.failures = 0;
    if (this.meter) clearInterval(this.meter);
    const meter = new RateMeter();
    this.meter = setInterval(() => {
      void peer.getStats().then((report) => { if (this.peer === peer) this.options.onStats(meter.read(report)); }, () => undefined);
    }, STATS_EVERY_MS);
  }

  private later(): void {
    this.hangUp();
    this.failures += 1;
    if (this.failures === 2) this.options.onUnavailable();
    if (!this.stopped) this.timer = setTimeout(() => void this.dial(), RETRY_MS);
  }

  private hangUp(): void {
    if (this.timer) clearTimeout(this.timer);
    if (this.meter) clearInterval(this.meter);
    const resource = this.resource;
    this.resource = null;
    this.peer?.close();
    this.peer = null;
    this.options.onStream(null);
    this.options.onStats(null);
    if (resource) void fetch(resource, { method: "DELETE", keepalive: true }).catch(() => undefined);
  }
}
