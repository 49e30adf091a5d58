import { describe, expect, it } from "vitest";

import { csvOf, TEMPLATE_ROWS } from "./csv-template";

describe("the import template", () => {
  it("has as many cells in every line as in the head", () => {
    expect(new Set(TEMPLATE_ROWS.map((row) => row.length)).size).toBe(1);
  });

  it("quotes what needs quoting", () => {
    expect(csvOf([["a,b", 'say "hi"', "plain"]])).toBe('"a,b","say ""hi""",plain\r\n');
  });
});
