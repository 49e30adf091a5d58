import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import type { TrayItem } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { currencyDigits, formatMoney, parsePrice } from "@/shared/lib/format";
import { Button, Field, Sheet } from "@/shared/ui";
import styles from "./goods.module.css";
import type { TrayEntry } from "./tray-model";

interface Props {
  item: TrayItem;
  saving: boolean;
  onSave: (change: Pick<TrayEntry, "show_price_amounts" | "per_buyer">) => unknown;
  onRemove: () => void;
  onClose: () => void;
}

/** Price in this show for each variant, and how many one buyer may take. */
export function ListingSheet({ item, saving, onSave, onRemove, onClose }: Props) {
  const { t } = useTranslation(["studio", "common"]);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const found: Record<string, string> = {};
    const prices: Record<string, number> = {};
    for (const variant of item.variants) {
      const text = String(form.get(variant.variant_id) ?? "").trim();
      if (text === "") continue;
      const amount = parsePrice(text, variant.list_price.currency);
      if (amount === null || amount < 1) found[variant.variant_id] = t("goods.badPrice");
      else if (amount !== variant.list_price.amount) prices[variant.variant_id] = amount;
    }
    const limit = String(form.get("limit") ?? "").trim();
    if (limit !== "" && !/^[1-9]\d{0,2}$/.test(limit)) found.limit = t("goods.badLimit");
    setErrors(found);
    if (Object.keys(found).length === 0) onSave({ show_price_amounts: prices, per_buyer: limit === "" ? null : Number(limit) });
  };
  return (
    <Sheet
      open onClose={onClose} title={item.product.title}
      footer={
        <div className={styles.footer}>
          <Button tone="danger" icon="trash" onClick={onRemove}>{t("goods.remove")}</Button>
          <Button tone="ink" type="submit" form="listing-form" busy={saving}>{t("common:save")}</Button>
        </div>
      }
    >
      <form id="listing-form" className={styles.form} onSubmit={submit} noValidate>
        <h3>{t("goods.showPrice")}</h3>
        <p className={styles.hint}>{t("goods.showPriceHint")}</p>
        {item.variants.map((variant) => (
          <Field
            key={variant.variant_id} name={variant.variant_id} label={variant.title || item.product.title} inputMode="decimal" error={errors[variant.variant_id]}
            hint={t("goods.list", { price: formatMoney(variant.list_price, currentLanguage()) })} placeholder={plain(variant.list_price.amount, variant.list_price.currency)}
            defaultValue={variant.price.amount === variant.list_price.amount ? "" : plain(variant.price.amount, variant.price.currency)}
          />
        ))}
        <Field name="limit" label={t("goods.limitLabel")} hint={t("goods.limitHint")} inputMode="numeric" defaultValue={item.per_buyer ?? ""} error={errors.limit} />
      </form>
    </Sheet>
  );
}

function plain(amount: number, currency: string): string {
  const digits = currencyDigits(currency);
  return (amount / 10 ** digits).toFixed(digits);
}
