/** Where lines, ticks and pins of the per-minute plot go. Pure: numbers in, numbers out. */

export interface Minute {
  at: string;
  viewers: number;
  orders: number;
  paid_orders: number;
  money_amount: number;
}

export interface PinSpan {
  id: string;
  listing_id: string;
  stream_at: string;
  ended_stream_at: string | null;
}

export interface Box {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

export interface Plot {
  x: (time: number) => number;
  viewerY: (viewers: number) => number;
  moneyY: (money: number) => number;
  viewersMax: number;
  moneyMax: number;
  from: number;
  to: number;
}

const MINUTE_MS = 60_000;
/** The money scale starts at a hundred minor units: a first sale is not a mountain. */
const MONEY_FLOOR = 100;

/** A plot always spans at least five minutes, so that the first minute of a show is not a wall. */
export function plotOf(minutes: readonly Minute[], box: Box, now: number): Plot {
  const times = minutes.map((minute) => Date.parse(minute.at));
  const from = times.length > 0 ? Math.min(...times) : now - 5 * MINUTE_MS;
  const to = Math.max(from + 5 * MINUTE_MS, times.length > 0 ? Math.max(...times) + MINUTE_MS : now);
  const viewersMax = niceMax(Math.max(0, ...minutes.map((minute) => minute.viewers)));
  const moneyMax = niceMax(Math.max(MONEY_FLOOR, ...minutes.map((minute) => minute.money_amount)));
  const innerWidth = box.width - box.left - box.right;
  const innerHeight = box.height - box.top - box.bottom;
  const up = (share: number): number => box.top + innerHeight * (1 - share);
  return {
    x: (time) => box.left + (innerWidth * (Math.min(Math.max(time, from), to) - from)) / (to - from),
    viewerY: (viewers) => up(viewers / viewersMax),
    moneyY: (money) => up(money / moneyMax),
    viewersMax,
    moneyMax,
    from,
    to,
  };
}

/** The next 1, 2 or 5 times a power of ten, at least 4, so that ticks are round. */
export function niceMax(value: number): number {
  if (value <= 4) return 4;
  const power = 10 ** Math.floor(Math.log10(value));
  for (const step of [1, 2, 5, 10]) {
    if (value <= step * power) return step * power;
  }
  return 10 * power;
}

export function linePath(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y], index) => `${index === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`).join(" ");
}

export function areaPath(points: readonly (readonly [number, number])[], floor: number): string {
  const first = points[0];
  const last = points[points.length - 1];
  if (!first || !last) return "";
  return `${linePath(points)} L${last[0].toFixed(1)} ${floor.toFixed(1)} L${first[0].toFixed(1)} ${floor.toFixed(1)} Z`;
}

/** What sold while a listing was being explained: money and orders of the minutes its pins cover. */
export function soldWhilePinned(
  minutes: readonly Minute[],
  pins: readonly PinSpan[],
  now: number,
): Map<string, { seconds: number; orders: number; money: number }> {
  const totals = new Map<string, { seconds: number; orders: number; money: number }>();
  for (const pin of pins) {
    const start = Date.parse(pin.stream_at);
    const end = pin.ended_stream_at ? Date.parse(pin.ended_stream_at) : now;
    const total = totals.get(pin.listing_id) ?? { seconds: 0, orders: 0, money: 0 };
    total.seconds += Math.max(0, Math.round((end - start) / 1000));
    for (const minute of minutes) {
      const share = overlap(start, end, Date.parse(minute.at), Date.parse(minute.at) + MINUTE_MS) / MINUTE_MS;
      total.orders += minute.paid_orders * share;
      total.money += minute.money_amount * share;
    }
    totals.set(pin.listing_id, total);
  }
  return totals;
}

function overlap(aStart: number, aEnd: number, bStart: number, bEnd: number): number {
  return Math.max(0, Math.min(aEnd, bEnd) - Math.max(aStart, bStart));
}
