import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { meQuery } from "@/shared/api/queries";
import { currentLanguage, setLanguage } from "@/shared/i18n";
import { newId } from "@/shared/lib/ids";
import { useTitle } from "@/shared/lib/use-title";
import { useMe } from "@/shared/session";
import { Button, Empty, Field, Notice, Select, toast } from "@/shared/ui";
import { openMarket } from "./api";
import styles from "./operator.module.css";

const CURRENCIES = ["CNY", "USD", "EUR", "GBP", "JPY", "HKD", "TWD", "KRW", "SGD", "MYR", "THB", "VND", "IDR", "PHP", "INR", "AUD", "CAD", "CHF", "BRL", "MXN"];

function currencyName(code: string): string {
  const names = new Intl.DisplayNames([currentLanguage() === "zh" ? "zh-CN" : "en-GB"], { type: "currency" });
  return `${code} · ${names.of(code) ?? code}`;
}

/** Opened once, from the link that the server prints: makes the operator and names the market. */
export function FirstRunPage() {
  const { t } = useTranslation("operator");
  const { token } = useSearch({ from: "/first-run" });
  const me = useMe();
  useTitle(t("first.title"));
  const done = me.data?.first_run === false;
  return (
    <main className={styles.first}>
      {done ? <Empty page icon="check" title={t("first.done")} action={<Link to="/operator" className={styles.done}>{t("first.toOperator")}</Link>}>{t("first.doneText")}</Empty>
        : token ? <FirstRunForm token={token} />
        : <Empty page icon="key" title={t("first.noToken")}>{t("first.noTokenText")}</Empty>}
    </main>
  );
}

function LanguageButton() {
  const { t } = useTranslation("common");
  return (
    <Button tone="ghost" size="small" icon="globe" aria-label={t("nav.languageLabel")} onClick={() => setLanguage(currentLanguage() === "en" ? "zh" : "en")}>
      {t("nav.language")}
    </Button>
  );
}

function FirstRunForm({ token }: { token: string }) {
  const { t } = useTranslation("operator");
  const [id] = useState(() => newId());
  const client = useQueryClient();
  const navigate = useNavigate();
  const open = useMutation({
    mutationFn: openMarket,
    onSuccess: async (me) => {
      await navigate({ to: "/operator" });
      client.setQueryData(meQuery.queryKey, me);
      toast(t("first.welcome", { name: me.market.name }), { tone: "good" });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (key: string) => String(form.get(key) ?? "");
    open.mutate({
      token, id, login: text("login").trim(), password: text("password"), name: text("name").trim(),
      market_name: text("market_name").trim(), currency: text("currency"),
    });
  };
  return (
    <form className={styles.card} onSubmit={submit}>
      <div className={styles.intro}>
        <div className={styles.corner}><img src="/favicon.svg" alt="" width={44} height={44} /><LanguageButton /></div>
        <h1>{t("first.title")}</h1>
        <p>{t("first.text")}</p>
      </div>
      {open.error && <Notice tone="bad">{open.error.message}</Notice>}
      <div className={styles.form}>
        <Field name="market_name" label={t("first.market")} hint={t("first.marketHint")} required maxLength={60} autoComplete="organization" />
        <Select name="currency" label={t("first.currency")} hint={t("first.currencyHint")} defaultValue={currentLanguage() === "zh" ? "CNY" : "USD"}>
          {CURRENCIES.map((code) => <option key={code} value={code}>{currencyName(code)}</option>)}
        </Select>
        <Field name="name" label={t("first.name")} required maxLength={40} autoComplete="name" />
        <Field name="login" label={t("first.login")} required maxLength={200} autoComplete="username" inputMode="email" autoCapitalize="none" />
        <Field name="password" type="password" label={t("first.password")} hint={t("first.passwordHint")} required minLength={8} maxLength={200} autoComplete="new-password" />
      </div>
      <Button type="submit" tone="ink" size="large" wide busy={open.isPending}>{t("first.submit")}</Button>
    </form>
  );
}
