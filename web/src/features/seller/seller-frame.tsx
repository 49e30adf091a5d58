import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { meQuery } from "@/shared/api/queries";
import type { Seller } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { useTitle } from "@/shared/lib/use-title";
import { useMe, useRequireUser } from "@/shared/session";
import { Button, Empty, ErrorState, Field, Notice, Select, Skeleton } from "@/shared/ui";
import { apply } from "./api";
import styles from "./seller.module.css";

export interface SellerContext { seller: Seller; currency: string }
const KEPT = "livestall.seller";
const LINKS = [["/seller", "nav.board"], ["/seller/products", "nav.products"], ["/seller/stock", "nav.stock"], ["/seller/import", "nav.import"]] as const;

/** Lets in who may sell; leads everybody else to the one next step. Draws the seller's own menu. */
export function SellerFrame({ title, children }: { title: string; children: (context: SellerContext) => ReactNode }) {
  const { t } = useTranslation("seller");
  const me = useMe();
  const requireUser = useRequireUser();
  const [chosen, setChosen] = useState(() => localStorage.getItem(KEPT));
  useTitle(title);
  if (me.isPending) return <div className={styles.page} aria-busy="true"><Skeleton height={44} /><Skeleton height={96} radius={12} /><Skeleton height={240} radius={18} /></div>;
  if (me.error && !me.data) return <ErrorState error={me.error} onRetry={() => void me.refetch()} />;
  const { user, sellers, market } = me.data;
  if (!user) return <Empty page icon="stall" title={t("signedOut.title")} action={<Button tone="ink" onClick={() => void requireUser()}>{t("signedOut.action")}</Button>}>{t("signedOut.text")}</Empty>;
  const approved = sellers.filter((seller) => seller.state === "approved");
  const seller = approved.find((one) => one.id === chosen) ?? approved[0];
  if (!seller) return <NotYet sellers={sellers} />;
  const choose = (id: string) => { localStorage.setItem(KEPT, id); setChosen(id); };
  return (
    <div className={styles.page}>
      <div className={styles.menuRow}>
        <nav className={styles.menu} aria-label={t("nav.label")}>
          {LINKS.map(([to, word]) => <Link key={to} to={to} className={styles.menuLink} activeOptions={{ exact: true, includeSearch: false }}>{t(word)}</Link>)}
        </nav>
        {approved.length > 1 && (
          <Select label={t("nav.choose")} value={seller.id} onChange={(event) => choose(event.target.value)} className={styles.choose}>
            {approved.map((one) => <option key={one.id} value={one.id}>{one.name}</option>)}
          </Select>
        )}
      </div>
      {children({ seller, currency: market.currency })}
    </div>
  );
}

function NotYet({ sellers }: { sellers: readonly Seller[] }) {
  const { t } = useTranslation("seller");
  const me = useMe();
  const waiting = sellers.find((seller) => seller.state === "applied");
  const stopped = sellers.find((seller) => seller.state === "suspended");
  if (waiting) {
    return (
      <Empty page icon="clock" title={t("waiting.title")} action={<Button busy={me.isFetching} onClick={() => void me.refetch()}>{t("waiting.look")}</Button>}>
        {t("waiting.text", { name: waiting.name })}
      </Empty>
    );
  }
  if (stopped) return <Empty page icon="warning" title={t("suspended.title")}>{t("suspended.text", { name: stopped.name })}</Empty>;
  return <ApplyForm />;
}

function ApplyForm() {
  const { t } = useTranslation("seller");
  const client = useQueryClient();
  const [id] = useState(() => newId());
  const ask = useMutation({ mutationFn: apply, onSuccess: () => client.invalidateQueries({ queryKey: meQuery.queryKey }) });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    ask.mutate({ id, name: String(new FormData(event.currentTarget).get("name") ?? "").trim() });
  };
  return (
    <form className={styles.apply} onSubmit={submit}>
      <h1>{t("apply.title")}</h1>
      <p className={styles.note}>{t("apply.text")}</p>
      {ask.error && <Notice tone="bad">{ask.error.message}</Notice>}
      <Field name="name" label={t("apply.name")} hint={t("apply.nameHint")} required maxLength={60} autoComplete="organization" />
      <Button type="submit" tone="ink" size="large" wide busy={ask.isPending}>{t("apply.submit")}</Button>
    </form>
  );
}
