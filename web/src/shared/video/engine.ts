import type Hls from "hls.js/light";
import type { ErrorData, HlsConfig } from "hls.js/light";

import type { Playback } from "../api/types";
import { serverClock } from "../lib/clock";
import { EdgeClock } from "./edge-clock";
import { reopenWhenForbidden } from "./forbidden";
import { type HlsPlayer, loadHls } from "./hls";
import { estimatedAt, lastModified, plainConfig } from "./plain-hls";
import { WhepPlayer } from "./whep-player";

/** "blocked": the browser wants a tap before it plays at all. */
export type VideoStatus = "loading" | "playing" | "stalled" | "reconnecting" | "blocked" | "ended";

export interface VideoState { status: VideoStatus; muted: boolean; width: number; height: number }

const RESTART_DELAYS_MS = [300, 700, 1500, 3000, 5000, 8000];
const STALL_RESTART_MS = 8000;
const MEDIA_ERRORS_BEFORE_RESTART = 2;

function config(playback: Playback): Partial<HlsConfig> {
  // The distance from the live edge is the playlist's PART-HOLD-BACK: hls.js honours it only while we set none ourselves.
  // A replay's gap is a date range, for which hls.js would lay a track of `data:`, which the page's policy forbids.
  return playback.kind === "replay" ? { enableWorker: true, backBufferLength: 60, enableDateRangeMetadataCues: false } : {
    enableWorker: true, lowLatencyMode: true, maxLiveSyncPlaybackRate: 1.1, backBufferLength: 20,
    liveSyncOnStallIncrease: 0.5, ...plainConfig(playback), manifestLoadPolicy: { default: {
      maxTimeToFirstByteMs: 8000, maxLoadTimeMs: 10_000, timeoutRetry: { maxNumRetry: 1, retryDelayMs: 200, maxRetryDelayMs: 500 },
      errorRetry: { maxNumRetry: 1, retryDelayMs: 300, maxRetryDelayMs: 1000 },
    } },
  };
}

/**
 * Plays one show in one <video> and heals itself: a fatal error or a long stall starts it anew with back-off. By HLS, or
 * by WebRTC for those who were given a `whep_url`, and by HLS again if that does not come about.
 */
export class VideoEngine {
  state: VideoState = { status: "loading", muted: true, width: 0, height: 0 };
  private hls: Hls | null = null;
  /** Counts starts: a player that was fetched for an earlier one is not wanted any more. */
  private start = 0;
  private edge = new EdgeClock();
  private whep: WhepPlayer | null = null;
  private whepFailed = false;
  private restarts = 0;
  private mediaErrors = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private stallTimer: ReturnType<typeof setTimeout> | undefined;
  private listeners = new Set<() => void>();
  private cleanup = new AbortController();

  constructor(readonly video: HTMLVideoElement, private playback: Playback) {
    const options = { signal: this.cleanup.signal };
    video.muted = true;
    video.playsInline = true;
    video.addEventListener("playing", () => this.onPlaying(), options);
    video.addEventListener("waiting", () => this.onWaiting(), options);
    video.addEventListener("ended", () => this.set({ status: "ended" }), options);
    video.addEventListener("resize", () => this.set({ width: video.videoWidth, height: video.videoHeight }), options);
    video.addEventListener("volumechange", () => this.set({ muted: video.muted }), options);
    video.addEventListener("error", () => { if (!this.hls && !this.whep) this.restart(); }, options);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.chase(); }, options);
    reopenWhenForbidden(playback.hls_url, this.cleanup.signal);
    this.load();
  }

  destroy(): void {
    this.cleanup.abort();
    clearTimeout(this.timer);
    clearTimeout(this.stallTimer);
    this.drop();
    this.video.removeAttribute("src");
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** The stream time of the picture on screen, in ms since the epoch; null when the stream carries none (WebRTC: it is now). */
  playingAt(): number | null {
    if (this.whep) return null;
    if (this.hls) return this.hls.playingDate?.getTime() ?? estimatedAt(this.playback, this.edge.at(this.video.currentTime));
    const start = (this.video as HTMLVideoElement & { getStartDate?: () => Date }).getStartDate?.().getTime();
    if (start !== undefined && !Number.isNaN(start)) return start + this.video.currentTime * 1000;
    const { seekable, currentTime } = this.video;
    const trailing = seekable.length ? seekable.end(seekable.length - 1) - currentTime : null;
    return estimatedAt(this.playback, trailing === null ? null : serverClock.now() - trailing * 1000);
  }

  /** Seconds behind the camera, or null. */
  behind(now: number): number | null {
    const at = this.playingAt();
    return at === null || this.playback.kind === "replay" ? null : Math.max(0, (now - at) / 1000);
  }

  /** A tap: sound on, and playing if the browser had refused. */
  async unmute(): Promise<void> {
    this.video.muted = false;
    await this.play();
  }

  seek(seconds: number): void { this.video.currentTime = seconds; }

  mute(): void { this.video.muted = true; }

  async play(): Promise<void> {
    try {
      await this.video.play();
    } catch (error) {
      const name = error instanceof DOMException ? error.name : "";
      if (name === "NotAllowedError" && !this.video.muted) {
        this.video.muted = true;
        await this.play();
      } else if (name === "NotAllowedError") this.set({ status: "blocked" });
    }
  }

  /** Back from a hidden tab or a pause: jump to the live edge instead of trailing far behind. */
  chase(): void {
    if (this.playback.kind === "replay") return;
    const edge = this.hls?.liveSyncPosition;
    if (edge && edge - this.video.currentTime > 4) this.video.currentTime = edge;
    if (this.video.paused) void this.play();
  }

  private drop(): void {
    this.start++;
    this.hls?.destroy();
    this.hls = null;
    this.whep?.stop();
    this.whep = null;
  }

  private load(): void {
    this.drop();
    this.set({ status: this.restarts > 0 ? "reconnecting" : "loading" });
    if (this.playback.whep_url && !this.whepFailed) return this.loadWhep(this.playback.whep_url);
    const start = this.start;
    loadHls().then(
      (player) => { if (start === this.start) { if (player) this.playHls(player); else this.loadNative(); } },
      () => { if (start === this.start) this.restart(); },
    );
  }

  private playHls(Player: HlsPlayer): void {
    this.edge = new EdgeClock();
    const hls = new Player(config(this.playback));
    this.hls = hls;
    hls.on(Player.Events.LEVEL_LOADED, (_event, { details, networkDetails }) => {
      const readAt = serverClock.now();
      // hls.js puts the list into its place in time while it tells of it: its end is known when all have been told.
      queueMicrotask(() => this.edge.saw(details.edge, readAt, lastModified(networkDetails)));
    });
    hls.on(Player.Events.ERROR, (_event, data) => this.onError(data, data.type === Player.ErrorTypes.MEDIA_ERROR));
    hls.on(Player.Events.MANIFEST_PARSED, () => void this.play());
    hls.loadSource(this.playback.hls_url);
    hls.attachMedia(this.video);
  }

  private loadWhep(endpoint: string): void {
    const show = (stream: MediaStream | null) => {
      this.video.srcObject = stream;
      if (stream) void this.play();
    };
    const giveUp = () => { this.whepFailed = true; show(null); this.load(); };
    this.whep = new WhepPlayer({ endpoint, onStream: show, onStats: () => undefined, onUnavailable: giveUp });
    this.whep.start();
  }

  private loadNative(): void {
    this.video.src = this.playback.hls_url;
    void this.play();
  }

  private onError(data: ErrorData, ofMedia: boolean): void {
    if (!data.fatal) return;
    if (ofMedia && this.mediaErrors++ < MEDIA_ERRORS_BEFORE_RESTART) this.hls?.recoverMediaError();
    else this.restart();
  }

  private restart(): void {
    clearTimeout(this.stallTimer);
    clearTimeout(this.timer);
    this.set({ status: "reconnecting" });
    const delay = RESTART_DELAYS_MS[Math.min(this.restarts++, RESTART_DELAYS_MS.length - 1)] ?? 8000;
    this.mediaErrors = 0;
    this.timer = setTimeout(() => this.load(), delay * (0.7 + Math.random() * 0.6));
  }

  private onPlaying(): void {
    clearTimeout(this.stallTimer);
    this.restarts = 0;
    this.set({ status: "playing", width: this.video.videoWidth, height: this.video.videoHeight });
  }

  private onWaiting(): void {
    if (this.state.status !== "playing") return;
    this.set({ status: "stalled" });
    clearTimeout(this.stallTimer);
    if (this.playback.kind === "live") this.stallTimer = setTimeout(() => this.restart(), STALL_RESTART_MS);
  }

  private set(part: Partial<VideoState>): void {
    const next = { ...this.state, ...part };
    if (Object.entries(next).every(([key, value]) => this.state[key as keyof VideoState] === value)) return;
    this.state = next;
    this.listeners.forEach((listener) => listener());
  }
}
