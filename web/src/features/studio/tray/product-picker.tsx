import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { ProductCard } from "@/shared/api/types";
import { Badge, Button, Empty, ErrorState, Icon, Photo, Price, Skeleton } from "@/shared/ui";
import { productSearchQuery } from "../api";
import styles from "./picker.module.css";

interface Props {
  chosen: ReadonlySet<string>;
  onAdd: (product: ProductCard) => void;
  onRemove: (productId: string) => void;
}

function useSettled(text: string, ms: number): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ms);
    return () => clearTimeout(timer);
  }, [text, ms]);
  return settled;
}

/** Searches the catalogue of the whole market; a tap puts a product in the tray or takes it out. */
export function ProductPicker({ chosen, onAdd, onRemove }: Props) {
  const { t } = useTranslation(["studio", "common"]);
  const [text, setText] = useState("");
  const q = useSettled(text.trim(), 250);
  const products = useInfiniteQuery(productSearchQuery(q));
  const items = products.data?.pages.flatMap((page) => page.items) ?? [];
  return (
    <div className={styles.picker}>
      <label className={styles.search}>
        <Icon name="search" />
        <input type="search" value={text} onChange={(event) => setText(event.target.value)} placeholder={t("picker.search")} aria-label={t("picker.search")} maxLength={100} />
      </label>
      {products.isPending ? <div className={styles.list} aria-busy="true"><Skeleton height={72} /><Skeleton height={72} /><Skeleton height={72} /></div>
        : products.error && !products.data ? <ErrorState error={products.error} onRetry={() => void products.refetch()} />
        : items.length === 0 ? <Empty icon="bag" title={t(q ? "picker.noMatch" : "picker.none")}>{t(q ? "picker.noMatchText" : "picker.noneText")}</Empty>
        : (
          <ul className={styles.list}>
            {items.map((product) => (
              <Row key={product.id} product={product} chosen={chosen.has(product.id)} onAdd={onAdd} onRemove={onRemove} />
            ))}
          </ul>
        )}
      {products.hasNextPage && <Button wide busy={products.isFetchingNextPage} onClick={() => void products.fetchNextPage()}>{t("common:more")}</Button>}
    </div>
  );
}

function Row({ product, chosen, onAdd, onRemove }: Omit<Props, "chosen"> & { product: ProductCard; chosen: boolean }) {
  const { t } = useTranslation("studio");
  return (
    <li className={styles.row}>
      <Photo url={product.picture_url} size={56} />
      <div className={styles.words}>
        <span className={styles.title}>{product.title}</span>
        <span className={styles.detail}><Price money={product.price_from} size="small" /><span>{product.seller_name}</span></span>
      </div>
      {product.available === 0 && <Badge tone="warn">{t("picker.soldOut")}</Badge>}
      <Button size="small" tone={chosen ? "ink" : "plain"} icon={chosen ? "check" : "plus"} aria-pressed={chosen}
        aria-label={t(chosen ? "picker.remove" : "picker.add", { title: product.title })} onClick={() => (chosen ? onRemove(product.id) : onAdd(product))}>
        {t(chosen ? "picker.in" : "picker.addShort")}
      </Button>
    </li>
  );
}
