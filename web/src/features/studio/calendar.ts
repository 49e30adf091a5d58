import type { ShowCard } from "@/shared/api/types";

/** The day of a moment on this device's calendar, as YYYY-MM-DD. */
export function dayOf(moment: Date | string): string {
  const date = typeof moment === "string" ? new Date(moment) : moment;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Six or fewer weeks that cover the month, Monday first; each day as YYYY-MM-DD. */
export function weeksOf(year: number, month: number): string[][] {
  const first = new Date(year, month, 1);
  const start = new Date(year, month, 1 - ((first.getDay() + 6) % 7));
  const weeks: string[][] = [];
  for (let offset = 0; ; offset += 7) {
    const monday = new Date(start.getFullYear(), start.getMonth(), start.getDate() + offset);
    if (offset > 0 && (monday.getMonth() !== month || monday.getFullYear() !== year)) return weeks;
    weeks.push([0, 1, 2, 3, 4, 5, 6].map((day) => dayOf(new Date(monday.getFullYear(), monday.getMonth(), monday.getDate() + day))));
  }
}

export interface Sorted {
  running: ShowCard[];
  planned: { day: string; shows: ShowCard[] }[];
  drafts: ShowCard[];
  past: ShowCard[];
}

const RUNNING = new Set(["preview", "live", "interrupted"]);
const PAST = new Set(["ended", "replay", "purged"]);

/** The studio's shelves. Planned shows lie by day, soonest first; past ones newest first. */
export function sortShows(shows: readonly ShowCard[]): Sorted {
  const running = shows.filter((show) => RUNNING.has(show.state));
  const waiting = shows.filter((show) => !RUNNING.has(show.state) && !PAST.has(show.state));
  const planned = new Map<string, ShowCard[]>();
  for (const show of [...waiting].sort((a, b) => (a.planned_at ?? "").localeCompare(b.planned_at ?? ""))) {
    if (!show.planned_at) continue;
    const day = dayOf(show.planned_at);
    planned.set(day, [...(planned.get(day) ?? []), show]);
  }
  const past = shows.filter((show) => PAST.has(show.state));
  past.sort((a, b) => (b.started_at ?? b.ended_at ?? "").localeCompare(a.started_at ?? a.ended_at ?? ""));
  return {
    running,
    planned: [...planned].map(([day, list]) => ({ day, shows: list })),
    drafts: waiting.filter((show) => !show.planned_at),
    past,
  };
}

/** "2026-11-22T20:00" for `<input type="datetime-local">`, in this device's zone. */
export function localInput(moment: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${dayOf(moment)}T${two(moment.getHours())}:${two(moment.getMinutes())}`;
}

/** The next full hour, at least half an hour away. */
export function nextGoodHour(now: Date): Date {
  const good = new Date(now.getTime() + 30 * 60_000);
  if (good.getMinutes() > 0 || good.getSeconds() > 0) good.setHours(good.getHours() + 1);
  good.setMinutes(0, 0, 0);
  return good;
}
