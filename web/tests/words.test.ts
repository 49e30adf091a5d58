import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

type Words = { [key: string]: string | Words };

function folders(): string[] {
  const features = readdirSync("src/features").map((name) => join("src/features", name, "locales"));
  return ["src/shared/locales", ...features.filter((path) => statSync(path, { throwIfNoEntry: false })?.isDirectory())];
}

function flat(words: Words, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(words)) {
    if (typeof value === "string") found.set(prefix + key, value);
    else for (const [inner, text] of flat(value, `${prefix}${key}.`)) found.set(inner, text);
  }
  return found;
}

const read = (path: string) => flat(JSON.parse(readFileSync(path, "utf8")) as Words);
const slots = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1]).sort();

describe.each(folders())("words in %s", (folder) => {
  const en = read(join(folder, "en.json"));
  const zh = read(join(folder, "zh.json"));
  it("say the same things in both languages", () => {
    expect([...zh.keys()].sort()).toEqual([...en.keys()].sort());
  });
  it("leave nothing empty and fill the same slots", () => {
    for (const [key, text] of en) {
      expect(text, key).not.toBe("");
      expect(zh.get(key), key).not.toBe("");
      expect(slots(zh.get(key) ?? ""), key).toEqual(slots(text));
    }
  });
});
