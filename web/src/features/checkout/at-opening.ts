import { ApiError } from "@/shared/api/client";
import type { Deal, Order } from "@/shared/api/types";
import { serverClock, useReached, whenReached } from "@/shared/lib/clock";

/** A tap so shortly before the opening is kept and sent at the opening. */
export const HOLD_MS = 150;
/** An estimate of the server's clock may be wrong by a little: a claim refused so near to the opening is sent again. */
const NEAR_MS = 400;
const AGAIN_MS = 40;
const AGAIN_MOST = 12;

const opening = (deal: Deal | undefined) => (deal ? Date.parse(deal.opens_at) : 0);
const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** "wait": not yet; "hold": a tap is kept for the opening; "open". By the server's clock, whatever the device's says. */
export function useOpening(deal: Deal | undefined): "wait" | "hold" | "open" {
  const holds = useReached(opening(deal) - HOLD_MS);
  const open = useReached(opening(deal));
  return open ? "open" : holds ? "hold" : "wait";
}

/** Sends the claim at the opening, and no sooner. The order of arrival after it decides, at the server. */
export async function placeAtOpening(deal: Deal | undefined, place: () => Promise<Order>, clock: { now: () => number } = serverClock): Promise<Order> {
  const at = opening(deal);
  await new Promise<void>((resolve) => { whenReached(at, resolve, clock); });
  for (let tries = 0; ; tries++) {
    try {
      return await place();
    } catch (error) {
      const early = error instanceof ApiError && error.code === "deal-not-open" && clock.now() - at < NEAR_MS;
      if (!early || tries >= AGAIN_MOST) throw error;
      await sleep(AGAIN_MS);
    }
  }
}
