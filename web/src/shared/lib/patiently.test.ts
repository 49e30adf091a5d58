import { expect, test } from "vitest";

import { patiently } from "./patiently";

function failing(times: number) {
  const tried = { count: 0 };
  return { tried, load: () => (tried.count++ < times ? Promise.reject(new Error("nobody answers")) : Promise.resolve("here")) };
}

test("what does not come at once is asked for again, later each time", async () => {
  const { tried, load } = failing(3);
  const waited: number[] = [];
  expect(await patiently(load, [1, 2, 4, 8], (ms) => { waited.push(ms); return Promise.resolve(); })).toBe("here");
  expect([tried.count, waited]).toEqual([4, [1, 2, 4]]);
});

test("in the end it says why", async () => {
  const { tried, load } = failing(9);
  await expect(patiently(load, [1, 2], () => Promise.resolve())).rejects.toThrow("nobody answers");
  expect(tried.count).toBe(3);
});
