import { ApiError } from "../api/client";
import type { ChatMessage, Command, LiveEvent, ServerFrame, Snapshot, Ticket } from "../api/types";
import { serverClock } from "../lib/clock";
import { backoff } from "./backoff";
import { startPings } from "./pings";
import { applyFrame, isGap } from "./reduce";

export type LiveStatus = "connecting" | "live" | "reconnecting" | "stopped";

/** What the client needs of the world; tests give their own. */
export interface LiveWorld {
  getTicket: () => Promise<Ticket>;
  openSocket: (url: string) => WebSocket;
  isHidden: () => boolean;
}

interface Waiting {
  command: Command; again: boolean; renewed?: boolean; resolve: (result: unknown) => void; reject: (error: Error) => void;
  onProgress?: (progress: unknown) => void;
}

/** Nothing heard for this long, though we ping: the line is dead even if the browser has not noticed. */
const SILENCE_MS = 40_000;
const HELLO_TIMEOUT_MS = 10_000;
/** A first connection that takes longer is told of: a gateway that died lets new lines wait unanswered. */
const LATE_MS = 2500;

/**
 * One room's socket: snapshot, then numbered events; a gap asks again from the last number known. A lost socket comes
 * back by itself, each try with a fresh ticket. A command is answered once; one still waiting when the socket is lost is
 * sent again under the same id.
 */
export class LiveClient {
  state: Snapshot | null = null;
  status: LiveStatus = "connecting";
  private socket: WebSocket | null = null;
  private attempt = 0;
  private generation = 0;
  private heardAt = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private late: ReturnType<typeof setTimeout> | undefined;
  private stopPings: (() => void) | undefined;
  private waiting = new Map<string, Waiting>();
  private listeners = new Set<() => void>();
  private eventListeners = new Set<(event: LiveEvent) => void>();

  constructor(private readonly world: LiveWorld) {}

  start(): void {
    this.status = "connecting";
    this.late = setTimeout(() => { if (this.status === "connecting") this.setStatus("reconnecting"); }, LATE_MS);
    void this.connect();
  }

  stop(): void {
    clearTimeout(this.late);
    this.setStatus("stopped");
    this.drop();
    for (const item of this.waiting.values()) item.reject(lost());
    this.waiting.clear();
  }

  /** Someone signed in or out, or the network is back: connect anew at once, keeping what is on screen. */
  renew(): void {
    if (this.status === "stopped") return;
    this.attempt = 0;
    this.drop();
    if (this.state) this.setStatus("reconnecting");
    void this.connect();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Every event as it comes, for what passes by (a sale made) and is not part of the state. */
  onEvent(listener: (event: LiveEvent) => void): () => void {
    this.eventListeners.add(listener);
    return () => this.eventListeners.delete(listener);
  }

  /** Sends a command and gives its one answer. `again`: whether it is sent anew after a reconnect. `onProgress` hears how far it is. */
  command<T>(command: Command, again = true, onProgress?: (progress: unknown) => void): Promise<T> {
    const known = this.waiting.get(command.id);
    if (known) known.reject(lost());
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(command.id, { command, again, resolve: resolve as (result: unknown) => void, reject, onProgress });
      if (this.status === "live") this.send(command);
      else if (!again) this.settle(command.id, (item) => item.reject(lost()));
    });
  }

  say(id: string, text: string): Promise<ChatMessage> {
    return this.command<ChatMessage>({ type: "chat", id, text });
  }

  private async connect(): Promise<void> {
    const generation = ++this.generation;
    clearTimeout(this.timer);
    try {
      const ticket = await this.world.getTicket();
      if (generation !== this.generation) return;
      const url = new URL(ticket.url, location.href);
      url.searchParams.set("ticket", ticket.ticket);
      this.open(this.world.openSocket(url.toString()), generation);
    } catch {
      if (generation === this.generation) this.later();
    }
  }

  private open(socket: WebSocket, generation: number): void {
    this.socket = socket;
    const current = () => generation === this.generation;
    this.timer = setTimeout(() => { if (current()) this.lose(); }, HELLO_TIMEOUT_MS);
    socket.onopen = () => { if (current()) this.hello(); };
    socket.onmessage = (message) => { if (current()) this.receive(JSON.parse(String(message.data)) as ServerFrame); };
    socket.onclose = () => { if (current()) this.lose(); };
  }

  private hello(): void {
    this.raw({ type: "hello", last_seq: this.state?.seq ?? null });
    // With nothing missed the server has nothing to say at once: the open socket is the sign.
    if (this.state) this.welcome();
  }

  private welcome(): void {
    clearTimeout(this.timer);
    if (this.status === "live") return;
    this.attempt = 0;
    this.heardAt = serverClock.local();
    this.setStatus("live");
    this.stopPings?.();
    this.stopPings = startPings(() => {
      if (serverClock.local() - this.heardAt > SILENCE_MS) this.lose();
      else this.raw({ type: "ping", at: serverClock.local() });
    });
    for (const item of [...this.waiting.values()]) this.send(item.command);
  }

  private receive(frame: ServerFrame): void {
    this.heardAt = serverClock.local();
    if (frame.type === "answer") {
      if (!frame.ok && frame.error.status === 401 && this.renewFor(frame.id)) return;
      this.settle(frame.id, (item) => (frame.ok ? item.resolve(frame.result) : item.reject(new ApiError(frame.error))));
      return;
    }
    if (frame.type === "bye") return this.lose(Math.max(0, frame.retry_seconds) * 1000);
    if (frame.type === "progress") return this.waiting.get(frame.id)?.onProgress?.(frame.progress);
    if (frame.type === "pong") return typeof frame.at === "number" ? serverClock.answered(frame.at, frame.server_time) : serverClock.hear(frame.server_time);
    if (frame.type === "snapshot") {
      serverClock.hear(frame.server_time);
      this.state = frame;
    } else if (frame.type === "events") {
      if (!this.state || isGap(this.state.seq, frame)) {
        this.raw({ type: "hello", last_seq: this.state?.seq ?? null });
        return;
      }
      const known = this.state.seq;
      this.state = applyFrame(this.state, frame);
      for (const event of frame.events) if (event.seq > known) this.announce(event);
    } else return;
    this.welcome();
    this.publish();
  }

  /** The socket was opened in nobody's name, and someone has signed in since: once more with a ticket of their own. */
  private renewFor(id: string): boolean {
    const item = this.waiting.get(id);
    if (!item?.again || item.renewed) return false;
    item.renewed = true;
    this.renew();
    return true;
  }

  private announce(event: LiveEvent): void {
    serverClock.hear(event.at);
    this.eventListeners.forEach((listener) => listener(event));
  }

  private send(command: Command): void {
    this.raw(command);
  }

  private raw(value: unknown): void {
    if (this.socket?.readyState === 1) this.socket.send(JSON.stringify(value));
  }

  private settle(id: string, how: (item: Waiting) => void): void {
    const item = this.waiting.get(id);
    if (!item) return;
    this.waiting.delete(id);
    how(item);
  }

  private lose(waitMs?: number): void {
    this.drop();
    if (this.status !== "stopped") this.later(waitMs);
  }

  private later(waitMs?: number): void {
    this.setStatus("reconnecting");
    for (const [id, item] of this.waiting) if (!item.again) this.settle(id, (lostItem) => lostItem.reject(lost()));
    const delay = backoff(this.attempt++, this.world.isHidden());
    this.timer = setTimeout(() => void this.connect(), waitMs === undefined ? delay : waitMs + delay);
  }

  private drop(): void {
    this.generation++;
    clearTimeout(this.timer);
    this.stopPings?.();
    this.socket?.close();
    this.socket = null;
  }

  private setStatus(status: LiveStatus): void {
    if (this.status === status) return;
    this.status = status;
    this.publish();
  }

  private publish(): void {
    this.listeners.forEach((listener) => listener());
  }
}

function lost(): ApiError {
  return new ApiError({ title: "Connection lost", status: 0, detail: "", code: "connection-lost" });
}
