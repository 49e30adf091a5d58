import type { Deal, LiveEvent, ServerFrame, Snapshot, Totals } from "../api/types";

export type EventsFrame = Extract<ServerFrame, { type: "events" }>;

const CHAT_KEPT = 100;

/** A frame follows `seq` when it starts no later than the next number; else something was missed. */
export function isGap(seq: number, frame: EventsFrame): boolean {
  return frame.from !== undefined && frame.from > seq + 1;
}

function byId<T extends { id: string }>(items: T[], item: T): T[] {
  return items.some((other) => other.id === item.id) ? items.map((other) => (other.id === item.id ? item : other)) : [...items, item];
}

function withDeal(state: Snapshot, deal: Deal): Snapshot {
  const numbers = { left: deal.left, sold: deal.sold, released: deal.released };
  return {
    ...state,
    deals: byId(state.deals, deal),
    totals: { ...state.totals, deals: { ...state.totals.deals, [deal.id]: numbers } },
  };
}

/** One event applied to a snapshot. Unknown kinds are passed over: an older page must survive a newer server. */
export function applyEvent(state: Snapshot, event: LiveEvent): Snapshot {
  switch (event.kind) {
    case "show.moved":
      return { ...state, show: { ...state.show, ...event.body } };
    case "tray.changed":
      return { ...state, tray: event.body.tray };
    case "pin.started":
      // The pin that it takes the place of is ended by an event of its own.
      return { ...state, pins: byId(state.pins, event.body) };
    case "pin.ended":
      return { ...state, pins: state.pins.map((pin) => (pin.id === event.body.id ? { ...pin, ended_stream_at: event.body.ended_stream_at } : pin)) };
    case "deal.changed":
      return withDeal(state, event.body);
    case "chat.said":
      return { ...state, chat: byId(state.chat, event.body).slice(-CHAT_KEPT) };
    case "chat.deleted":
      return { ...state, chat: state.chat.filter((message) => message.id !== event.body.id) };
    case "chat.mode":
      return { ...state, chat_mode: event.body };
    default:
      return state;
  }
}

/** Totals replace what they name and leave the rest. Deals carry the same figures, so they follow. */
export function applyTotals(state: Snapshot, totals: Totals): Snapshot {
  const deals = totals.deals;
  return {
    ...state,
    totals: {
      buying: totals.buying ?? state.totals.buying,
      viewers: totals.viewers ?? state.totals.viewers,
      likes: totals.likes ?? state.totals.likes,
      stock: totals.stock ? { ...state.totals.stock, ...totals.stock } : state.totals.stock,
      deals: deals ? { ...state.totals.deals, ...deals } : state.totals.deals,
    },
    deals: deals ? state.deals.map((deal) => (deals[deal.id] ? { ...deal, ...deals[deal.id] } : deal)) : state.deals,
  };
}

/** A whole tick. Events already known are skipped, so a frame may come twice. The caller has ruled out a gap. */
export function applyFrame(state: Snapshot, frame: EventsFrame): Snapshot {
  let next = state;
  for (const event of frame.events) if (event.seq > state.seq) next = applyEvent(next, event);
  if (frame.totals) next = applyTotals(next, frame.totals);
  if (frame.to !== undefined && frame.to > next.seq) next = { ...next, seq: frame.to };
  return next;
}
