import { useTranslation } from "react-i18next";

import { parsePrice } from "@/shared/lib/format";
import { variantTitle } from "../variant-matrix";
import styles from "./products.module.css";

export interface VariantRow { id: string; sku: string; options: Record<string, string>; price: string; compareAt: string }

interface Props { rows: readonly VariantRow[]; currency: string; tried: boolean; onChange: (rows: VariantRow[]) => void }

/** One line for each variant: price, price before, article number. */
export function VariantTable({ rows, currency, tried, onChange }: Props) {
  const { t } = useTranslation("seller");
  const change = (id: string, part: Partial<VariantRow>) => onChange(rows.map((row) => (row.id === id ? { ...row, ...part } : row)));
  const bad = (text: string, must: boolean) => (text.trim() === "" ? must && tried : parsePrice(text, currency) === null);
  const anyBad = rows.some((row) => bad(row.price, true) || bad(row.compareAt, false));
  return (
    <div className={styles.tableBox}>
      <h3>{t("variants.title", { count: rows.length })}</h3>
      <table className={styles.table}>
        <thead><tr><th scope="col">{t("variants.variant")}</th><th scope="col">{t("variants.price", { currency })}</th><th scope="col">{t("variants.before")}</th><th scope="col">{t("variants.sku")}</th></tr></thead>
        <tbody>
          {rows.map((row) => {
            const name = variantTitle(row.options) || t("products.single");
            return (
              <tr key={row.id}>
                <th scope="row">{name}</th>
                <td><input aria-label={t("variants.priceOf", { name })} inputMode="decimal" value={row.price} aria-invalid={bad(row.price, true) || undefined} onChange={(event) => change(row.id, { price: event.target.value })} /></td>
                <td><input aria-label={t("variants.beforeOf", { name })} inputMode="decimal" value={row.compareAt} aria-invalid={bad(row.compareAt, false) || undefined} onChange={(event) => change(row.id, { compareAt: event.target.value })} /></td>
                <td><input aria-label={t("variants.skuOf", { name })} value={row.sku} maxLength={80} onChange={(event) => change(row.id, { sku: event.target.value })} /></td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {anyBad && <p role="alert" className={styles.fault}>{t("variants.bad")}</p>}
    </div>
  );
}
