import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import type { Import } from "@/shared/api/types";
import { Button, ErrorState, Notice, Skeleton, Stat, StatRow } from "@/shared/ui";
import { importQuery } from "../api";
import { csvOf, download } from "../csv-template";
import sellerStyles from "../seller.module.css";
import styles from "./import.module.css";

/** How far the import is, and every line that could not be read: where, what stood there, what to do. */
export function ImportReport({ sellerId, importId }: { sellerId: string; importId: string }) {
  const { t } = useTranslation("seller");
  const client = useQueryClient();
  const query = useQuery(importQuery(sellerId, importId));
  const state = query.data?.state;
  useEffect(() => {
    if (state !== "done") return;
    void client.invalidateQueries({ queryKey: ["seller", sellerId, "products"] });
    void client.invalidateQueries({ queryKey: ["seller", sellerId, "stock"] });
  }, [state, client, sellerId]);
  if (query.isPending) return <Skeleton height={120} radius={18} />;
  if (query.error && !query.data) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  const one = query.data;
  return (
    <section className={sellerStyles.panel} aria-labelledby="report-title" aria-busy={one.state === "reading"}>
      <h2 id="report-title">{t(`import.heading.${one.state}`)}</h2>
      {one.state === "reading" && <progress className={styles.progress} value={one.lines ? one.lines_done : undefined} max={Math.max(1, one.lines)} aria-label={t("import.reading")} />}
      {one.state === "failed" && <Notice tone="bad">{one.error ?? t("import.state.failed")}</Notice>}
      <StatRow>
        <Stat label={t("import.lines")} value={one.lines_done} note={t("import.ofLines", { count: one.lines })} />
        <Stat label={t("import.created")} value={one.products_created} tone={one.products_created > 0 ? "good" : "plain"} />
        <Stat label={t("import.updated")} value={one.products_updated} />
        <Stat label={t("import.faulty")} value={one.errors_total} tone={one.errors_total > 0 ? "bad" : "plain"} />
      </StatRow>
      {one.pictures_pending > 0 && <Notice>{t("import.pictures", { count: one.pictures_pending })}</Notice>}
      {one.errors.length > 0 && <Errors one={one} />}
      {one.state === "done" && <Link to="/seller/products" className={styles.toProducts}>{t("import.toProducts")}</Link>}
    </section>
  );
}

function Errors({ one }: { one: Import }) {
  const { t } = useTranslation("seller");
  const save = () => download("livestall-import-errors.csv", csvOf([
    [t("import.line"), t("import.column"), t("import.value"), t("import.message")], ...one.errors.map((error) => [String(error.line), error.column, error.value, error.message]),
  ]));
  return (
    <div className={styles.errors}>
      <div className={styles.errorsHead}><h3>{t("import.errorsTitle")}</h3><Button size="small" onClick={save}>{t("import.saveErrors")}</Button></div>
      <div className={styles.tableBox} tabIndex={0} role="region" aria-label={t("import.errorsTitle")}>
        <table className={styles.table}>
          <thead><tr><th scope="col">{t("import.line")}</th><th scope="col">{t("import.column")}</th><th scope="col">{t("import.value")}</th><th scope="col">{t("import.message")}</th></tr></thead>
          <tbody>
            {one.errors.map((error, index) => (
              <tr key={index}><td className="num">{error.line}</td><td>{error.column}</td><td><code>{error.value}</code></td><td>{error.message}</td></tr>
            ))}
          </tbody>
        </table>
      </div>
      {one.errors_total > one.errors.length && <p className={sellerStyles.note}>{t("import.moreErrors", { shown: one.errors.length, all: one.errors_total })}</p>}
    </div>
  );
}
