import { useMutation } from "@tanstack/react-query";
import type { TFunction } from "i18next";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Deal, TrayItem } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { currencyDigits, formatMoney, parseMoney } from "@/shared/lib/format";
import { newId } from "@/shared/lib/ids";
import { Button, Field, Notice, Select, Sheet, toast } from "@/shared/ui";
import { startFlashSale } from "../api";
import styles from "./deals.module.css";
import { faults, FLASH, type FlashSaleDraft, type FlashSaleField, isStretched, newFlashSale, requestOf } from "./flash-sale-form";

interface Props { item: TrayItem; stock: Record<string, number>; showId: string; running: readonly Deal[]; onClose: () => void }

const plain = (amount: number, currency: string) => (amount / 10 ** currencyDigits(currency)).toFixed(currencyDigits(currency));
const whole = (text: string): number | null => (/^\d{1,7}$/.test(text.trim()) ? Number(text) : null);

/** One sheet, sensible values already in it: from thought to countdown in two taps. */
export function FlashSaleDialog({ item, stock, showId, running, onClose }: Props) {
  const { t } = useTranslation(["studio", "common"]);
  const free = item.variants.filter((variant) => !running.some((deal) => deal.variant_id === variant.variant_id));
  const first = free.find((variant) => (stock[variant.variant_id] ?? 0) > 0) ?? free[0] ?? item.variants[0];
  const currency = first?.list_price.currency ?? "CNY";
  const fresh = (variantId: string) => {
    const variant = item.variants.find((one) => one.variant_id === variantId);
    return newFlashSale(variantId, variant?.list_price.amount ?? 0, stock[variantId] ?? 0);
  };
  const [id] = useState(() => newId());
  const [draft, setDraft] = useState<FlashSaleDraft>(() => fresh(first?.variant_id ?? ""));
  const [price, setPrice] = useState(() => plain(draft.priceAmount ?? 0, currency));
  const [tried, setTried] = useState(false);
  const variant = item.variants.find((one) => one.variant_id === draft.variantId);
  const known = { listAmount: variant?.list_price.amount ?? 0, available: stock[draft.variantId] ?? 0 };
  const found = faults(draft, known);
  const start = useMutation({
    mutationFn: () => startFlashSale(showId, requestOf(draft, id, item.listing_id)),
    onSuccess: (deal) => { toast(startedWords(deal, t), { tone: "good" }); onClose(); },
  });
  const error = (field: FlashSaleField): string | null => {
    const fault = found[field];
    if (!fault || (!tried && fault === "required")) return null;
    const money = formatMoney({ amount: known.listAmount, currency }, currentLanguage());
    return t(`flash.fault.${fault}`, { list: money, available: known.available, quota: draft.quota ?? 0, ...bounds(field) });
  };
  const number = (field: "quota" | "released" | "countdownSeconds" | "durationMinutes" | "perBuyer") => ({
    value: draft[field] ?? "", inputMode: "numeric" as const, error: error(field), autoComplete: "off",
    onChange: (event: { target: { value: string } }) => {
      const value = whole(event.target.value);
      // Until it is touched itself, all of the quota is let go at the start.
      setDraft((before) => ({ ...before, [field]: value, ...(field === "quota" && before.released === before.quota ? { released: value } : {}) }));
    },
  });
  const choose = (variantId: string) => {
    const next = fresh(variantId);
    setDraft(next);
    setPrice(plain(next.priceAmount ?? 0, currency));
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(found).length === 0) start.mutate();
  };
  return (
    <Sheet open onClose={onClose} title={t("flash.title")} footer={<Button type="submit" form="flash-form" tone="live" size="large" wide icon="bolt" busy={start.isPending}>{t("flash.start")}</Button>}>
      <form id="flash-form" className={styles.form} onSubmit={submit} noValidate>
        <p className={styles.product}>{item.product.title}</p>
        {start.error && <Notice tone="bad">{start.error.message}</Notice>}
        {item.variants.length > 1 && (
          <Select label={t("flash.variant")} value={draft.variantId} onChange={(event) => choose(event.target.value)} error={error("variantId")}>
            {item.variants.map((one) => (
              <option key={one.variant_id} value={one.variant_id} disabled={!free.includes(one)}>
                {one.title} · {formatMoney(one.list_price, currentLanguage())} · {t("goods.left", { count: stock[one.variant_id] ?? 0 })}
              </option>
            ))}
          </Select>
        )}
        <Field
          label={t("flash.price")} inputMode="decimal" value={price} error={error("priceAmount")} autoComplete="off"
          hint={t("goods.list", { price: formatMoney({ amount: known.listAmount, currency }, currentLanguage()) })}
          onChange={(event) => { setPrice(event.target.value); setDraft((before) => ({ ...before, priceAmount: parseMoney(event.target.value, currency) })); }}
        />
        <div className={styles.pair}>
          <Field label={t("flash.quota")} hint={t("flash.quotaHint", { count: known.available })} {...number("quota")} />
          <Field label={t("flash.released")} hint={t("flash.releasedHint")} {...number("released")} />
        </div>
        <div className={styles.triple}>
          <Field label={t("flash.countdown")} hint={t("flash.countdownHint")} {...number("countdownSeconds")} />
          <Field label={t("flash.duration")} {...number("durationMinutes")} />
          <Field label={t("flash.perBuyer")} {...number("perBuyer")} />
        </div>
      </form>
    </Sheet>
  );
}

/** "The countdown runs", or by how much it was stretched so that everyone sees the announcement first. */
function startedWords(deal: Deal, t: TFunction<["studio", "common"]>): string {
  const seconds = Math.round((Date.parse(deal.opens_at) - Date.parse(deal.announced_at)) / 100) / 10;
  return isStretched(deal) ? t("flash.startedFair", { seconds }) : t("flash.started");
}

function bounds(field: FlashSaleField): { min?: number; max?: number } {
  if (field === "countdownSeconds" || field === "durationMinutes" || field === "perBuyer") return { min: FLASH[field].min, max: FLASH[field].max };
  return { min: field === "released" ? 0 : 1, max: FLASH.quotaMax };
}
