import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import { meQuery } from "@/shared/api/queries";
import type { Locale, Me, User } from "@/shared/api/types";
import { currentLanguage, setLanguage } from "@/shared/i18n";
import { Button, Field, Select, toast, toastError } from "@/shared/ui";
import styles from "./me.module.css";

export function Profile({ user }: { user: User }) {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const save = useMutation({
    mutationFn: (change: { name: string; locale: Locale }) => api.patch<Me>("/me", change),
    onSuccess: (me) => {
      client.setQueryData(meQuery.queryKey, me);
      if (me.user) setLanguage(me.user.locale === "zh" ? "zh" : "en");
      toast(t("saved"), { tone: "good" });
    },
    onError: toastError,
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const data = new FormData(event.currentTarget);
    save.mutate({ name: String(data.get("name")).trim(), locale: data.get("locale") === "zh" ? "zh" : "en" });
  };
  return (
    <form className={styles.block} onSubmit={submit}>
      <h2>{t("profile")}</h2>
      <Field name="name" label={t("name")} defaultValue={user.name} required maxLength={40} autoComplete="nickname" />
      <Select name="locale" label={t("language")} defaultValue={currentLanguage()} key={currentLanguage()}><option value="en">English</option><option value="zh">中文</option></Select>
      <Button type="submit" busy={save.isPending}>{t("common:save")}</Button>
    </form>
  );
}
