import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type DragEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Import, Seller } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { cx } from "@/shared/lib/cx";
import { formatWhen } from "@/shared/lib/format";
import { newId } from "@/shared/lib/ids";
import { Badge, Button, Icon, Notice, PageHead } from "@/shared/ui";
import { importAddress, importsQuery } from "../api";
import { csvOf, download, TEMPLATE_ROWS } from "../csv-template";
import { type SellerContext, SellerFrame } from "../seller-frame";
import sellerStyles from "../seller.module.css";
import { upload } from "../upload";
import { ImportReport } from "./import-report";
import styles from "./import.module.css";

export function ImportPage() {
  const { t } = useTranslation("seller");
  return <SellerFrame title={t("nav.import")}>{(context) => <Importing {...context} />}</SellerFrame>;
}

function Importing({ seller }: SellerContext) {
  const { t } = useTranslation("seller");
  const [current, setCurrent] = useState<string | null>(null);
  return (
    <>
      <PageHead title={t("import.title")} note={t("import.note")}>
        <Button icon="orders" onClick={() => download("livestall-products.csv", csvOf(TEMPLATE_ROWS))}>{t("import.template")}</Button>
      </PageHead>
      <DropZone seller={seller} onStarted={setCurrent} />
      {current && <ImportReport sellerId={seller.id} importId={current} />}
      <Former seller={seller} current={current} onOpen={setCurrent} />
    </>
  );
}

function DropZone({ seller, onStarted }: { seller: Seller; onStarted: (id: string) => void }) {
  const { t } = useTranslation("seller");
  const client = useQueryClient();
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const [share, setShare] = useState(0);
  const send = useMutation({
    mutationFn: (file: File) => upload<Import>(importAddress(seller.id, newId()), file, setShare),
    onSuccess: async (started) => {
      onStarted(started.id);
      await client.invalidateQueries({ queryKey: ["seller", seller.id, "imports"] });
    },
  });
  const take = (file: File | undefined) => {
    if (!file || send.isPending) return;
    setShare(0);
    send.mutate(file);
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    take(event.dataTransfer.files[0]);
  };
  return (
    <div className={cx(styles.zone, over && styles.over)} onDragOver={(event) => { event.preventDefault(); setOver(true); }} onDragLeave={() => setOver(false)} onDrop={drop}>
      {send.error && <Notice tone="bad">{send.error.message}</Notice>}
      <span className={styles.disc}><Icon name="upload" size={26} /></span>
      <p className={styles.big}>{t("import.drop")}</p>
      <p className={sellerStyles.note}>{t("import.dropText")}</p>
      {send.isPending ? <progress className={styles.progress} value={share} max={1} aria-label={t("import.sending")} />
        : <Button tone="ink" onClick={() => input.current?.click()}>{t("import.choose")}</Button>}
      <input ref={input} type="file" accept=".csv,text/csv" hidden aria-label={t("import.choose")} onChange={(event) => { take(event.target.files?.[0]); event.target.value = ""; }} />
    </div>
  );
}

function Former({ seller, current, onOpen }: { seller: Seller; current: string | null; onOpen: (id: string) => void }) {
  const { t } = useTranslation("seller");
  const imports = useQuery(importsQuery(seller.id));
  const items = (imports.data?.items ?? []).filter((one) => one.id !== current);
  if (items.length === 0) return null;
  return (
    <section className={sellerStyles.panel} aria-labelledby="former-title">
      <h2 id="former-title">{t("import.former")}</h2>
      <ul className={sellerStyles.rows}>
        {items.map((one) => (
          <li key={one.id} className={sellerStyles.row}>
            <div className={sellerStyles.words}>
              <strong>{formatWhen(one.created_at, currentLanguage())}</strong>
              <span className={sellerStyles.note}>{t("import.summary", { lines: one.lines_done, made: one.products_created, changed: one.products_updated })}</span>
            </div>
            <Badge tone={one.state === "failed" || one.errors_total > 0 ? "warn" : "good"}>{one.errors_total > 0 ? t("import.errors", { count: one.errors_total }) : t(`import.state.${one.state}`)}</Badge>
            <Button size="small" onClick={() => onOpen(one.id)}>{t("import.open")}</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
