import type { Deal, Pin, TrayItem } from "@/shared/api/types";

/** A viewer whose picture carries no stream time (WHEP, or no video at all) sees everything at once. */
export const AT_ONCE = Number.POSITIVE_INFINITY;

/** The primary pin that belongs to the picture of stream time `at` (ms): started, and not yet ended. */
export function pinAt(pins: Pin[], at: number): Pin | null {
  const started = pins.filter((pin) => pin.primary && Date.parse(pin.stream_at) <= at)
    .filter((pin) => pin.ended_stream_at === null || Date.parse(pin.ended_stream_at) > at);
  return started.reduce<Pin | null>((last, pin) => (!last || pin.stream_at > last.stream_at ? pin : last), null);
}

/**
 * The flash sale to show: its announcement has reached this viewer's picture, or it opens by the server's clock whatever
 * the picture does; and by that clock it is not over.
 */
export function dealAt(deals: Deal[], at: number, serverNow: number): Deal | null {
  const open = deals.filter((deal) => deal.state === "countdown" || deal.state === "running")
    .filter((deal) => Date.parse(deal.announced_stream_at) <= at || Date.parse(deal.opens_at) <= serverNow)
    .filter((deal) => Date.parse(deal.closes_at) > serverNow);
  return open.reduce<Deal | null>((last, deal) => (!last || deal.announced_at > last.announced_at ? deal : last), null);
}

/** Selling runs on the server's clock: before `opens_at` a countdown, then on sale or (for now) sold out. */
export function dealPhase(deal: Deal, serverNow: number): "countdown" | "open" | "gone" | "over" {
  if (serverNow >= Date.parse(deal.closes_at) || deal.state === "ended" || deal.state === "cancelled") return "over";
  if (serverNow < Date.parse(deal.opens_at)) return "countdown";
  return deal.left > 0 ? "open" : "gone";
}

export function listingOf(tray: TrayItem[], id: string | undefined): TrayItem | undefined {
  return tray.find((item) => item.listing_id === id);
}
