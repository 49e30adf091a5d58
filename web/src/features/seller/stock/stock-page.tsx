import { type InfiniteData, useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Page, StockRow } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { Badge, Button, Chip, Empty, ErrorState, PageHead, Skeleton, toastError } from "@/shared/ui";
import { putStock, stockQuery } from "../api";
import { InlineCell } from "../inline-cell";
import { type SellerContext, SellerFrame } from "../seller-frame";
import styles from "./stock.module.css";

const LOW = 5;
const FIGURES = ["available", "held", "in_deals", "sold"] as const;

export function StockPage() {
  const { t } = useTranslation("seller");
  return <SellerFrame title={t("nav.stock")}>{(context) => <Stock {...context} />}</SellerFrame>;
}

/** A number of pieces as typed, also on a Chinese keyboard; null when it is none. */
const readCount = (text: string): number | null => (/^\d{1,9}$/.test(text.normalize("NFKC").trim()) ? Number(text.normalize("NFKC")) : null);

function Stock({ seller }: SellerContext) {
  const { t } = useTranslation(["seller", "common"]);
  const client = useQueryClient();
  const stock = useInfiniteQuery(stockQuery(seller.id));
  const [onlyLow, setOnlyLow] = useState(false);
  const all = stock.data?.pages.flatMap((page) => page.items) ?? [];
  const rows = onlyLow ? all.filter((row) => row.available <= LOW) : all;
  const save = async (row: StockRow, on_hand: number) => {
    const answer = await putStock(seller.id, [{ variant_id: row.variant_id, on_hand }]).catch((error: unknown) => { toastError(error); throw error; });
    const fresh = new Map(answer.map((one) => [one.variant_id, one]));
    client.setQueryData<InfiniteData<Page<StockRow>>>(["seller", seller.id, "stock"], (data) => data && {
      ...data, pages: data.pages.map((page) => ({ ...page, items: page.items.map((one) => fresh.get(one.variant_id) ?? one) })),
    });
    void client.invalidateQueries({ queryKey: ["seller", seller.id, "products"] });
  };
  return (
    <>
      <PageHead title={t("nav.stock")} note={t("stock.note")}>
        <Chip chosen={onlyLow} onClick={() => setOnlyLow(!onlyLow)}>{t("stock.low")}</Chip>
      </PageHead>
      {stock.isPending ? <Skeleton height={280} radius={18} />
        : stock.error && !stock.data ? <ErrorState error={stock.error} onRetry={() => void stock.refetch()} />
        : rows.length === 0 ? <Empty icon="stall" title={t(onlyLow ? "stock.noLow" : "stock.none")}>{t(onlyLow ? "stock.noLowText" : "stock.noneText")}</Empty>
        : <Table rows={rows} onSave={save} />}
      {stock.hasNextPage && <Button busy={stock.isFetchingNextPage} onClick={() => void stock.fetchNextPage()}>{t("common:more")}</Button>}
    </>
  );
}

function Table({ rows, onSave }: { rows: readonly StockRow[]; onSave: (row: StockRow, onHand: number) => Promise<void> }) {
  const { t } = useTranslation("seller");
  return (
    <div className={styles.box}>
      <table className={styles.table}>
        <thead>
          <tr>
            <th scope="col">{t("stock.variant")}</th><th scope="col" className={styles.figure}>{t("stock.on_hand")}</th>
            {FIGURES.map((figure) => <th key={figure} scope="col" className={styles.figure}>{t(`stock.${figure}`)}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.variant_id}>
              <th scope="row" className={styles.name}>
                <span>{row.product_title}</span>
                <small>{[row.variant_title, row.sku].filter(Boolean).join(" · ")}</small>
              </th>
              <td data-label={t("stock.on_hand")} className={styles.figure}>
                <InlineCell
                  label={t("stock.onHandOf", { name: `${row.product_title} ${row.variant_title}`.trim() })} text={String(row.on_hand)} mode="numeric" fault={t("stock.bad")}
                  read={readCount} save={(value) => onSave(row, value)}
                />
              </td>
              {FIGURES.map((figure) => (
                <td key={figure} data-label={t(`stock.${figure}`)} className={cx(styles.figure, row[figure] === 0 && styles.zero)}>
                  {figure === "available" && row.available <= LOW ? <Badge tone={row.available === 0 ? "bad" : "warn"}>{row.available}</Badge> : row[figure]}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
