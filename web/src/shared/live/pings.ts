/** A few pings at once for a first good estimate of the server's clock, then one now and again. In milliseconds. */
export const PINGS = { first: [0, 120, 300, 700, 1500], every: 15_000 } as const;

/** Pings until the function returned is called. */
export function startPings(ping: () => void): () => void {
  const first = PINGS.first.map((wait) => setTimeout(ping, wait));
  const every = setInterval(ping, PINGS.every);
  return () => {
    first.forEach(clearTimeout);
    clearInterval(every);
  };
}
