/** Named delays of reconnecting, in milliseconds. Every wait is drawn at random up to its bound, so a room of people never knocks at once. */
export const DELAYS = {
  first: 500,
  most: 15_000,
  mostHidden: 60_000,
  hiddenFactor: 5,
} as const;

/** How long to wait before try number `attempt` (0 is the first after the loss). Between half of the bound and the bound. */
export function backoff(attempt: number, hidden: boolean, random: () => number = Math.random): number {
  const grown = DELAYS.first * 2 ** Math.min(attempt, 10) * (hidden ? DELAYS.hiddenFactor : 1);
  const bound = Math.min(grown, hidden ? DELAYS.mostHidden : DELAYS.most);
  return Math.round(bound * (0.5 + random() / 2));
}
