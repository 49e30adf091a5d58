import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import { meQuery } from "@/shared/api/queries";
import type { Creator, Seller, User } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Badge, Button, Field, Notice, TextArea, toast } from "@/shared/ui";
import styles from "./me.module.css";

const text = (form: HTMLFormElement, name: string) => String(new FormData(form).get(name) ?? "").trim();

/** Opens a channel: from then on this person can go live. */
export function BecomeCreator({ user }: { user: User }) {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const navigate = useNavigate();
  const [id] = useState(() => newId());
  const open = useMutation({
    mutationFn: (form: HTMLFormElement) => api.post<Creator>("/me/creator", { id, name: text(form, "name"), bio: text(form, "bio") }),
    onSuccess: async () => { await client.invalidateQueries({ queryKey: meQuery.queryKey }); await navigate({ to: "/studio" }); },
  });
  return (
    <form className={styles.block} onSubmit={(event: FormEvent<HTMLFormElement>) => { event.preventDefault(); open.mutate(event.currentTarget); }}>
      <h2>{t("creator.title")}</h2>
      <p className={styles.quiet}>{t("creator.text")}</p>
      {open.error && <Notice tone="bad">{open.error.message}</Notice>}
      <Field name="name" label={t("creator.name")} defaultValue={user.name} required maxLength={40} />
      <TextArea name="bio" label={t("creator.bio")} maxLength={500} rows={2} />
      <Button type="submit" tone="ink" icon="video" busy={open.isPending}>{t("creator.open")}</Button>
    </form>
  );
}

/** Applies to sell; the market's operator approves. */
export function BecomeSeller({ sellers }: { sellers: Seller[] }) {
  const { t } = useTranslation("me");
  const client = useQueryClient();
  const [id, setId] = useState(() => newId());
  const apply = useMutation({
    mutationFn: (form: HTMLFormElement) => api.post<Seller>("/sellers", { id, name: text(form, "seller") }).then(() => form.reset()),
    onSuccess: async () => { setId(newId()); toast(t("seller.sent"), { tone: "good" }); await client.invalidateQueries({ queryKey: meQuery.queryKey }); },
  });
  return (
    <form className={styles.block} onSubmit={(event: FormEvent<HTMLFormElement>) => { event.preventDefault(); apply.mutate(event.currentTarget); }}>
      <h2>{t("seller.title")}</h2>
      <p className={styles.quiet}>{t("seller.text")}</p>
      <ul className={styles.rows}>
        {sellers.map((seller) => <li key={seller.id} className={styles.row}><b>{seller.name}</b><Badge tone={seller.state === "approved" ? "good" : "warn"}>{t(`seller.state.${seller.state}`)}</Badge></li>)}
      </ul>
      {apply.error && <Notice tone="bad">{apply.error.message}</Notice>}
      <Field name="seller" label={t("seller.name")} required maxLength={80} />
      <Button type="submit" icon="stall" busy={apply.isPending}>{t("seller.apply")}</Button>
    </form>
  );
}
