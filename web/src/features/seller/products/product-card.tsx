import { useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import type { Product, Seller, Variant } from "@/shared/api/types";
import { currencyDigits, parsePrice } from "@/shared/lib/format";
import { Badge, Button, IconButton, Photo, toastError } from "@/shared/ui";
import { bodyOf, putProduct } from "../api";
import { InlineCell } from "../inline-cell";
import { variantTitle } from "../variant-matrix";
import styles from "./products.module.css";

const SHOWN_MAX = 4;

/** A product in the grid: picture, state, and the price of each variant edited where it stands. */
export function ProductCard({ seller, product, onOpen }: { seller: Seller; product: Product; onOpen: () => void }) {
  const { t } = useTranslation("seller");
  const client = useQueryClient();
  const picture = product.pictures.find((one) => one.state === "ready") ?? product.pictures[0];
  const savePrice = async (variant: Variant, amount: number) => {
    const body = bodyOf(product);
    body.variants = body.variants.map((one) => (one.id === variant.id ? { ...one, price_amount: amount } : one));
    await putProduct(seller.id, body).catch((error: unknown) => { toastError(error); throw error; });
    await client.invalidateQueries({ queryKey: ["seller", seller.id] });
  };
  const rest = product.variants.length - SHOWN_MAX;
  return (
    <li className={styles.card}>
      <button type="button" className={styles.cardHead} onClick={onOpen}>
        <Photo url={picture?.thumb_url} size={72} />
        <span className={styles.cardWords}>
          <strong className={styles.cardTitle}>{product.title}</strong>
          <span className={styles.badges}>
            <Badge tone={product.state === "active" ? "good" : "plain"}>{t(`products.state.${product.state}`)}</Badge>
            <Badge tone={available(product) === 0 ? "bad" : "plain"}>{t("products.available", { count: available(product) })}</Badge>
          </span>
        </span>
      </button>
      <ul className={styles.variants}>
        {product.variants.slice(0, SHOWN_MAX).map((variant) => (
          <li key={variant.id} className={styles.variant}>
            <span className={styles.variantName}>{variant.title || variantTitle(variant.options) || t("products.single")}<small>{t("products.available", { count: variant.available })}</small></span>
            <InlineCell
              label={t("products.priceOf", { name: `${product.title} ${variant.title}`.trim() })} text={plain(variant.price.amount, variant.price.currency)} mode="decimal" fault={t("products.badPrice")}
              read={(text) => parsePrice(text, variant.price.currency)} save={(amount) => savePrice(variant, amount)}
            />
          </li>
        ))}
      </ul>
      <div className={styles.cardFoot}>
        {rest > 0 ? <Button size="small" tone="ghost" onClick={onOpen}>{t("products.moreVariants", { count: rest })}</Button> : <span />}
        <IconButton icon="edit" label={t("products.edit", { title: product.title })} onClick={onOpen} />
      </div>
    </li>
  );
}

const available = (product: Product) => product.variants.reduce((sum, variant) => sum + variant.available, 0);

export function plain(amount: number, currency: string): string {
  const digits = currencyDigits(currency);
  return (amount / 10 ** digits).toFixed(digits);
}
