import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import type { ServerFrame, Snapshot } from "@/shared/api/types";
import { serverClock } from "@/shared/lib/clock";
import { backoff, DELAYS } from "@/shared/live/backoff";
import { LiveClient } from "@/shared/live/client";

class FakeSocket {
  static all: FakeSocket[] = [];
  readyState = 0;
  sent: Record<string, unknown>[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((event: { data: string }) => void) | null = null;
  onclose: (() => void) | null = null;
  constructor(readonly url: string) { FakeSocket.all.push(this); }
  send(text: string) { this.sent.push(JSON.parse(text) as Record<string, unknown>); }
  open() { this.readyState = 1; this.onopen?.(); }
  say(frame: ServerFrame) { this.onmessage?.({ data: JSON.stringify(frame) }); }
  close() { this.readyState = 3; }
  break() { this.readyState = 3; this.onclose?.(); }
}

const snapshot = (seq: number) => ({
  type: "snapshot", seq, server_time: "2026-01-01T00:00:00Z", show: { id: "s", state: "live" }, tray: [], pins: [], deals: [], chat: [],
  chat_mode: { slow_seconds: 0, muted_all: false, banned_words: [] }, totals: { viewers: 1, likes: 0, stock: {}, deals: {} },
} as unknown as { type: "snapshot" } & Snapshot);
const said = (seq: number) => ({ seq, kind: "chat.said", at: "2026-01-01T00:00:00Z", stream_at: null, body: { id: `m${seq}`, text: "hi" } }) as never;

let tickets = 0;
function makeClient() {
  return new LiveClient({
    getTicket: () => Promise.resolve({ ticket: `t${++tickets}`, expires_at: "", url: "ws://gate/live" }),
    openSocket: (url) => new FakeSocket(url) as unknown as WebSocket,
    isHidden: () => false,
  });
}
const settle = () => vi.advanceTimersByTimeAsync(0);
const last = () => FakeSocket.all.at(-1) as FakeSocket;

async function connected() {
  const client = makeClient();
  client.start();
  await settle();
  last().open();
  last().say(snapshot(5));
  return client;
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("location", new URL("http://here/"));
  FakeSocket.all = [];
  tickets = 0;
});
afterEach(() => vi.useRealTimers());

describe("a room's socket", () => {
  it("asks for everything first, with the ticket in the address", async () => {
    const client = await connected();
    expect(last().url).toBe("ws://gate/live?ticket=t1");
    expect(last().sent[0]).toEqual({ type: "hello", last_seq: null });
    expect(client.status).toBe("live");
    expect(client.state?.seq).toBe(5);
  });

  it("asks again from the last number known when something was missed", async () => {
    const client = await connected();
    last().say({ type: "events", from: 8, to: 8, events: [said(8)] });
    expect(last().sent.at(-1)).toEqual({ type: "hello", last_seq: 5 });
    last().say({ type: "events", from: 6, to: 8, events: [said(6), said(7), said(8)] });
    expect(client.state?.seq).toBe(8);
    expect(client.state?.chat.map((message) => message.id)).toEqual(["m6", "m7", "m8"]);
  });

  it("does not count an event twice", async () => {
    const client = await connected();
    last().say({ type: "events", from: 6, to: 6, events: [said(6)] });
    last().say({ type: "events", from: 6, to: 7, events: [said(6), said(7)] });
    expect(client.state?.chat).toHaveLength(2);
  });

  it("comes back with a fresh ticket and its last number, keeping what is on screen", async () => {
    const client = await connected();
    last().break();
    expect(client.status).toBe("reconnecting");
    expect(client.state?.seq).toBe(5);
    await vi.advanceTimersByTimeAsync(DELAYS.first);
    expect(last().url).toContain("t2");
    last().open();
    expect(last().sent[0]).toEqual({ type: "hello", last_seq: 5 });
    expect(client.status).toBe("live");
  });

  it("says so when the first connection is not answered", async () => {
    const client = makeClient();
    client.start();
    await vi.advanceTimersByTimeAsync(2000);
    expect(client.status).toBe("connecting");
    await vi.advanceTimersByTimeAsync(1000);
    expect(client.status).toBe("reconnecting");
    last().open();
    last().say(snapshot(5));
    expect(client.status).toBe("live");
  });

  it("sends a command lost on the way again under the same id, and gives its one answer", async () => {
    const client = await connected();
    const answer = client.command<string>({ type: "buy", id: "o1", lines: [] });
    last().break();
    await vi.advanceTimersByTimeAsync(DELAYS.first);
    last().open();
    expect(last().sent.filter((frame) => frame.id === "o1")).toHaveLength(1);
    last().say({ type: "answer", id: "o1", ok: true, result: "order" });
    await expect(answer).resolves.toBe("order");
  });

  it("does not send likes twice", async () => {
    const client = await connected();
    const answer = client.command({ type: "like", id: "l1", count: 3 }, false);
    const refused = expect(answer).rejects.toMatchObject({ code: "connection-lost" });
    last().break();
    await refused;
    await vi.advanceTimersByTimeAsync(DELAYS.first);
    last().open();
    expect(last().sent.some((frame) => frame.id === "l1")).toBe(false);
  });

  it("hands on a refusal as the server worded it", async () => {
    const client = await connected();
    const answer = client.say("c1", "hello");
    last().say({ type: "answer", id: "c1", ok: false, error: { title: "", status: 409, detail: "Wait 2 s.", code: "too-fast" } });
    await expect(answer).rejects.toMatchObject({ message: "Wait 2 s.", code: "too-fast" });
  });

  it("tries once more with a new ticket when the socket was opened in nobody's name", async () => {
    const client = await connected();
    const answer = client.say("c1", "hello");
    const refusal = { type: "answer", id: "c1", ok: false, error: { title: "", status: 401, detail: "Sign in.", code: "sign-in-needed" } } as const;
    last().say(refusal);
    await settle();
    last().open();
    expect(last().url).toContain("t2");
    expect(last().sent.at(-1)).toMatchObject({ id: "c1", text: "hello" });
    last().say(refusal);
    await expect(answer).rejects.toMatchObject({ status: 401 });
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("notices a dead line by its silence", async () => {
    const client = await connected();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(client.status).not.toBe("live");
  });

  it("asks for the server's time several times at once, then now and again, and believes the answers", async () => {
    await connected();
    await vi.advanceTimersByTimeAsync(2000);
    const pings = last().sent.filter((frame) => frame.type === "ping");
    expect(pings).toHaveLength(5);
    const real = Date.now() + 5 * 3_600_000; // the device is wrong by hours
    last().say({ type: "pong", server_time: new Date(real).toISOString(), at: serverClock.local() });
    expect(Math.abs(serverClock.now() - real)).toBeLessThanOrEqual(1);
    await vi.advanceTimersByTimeAsync(14_000);
    expect(last().sent.filter((frame) => frame.type === "ping")).toHaveLength(6);
  });

  it("hears how far a command is, and its answer once", async () => {
    const client = await connected();
    const places: unknown[] = [];
    const answer = client.command({ type: "buy", id: "b1", lines: [] }, true, (place) => places.push(place));
    last().say({ type: "progress", id: "b1", progress: { place: 900 } });
    last().say({ type: "progress", id: "other", progress: { place: 1 } });
    last().break();
    await vi.advanceTimersByTimeAsync(20_000);
    last().open();
    expect(last().sent.at(-1)).toMatchObject({ type: "buy", id: "b1" });
    last().say({ type: "progress", id: "b1", progress: { place: 40 } });
    last().say({ type: "answer", id: "b1", ok: true, result: { id: "b1" } });
    await expect(answer).resolves.toEqual({ id: "b1" });
    expect(places).toEqual([{ place: 900 }, { place: 40 }]);
  });

  it("waits as long as the server asks", async () => {
    await connected();
    last().say({ type: "bye", reason: "full", retry_seconds: 30 });
    await vi.advanceTimersByTimeAsync(29_000);
    expect(FakeSocket.all).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(2000);
    expect(FakeSocket.all).toHaveLength(2);
  });

  it("stays away when it is stopped", async () => {
    const client = await connected();
    client.stop();
    await vi.advanceTimersByTimeAsync(120_000);
    expect(FakeSocket.all).toHaveLength(1);
  });
});

describe("waiting", () => {
  it("grows, is bounded, is never the same for all, and is slower in a hidden tab", () => {
    expect(backoff(0, false, () => 1)).toBe(DELAYS.first);
    expect(backoff(3, false, () => 1)).toBe(DELAYS.first * 8);
    expect(backoff(50, false, () => 1)).toBe(DELAYS.most);
    expect(backoff(50, true, () => 1)).toBe(DELAYS.mostHidden);
    expect(backoff(2, true, () => 0)).toBeGreaterThan(backoff(2, false, () => 1));
    expect(backoff(4, false, () => 0)).toBe(backoff(4, false, () => 1) / 2);
  });
});
