import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

import { placeOverHttp } from "@/shared/api/place-order";

const answers: [number, unknown][] = [];
const asked: { method: string; url: string; prefer?: string }[] = [];
const ticket = (place: number) => ({ order_id: "o", place, of: 900, about_seconds: 2 });
const problem = { type: "", title: "sold out", status: 409, detail: "Sold out", code: "sold-out" };

beforeEach(() => {
  vi.useFakeTimers();
  answers.length = asked.length = 0;
  vi.stubGlobal("document", { querySelector: () => null });
  vi.stubGlobal("fetch", (url: string, init: RequestInit) => {
    asked.push({ method: init.method ?? "", url, prefer: (init.headers as Record<string, string>).Prefer });
    const [status, body] = answers.shift() ?? [500, null];
    return Promise.resolve(new Response(JSON.stringify(body), { status }));
  });
});
afterEach(() => { vi.useRealTimers(); vi.unstubAllGlobals(); });

describe("buying over HTTP", () => {
  const claim = { id: "o", lines: [] };
  it("hears its place until it is served", async () => {
    answers.push([202, ticket(800)], [200, { state: "waiting", ticket: ticket(300) }], [200, { state: "placed", order: { id: "o", state: "placed" } }]);
    const places: number[] = [];
    const placed = placeOverHttp(claim, (heard) => places.push(heard.place));
    await vi.advanceTimersByTimeAsync(4000);
    await expect(placed).resolves.toMatchObject({ id: "o" });
    expect(places).toEqual([800, 300]);
    expect(asked[0]).toMatchObject({ method: "POST", url: "/api/orders", prefer: "respond-async" });
    expect(asked[1]?.url).toBe("/api/orders/o/place");
  });

  it("is told why it was refused", async () => {
    answers.push([202, ticket(800)], [200, { state: "refused", refusal: problem }]);
    const refused = expect(placeOverHttp(claim)).rejects.toMatchObject({ code: "sold-out" });
    await vi.advanceTimersByTimeAsync(2000);
    await refused;
  });

  it("sends the same claim again when nobody knows it any more", async () => {
    answers.push([202, ticket(800)], [404, problem], [201, { id: "o", state: "placed" }]);
    const placed = placeOverHttp(claim);
    await vi.advanceTimersByTimeAsync(2000);
    await expect(placed).resolves.toMatchObject({ state: "placed" });
    expect(asked.map((one) => one.method)).toEqual(["POST", "GET", "POST"]);
  });
});
