const PAUSES_MS = [500, 1000, 2000, 4000, 8000, 15_000];

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Something that is fetched when it is first needed: asked for again for half a minute while nobody answers, then it throws. */
export async function patiently<T>(load: () => Promise<T>, pauses: readonly number[] = PAUSES_MS, wait = sleep): Promise<T> {
  for (const pause of pauses) {
    try {
      return await load();
    } catch {
      await wait(pause);
    }
  }
  return load();
}
