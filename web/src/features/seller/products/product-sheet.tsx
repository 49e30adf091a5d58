import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Product, Seller } from "@/shared/api/types";
import { parseMoney, parsePrice } from "@/shared/lib/format";
import { newId } from "@/shared/lib/ids";
import { Button, Confirm, Field, Notice, Select, Sheet, TextArea, toast, toastError } from "@/shared/ui";
import { bodyOf, createProduct, type ProductBody, putProduct } from "../api";
import { type Axis, cleanAxes, reconcile, type VariantDraft } from "../variant-matrix";
import { AxesEditor } from "./axes-editor";
import { Pictures } from "./pictures";
import { plain } from "./product-card";
import styles from "./products.module.css";
import { type VariantRow, VariantTable } from "./variant-table";

interface Props { seller: Seller; currency: string; product: Product | null; onClose: () => void; onCreated: (product: Product) => void }

function firstRows(product: Product | null, currency: string): VariantRow[] {
  if (!product) return [{ id: newId(), sku: "", options: {}, price: "", compareAt: "" }];
  return product.variants.map((variant) => ({
    id: variant.id, sku: variant.sku, options: variant.options, price: plain(variant.price.amount, currency),
    compareAt: variant.compare_at ? plain(variant.compare_at.amount, currency) : "",
  }));
}

/** A product and its variants. A new one is saved first; then it takes pictures. */
export function ProductSheet({ seller, currency, product, onClose, onCreated }: Props) {
  const { t } = useTranslation(["seller", "common"]);
  const client = useQueryClient();
  const [id] = useState(() => product?.id ?? newId());
  const [axes, setAxes] = useState<Axis[]>(() => product?.options.map((option) => ({ ...option })) ?? []);
  const [rows, setRows] = useState<VariantRow[]>(() => firstRows(product, currency));
  const [tried, setTried] = useState(false);
  const [archiving, setArchiving] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: ["seller", seller.id] });
  const save = useMutation({
    mutationFn: (body: ProductBody) => (product ? putProduct(seller.id, body) : createProduct(seller.id, body)),
    onSuccess: async (saved) => {
      toast(t("products.saved"), { tone: "good" });
      await refresh();
      if (product) onClose();
      else onCreated(saved);
    },
  });
  const archive = useMutation({
    mutationFn: (state: Product["state"]) => putProduct(seller.id, bodyOf(product as Product, { state })),
    onSuccess: async () => { setArchiving(false); await refresh(); onClose(); },
    onError: toastError,
  });
  const changeAxes = (next: Axis[]) => {
    setAxes(next);
    const drafts: VariantDraft[] = rows.map((row) => ({ id: row.id, sku: row.sku, options: row.options, priceAmount: parseMoney(row.price, currency), compareAtAmount: parseMoney(row.compareAt, currency) }));
    setRows(reconcile(next, drafts, newId).map((draft) => ({
      id: draft.id, sku: draft.sku, options: draft.options, price: draft.priceAmount === null ? "" : plain(draft.priceAmount, currency),
      compareAt: draft.compareAtAmount === null ? "" : plain(draft.compareAtAmount, currency),
    })));
  };
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    setTried(true);
    const form = new FormData(event.currentTarget);
    const title = String(form.get("title") ?? "").trim();
    const variants = rows.map((row) => ({ id: row.id, sku: row.sku.trim(), options: row.options, price_amount: parsePrice(row.price, currency), compare_at_amount: row.compareAt.trim() === "" ? null : parsePrice(row.compareAt, currency) }));
    const bad = rows.some((row, index) => variants[index]?.price_amount === null || (row.compareAt.trim() !== "" && variants[index]?.compare_at_amount === null));
    if (!title || bad) return;
    save.mutate({
      id, title, description: String(form.get("description") ?? "").trim(), state: String(form.get("state") ?? "active") as Product["state"], options: cleanAxes(axes),
      variants: variants.map((variant) => ({ ...variant, price_amount: variant.price_amount ?? 0 })),
    });
  };
  const footer = (
    <div className={styles.footer}>
      {product && (product.state === "archived"
        ? <Button busy={archive.isPending} onClick={() => archive.mutate("active")}>{t("products.restore")}</Button>
        : <Button tone="danger" onClick={() => setArchiving(true)}>{t("products.archive")}</Button>)}
      <Button tone="ink" type="submit" form="product-form" className={styles.save} busy={save.isPending}>{t("common:save")}</Button>
    </div>
  );
  return (
    <Sheet open onClose={onClose} title={product ? product.title : t("products.create")} footer={footer} className={styles.sheet}>
      <form id="product-form" className={styles.form} onSubmit={submit}>
        {save.error && <Notice tone="bad">{save.error.message}</Notice>}
        {product ? <Pictures seller={seller} product={product} onChange={() => void refresh()} /> : <p className={styles.note}>{t("products.picturesLater")}</p>}
        <Field name="title" label={t("products.title")} defaultValue={product?.title} required maxLength={200} />
        <TextArea name="description" label={t("products.description")} defaultValue={product?.description} maxLength={10000} rows={4} />
        <Select name="state" label={t("products.stateLabel")} defaultValue={product?.state ?? "active"}>
          {(["active", "draft", ...(product?.state === "archived" ? ["archived"] : [])]).map((state) => <option key={state} value={state}>{t(`products.state.${state}`)}</option>)}
        </Select>
        <AxesEditor axes={axes} onChange={changeAxes} />
        <VariantTable rows={rows} currency={currency} tried={tried} onChange={setRows} />
      </form>
      <Confirm open={archiving} title={t("products.archiveAsk")} action={t("products.archive")} busy={archive.isPending} onConfirm={() => archive.mutate("archived")} onClose={() => setArchiving(false)}>
        {t("products.archiveText")}
      </Confirm>
    </Sheet>
  );
}
