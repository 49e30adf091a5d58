/** A W3C traceparent for a click, for the share of clicks that the market follows; undefined for all others. */
export function clicked(): string | undefined {
  const share = Number(document.querySelector('meta[name="livestall-trace"]')?.getAttribute("content") ?? 0);
  return Math.random() < share ? `00-${hex(16)}-${hex(8)}-01` : undefined;
}

const hex = (bytes: number) =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map((one) => one.toString(16).padStart(2, "0")).join("");
