import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Product } from "@/shared/api/types";
import { Button, Chip, Empty, ErrorState, Icon, PageHead, Skeleton } from "@/shared/ui";
import { productsQuery } from "../api";
import { type SellerContext, SellerFrame } from "../seller-frame";
import sellerStyles from "../seller.module.css";
import { ProductCard } from "./product-card";
import { ProductSheet } from "./product-sheet";
import styles from "./products.module.css";

const STATES = ["", "active", "draft", "archived"] as const;

export function ProductsPage() {
  const { t } = useTranslation("seller");
  return <SellerFrame title={t("nav.products")}>{(context) => <Products {...context} />}</SellerFrame>;
}

function Products({ seller, currency }: SellerContext) {
  const { t } = useTranslation(["seller", "common"]);
  const [text, setText] = useState("");
  const [q, setQ] = useState("");
  const [state, setState] = useState<(typeof STATES)[number]>("");
  const [open, setOpen] = useState<Product | "new" | null>(null);
  useEffect(() => {
    const timer = setTimeout(() => setQ(text.trim()), 250);
    return () => clearTimeout(timer);
  }, [text]);
  const products = useInfiniteQuery(productsQuery(seller.id, q, state));
  const items = products.data?.pages.flatMap((page) => page.items) ?? [];
  const shown = open && open !== "new" ? (items.find((item) => item.id === open.id) ?? open) : null;
  return (
    <>
      <PageHead title={t("nav.products")}>
        <Link to="/seller/import" className={sellerStyles.linkButton}><Icon name="upload" />{t("products.import")}</Link>
        <Button tone="ink" icon="plus" onClick={() => setOpen("new")}>{t("products.create")}</Button>
      </PageHead>
      <div className={styles.filters}>
        <label className={styles.search}><Icon name="search" /><input type="search" value={text} maxLength={100} onChange={(event) => setText(event.target.value)} placeholder={t("products.search")} aria-label={t("products.search")} /></label>
        <div className={styles.chips} role="group" aria-label={t("products.filter")}>
          {STATES.map((one) => <Chip key={one} chosen={state === one} onClick={() => setState(one)}>{t(`products.state.${one || "all"}`)}</Chip>)}
        </div>
      </div>
      {products.isPending ? <div className={styles.grid} aria-busy="true"><Skeleton height={260} radius={18} /><Skeleton height={260} radius={18} /><Skeleton height={260} radius={18} /></div>
        : products.error && !products.data ? <ErrorState error={products.error} onRetry={() => void products.refetch()} />
        : items.length === 0 ? (q || state) ? <Empty icon="search" title={t("products.noMatch")}>{t("products.noMatchText")}</Empty>
          : <Empty icon="bag" title={t("products.none")} action={<Button tone="ink" icon="plus" onClick={() => setOpen("new")}>{t("products.create")}</Button>}>{t("products.noneText")}</Empty>
        : <ul className={styles.grid}>{items.map((product) => <ProductCard key={product.id} seller={seller} product={product} onOpen={() => setOpen(product)} />)}</ul>}
      {products.hasNextPage && <Button busy={products.isFetchingNextPage} onClick={() => void products.fetchNextPage()}>{t("common:more")}</Button>}
      {open && <ProductSheet key={open === "new" ? "new" : open.id} seller={seller} currency={currency} product={shown} onClose={() => setOpen(null)} onCreated={setOpen} />}
    </>
  );
}
