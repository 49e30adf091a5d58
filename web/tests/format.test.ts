import { describe, expect, it } from "vitest";

import { currencyDigits, formatCount, formatDuration, formatMoney, formatWhen, parseMoney, parsePrice } from "@/shared/lib/format";

describe("money", () => {
  it("is shown in major units with the currency's own digits", () => {
    expect(formatMoney({ amount: 123456, currency: "CNY" }, "zh")).toBe("¥1,234.56");
    expect(formatMoney({ amount: 1234, currency: "JPY" }, "en")).toBe("¥1,234");
    expect(currencyDigits("KWD")).toBe(3);
  });
  it("is read back without losing a cent", () => {
    expect(parseMoney("19.99", "CNY")).toBe(1999);
    expect(parseMoney("0,1", "EUR")).toBe(10);
    expect(parseMoney("1000", "JPY")).toBe(1000);
    expect(parseMoney(" 5 ", "USD")).toBe(500);
  });
  it("is read as a Chinese keyboard writes it", () => {
    expect(parseMoney("１２。５", "CNY")).toBe(1250);
    expect(parseMoney("12。50", "CNY")).toBe(1250);
  });
  it("is no price when it is nothing", () => {
    expect(parsePrice("0.00", "CNY")).toBeNull();
    expect(parsePrice("0.01", "CNY")).toBe(1);
  });
  it("refuses what is no price", () => {
    for (const text of ["", "-1", "1.999", "abc", "1e5", "1.5.2"]) expect(parseMoney(text, "CNY")).toBeNull();
    expect(parseMoney("1.5", "JPY")).toBeNull();
  });
});

describe("counts and times", () => {
  it("shortens large counts in the reader's language", () => {
    expect(formatCount(950, "en")).toBe("950");
    expect(formatCount(12_345, "en").toLowerCase()).toBe("12.3k");
    expect(formatCount(12_345, "zh")).toBe("1.2万");
  });
  it("shows hours only when there are some, and never a negative time", () => {
    expect(formatDuration(65)).toBe("1:05");
    expect(formatDuration(3725)).toBe("1:02:05");
    expect(formatDuration(-3)).toBe("0:00");
  });
});

describe("a moment", () => {
  it("says its year only when it is another one", () => {
    const now = new Date();
    expect(formatWhen(now.toISOString(), "en")).not.toContain(String(now.getFullYear()));
    expect(formatWhen(new Date(2019, 5, 1, 12).toISOString(), "en")).toContain("2019");
  });
});
