import type { Locale, Money } from "../api/types";

const LOCALE_TAGS: Record<Locale, string> = { en: "en-GB", zh: "zh-CN" };
const cache = new Map<string, Intl.NumberFormat>();

function currencyFormat(currency: string, language: Locale): Intl.NumberFormat {
  const key = `${language}:${currency}`;
  const found = cache.get(key);
  if (found) return found;
  const made = new Intl.NumberFormat(LOCALE_TAGS[language], { style: "currency", currency, currencyDisplay: "narrowSymbol" });
  cache.set(key, made);
  return made;
}

/** How many minor units make one major unit, as a power of ten: CNY 2, JPY 0. */
export function currencyDigits(currency: string): number {
  return currencyFormat(currency, "en").resolvedOptions().maximumFractionDigits ?? 2;
}

/** The parts of a price, so that the symbol can be set smaller than the figure. */
export function priceParts(money: Money, language: Locale): { type: string; value: string }[] {
  const format = currencyFormat(money.currency, language);
  return format.formatToParts(money.amount / 10 ** currencyDigits(money.currency));
}

export function formatMoney(money: Money, language: Locale): string {
  return priceParts(money, language).map((part) => part.value).join("");
}

/** Reads what a person typed ("12.5", "12,50", "１２。５" on a Chinese keyboard) as minor units; null when it is no price. */
export function parseMoney(text: string, currency: string): number | null {
  const plain = text.normalize("NFKC").trim().replace(/[,。、]/, ".");
  const digits = currencyDigits(currency);
  const pattern = digits === 0 ? /^\d{1,12}$/ : new RegExp(`^\\d{1,12}(\\.\\d{1,${digits}})?$`);
  if (!pattern.test(plain)) return null;
  const [whole = "0", fraction = ""] = plain.split(".");
  return Number(whole) * 10 ** digits + Number(fraction.padEnd(digits, "0") || "0");
}

/** The same for what somebody asks for something: nothing is no price. */
export function parsePrice(text: string, currency: string): number | null {
  return parseMoney(text, currency) || null;
}

/** 950 → 950, 12,345 → 12.3K or 1.2万. */
export function formatCount(count: number, language: Locale): string {
  return new Intl.NumberFormat(LOCALE_TAGS[language], { notation: count < 10_000 ? "standard" : "compact", maximumFractionDigits: 1 }).format(count);
}

/** Day and time where the reader is; the year as well when it is another one. */
export function formatWhen(iso: string, language: Locale): string {
  const when = new Date(iso);
  const year = when.getFullYear() === new Date().getFullYear() ? undefined : "numeric";
  return new Intl.DateTimeFormat(LOCALE_TAGS[language], { year, month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" }).format(when);
}

/** 18:33:50 of today, for a moment just gone; milliseconds since the epoch. */
export function formatClock(at: number, language: Locale): string {
  return new Intl.DateTimeFormat(LOCALE_TAGS[language], { timeStyle: "medium" }).format(at);
}

export function formatDay(iso: string, language: Locale): string {
  return new Intl.DateTimeFormat(LOCALE_TAGS[language], { year: "numeric", month: "short", day: "numeric" }).format(new Date(iso));
}

/** 65 → "1:05", 3725 → "1:02:05". Never negative. */
export function formatDuration(seconds: number): string {
  const total = Math.max(0, Math.floor(seconds));
  const h = Math.floor(total / 3600);
  const m = Math.floor((total % 3600) / 60);
  const s = String(total % 60).padStart(2, "0");
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${s}` : `${m}:${s}`;
}
