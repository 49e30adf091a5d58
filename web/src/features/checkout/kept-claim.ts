import type { ClaimLine } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";

interface Kept { id: string; at: number }
const PREFIX = "livestall.claim.";
const KEPT_MS = 30 * 60 * 1000;

function keyOf(userId: string, lines: ClaimLine[]): string {
  return `${PREFIX}${userId}:${lines.map((line) => [line.variant_id, line.listing_id ?? "", line.deal_id ?? "", line.quantity].join("/")).join("+")}`;
}

function read(key: string): Kept | null {
  try {
    const kept = JSON.parse(localStorage.getItem(key) ?? "null") as Kept | null;
    return kept && Date.now() - kept.at < KEPT_MS ? kept : null;
  } catch {
    return null;
  }
}

/**
 * The id of this wish to buy. It is minted once and kept on the device, so a double tap, a retry or a reload asks for the
 * same order and never for a second one. `forget` it when the order is decided.
 */
export function claimId(userId: string, lines: ClaimLine[]): string {
  const key = keyOf(userId, lines);
  const kept = read(key);
  if (kept) return kept.id;
  const id = newId();
  localStorage.setItem(key, JSON.stringify({ id, at: Date.now() } satisfies Kept));
  return id;
}

/** The ids of what this person wanted to buy here a while ago and has not been told the end of, the last first. */
export function keptClaims(userId: string): string[] {
  const kept = Object.keys(localStorage).filter((key) => key.startsWith(`${PREFIX}${userId}:`)).map(read).filter((one) => one !== null);
  return kept.sort((a, b) => b.at - a.at).map((one) => one.id);
}

/** The order is paid, cancelled or was refused: the next buy is a new one. */
export function forgetClaim(orderId: string): void {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(PREFIX) && localStorage.getItem(key)?.includes(orderId)) localStorage.removeItem(key);
  }
}
