import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { meQuery } from "@/shared/api/queries";
import type { User } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Button, Field, Icon, type IconName, Notice, TextArea, toast } from "@/shared/ui";
import { openChannel } from "./api";
import styles from "./channel-form.module.css";

const PROMISES: { icon: IconName; word: string }[] = [
  { icon: "camera", word: "channel.camera" }, { icon: "pin", word: "channel.pin" }, { icon: "chart", word: "channel.money" },
];

/** One step: a name, and the channel is open. */
export function ChannelForm({ user }: { user: User }) {
  const { t } = useTranslation("studio");
  const client = useQueryClient();
  const [id] = useState(() => newId());
  const open = useMutation({
    mutationFn: openChannel,
    onSuccess: async () => {
      await client.invalidateQueries({ queryKey: meQuery.queryKey });
      toast(t("channel.opened"), { tone: "good" });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    open.mutate({ id, name: String(form.get("name") ?? "").trim(), bio: String(form.get("bio") ?? "").trim() });
  };
  return (
    <div className={styles.split}>
      <div className={styles.pitch}>
        <h1>{t("channel.title")}</h1>
        <p className={styles.lead}>{t("channel.text")}</p>
        <ul className={styles.promises}>
          {PROMISES.map(({ icon, word }) => (
            <li key={word}><span className={styles.disc}><Icon name={icon} /></span><span>{t(word)}</span></li>
          ))}
        </ul>
      </div>
      <form className={styles.card} onSubmit={submit}>
        {open.error && <Notice tone="bad">{open.error.message}</Notice>}
        <Field name="name" label={t("channel.name")} hint={t("channel.nameHint")} defaultValue={user.name} required maxLength={40} />
        <TextArea name="bio" label={t("channel.bio")} hint={t("channel.bioHint")} maxLength={300} rows={3} />
        <Button type="submit" tone="ink" size="large" wide busy={open.isPending}>{t("channel.open")}</Button>
      </form>
    </div>
  );
}
