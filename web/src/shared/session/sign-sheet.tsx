import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "../api/client";
import type { Me } from "../api/types";
import { currentLanguage } from "../i18n";
import { newId } from "../lib/ids";
import { Button, Field, Notice, Sheet, toast } from "../ui";
import { useSignAsking } from ".";
import styles from "./sign-sheet.module.css";

interface Entries { login: string; password: string; name: string }

function SignForm({ onDone, mode, onMode }: { onDone: (me: Me) => void; mode: "in" | "up"; onMode: (mode: "in" | "up") => void }) {
  const { t } = useTranslation();
  const [accountId] = useState(() => newId());
  const sign = useMutation({
    mutationFn: ({ login, password, name }: Entries) => mode === "in"
      ? api.post<Me>("/sign-in", { login, password })
      : api.post<Me>("/sign-up", { id: accountId, login, password, name, locale: currentLanguage() }),
    onSuccess: (me) => {
      if (mode === "up" && me.user) toast(t("sign.welcome", { name: me.user.name }), { tone: "good" });
      onDone(me);
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (key: string) => String(form.get(key) ?? "");
    sign.mutate({ login: text("login").trim(), password: text("password"), name: text("name").trim() });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      {sign.error && <Notice tone="bad">{sign.error.message}</Notice>}
      {mode === "up" && <Field name="name" label={t("sign.name")} hint={t("sign.nameHint")} autoComplete="nickname" required maxLength={40} />}
      <Field name="login" label={t("sign.login")} autoComplete="username" inputMode="email" autoCapitalize="none" required maxLength={200} />
      <Field name="password" type="password" label={t("sign.password")} hint={mode === "up" ? t("sign.passwordHint") : undefined}
        autoComplete={mode === "in" ? "current-password" : "new-password"} required minLength={mode === "up" ? 8 : 1} maxLength={200} />
      <Button type="submit" tone="ink" size="large" wide busy={sign.isPending}>{t(mode === "in" ? "sign.in" : "sign.up")}</Button>
      <Button tone="ghost" wide onClick={() => { sign.reset(); onMode(mode === "in" ? "up" : "in"); }}>
        {t(mode === "in" ? "sign.toUp" : "sign.toIn")}
      </Button>
    </form>
  );
}

/** Sign in and sign up in one sheet, in place. */
export default function SignSheet() {
  const { t } = useTranslation();
  const { open, answer } = useSignAsking();
  const [mode, setMode] = useState<"in" | "up">("in");
  return (
    <Sheet open={open} onClose={() => answer(null)} title={t(mode === "in" ? "sign.inTitle" : "sign.upTitle")}>
      <SignForm key={mode} mode={mode} onMode={setMode} onDone={answer} />
    </Sheet>
  );
}
