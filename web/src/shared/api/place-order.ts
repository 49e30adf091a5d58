import { clicked } from "../lib/trace";
import { api, ApiError } from "./client";
import type { ClaimLine, LinePlace, LineTicket, Order } from "./types";

export interface Claim { id: string; show_id?: string; lines: ClaimLine[] }
export type OnPlace = (ticket: LineTicket) => void;

const ASK_MS = 900;
const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Buys over HTTP. A claim that has to wait is answered with its place in line, and asked after until it is decided. When
 * nobody knows it (another process answers, or the network was lost) it is sent again: the same id is the same claim.
 */
export async function placeOverHttp(claim: Claim, onPlace?: OnPlace): Promise<Order> {
  for (;;) {
    const answer = await api.post<Order | LineTicket>("/orders", claim, { prefer: "respond-async", traceparent: clicked() });
    if ("state" in answer) return answer;
    onPlace?.(answer);
    const order = await follow(claim.id, onPlace);
    if (order) return order;
  }
}

async function follow(id: string, onPlace?: OnPlace): Promise<Order | null> {
  for (;;) {
    await sleep(ASK_MS);
    let found: LinePlace;
    try {
      found = await api.get<LinePlace>(`/orders/${id}/place`);
    } catch {
      return null;
    }
    if (found.refusal) throw new ApiError(found.refusal);
    if (found.order) return found.order;
    if (found.ticket) onPlace?.(found.ticket);
  }
}
