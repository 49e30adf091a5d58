import { afterEach, describe, expect, it, vi } from "vitest";

import { clicked } from "@/shared/lib/trace";

/** The page as the market serves it: with the share of clicks that it follows, or without. */
function page(share: string | null): void {
  const meta = share === null ? null : { getAttribute: () => share };
  vi.stubGlobal("document", { querySelector: (what: string) => (what === 'meta[name="livestall-trace"]' ? meta : null) });
}

describe("the trace of a click", () => {
  afterEach(() => { vi.unstubAllGlobals(); });

  it("is a W3C traceparent, each its own, when the market follows every click", () => {
    page("1");
    const [one, other] = [clicked(), clicked()];
    expect(one).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/);
    expect(other).not.toBe(one);
  });

  it("is not there when the market follows none, or says nothing", () => {
    for (const share of [null, "0", "nonsense"]) {
      page(share);
      expect(clicked()).toBeUndefined();
    }
  });
});
