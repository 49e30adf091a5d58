import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiError } from "@/shared/api/client";
import { newId } from "@/shared/lib/ids";
import { type LiveClient, useLive } from "@/shared/live";
import { useRequireUser } from "@/shared/session";
import { IconButton, toast, toastError } from "@/shared/ui";
import styles from "./composer.module.css";

const CHAT_CHARACTERS_MAX = 200;

/** Says something in the room. What is typed stays until the server has taken it. */
export function Composer({ client }: { client: LiveClient }) {
  const { t } = useTranslation("room");
  const requireUser = useRequireUser();
  const [text, setText] = useState("");
  const [sending, setSending] = useState(false);
  const quiet = useLive(client, (state) => state.chat_mode.muted_all && state.show.role === "viewer") ?? false;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const said = text.trim();
    if (!said || sending) return;
    if (!(await requireUser())) return;
    setSending(true);
    try {
      await client.say(newId(), said);
      setText("");
    } catch (error) {
      if (error instanceof ApiError && error.code === "connection-lost") toast(t("chat.lost"), { tone: "bad" });
      else toastError(error);
    } finally {
      setSending(false);
    }
  };
  return (
    <form className={styles.form} onSubmit={(event) => void submit(event)}>
      <input
        className={styles.input} value={text} onChange={(event) => setText(event.target.value)} maxLength={CHAT_CHARACTERS_MAX} disabled={quiet}
        placeholder={t(quiet ? "chat.quiet" : "chat.say")} aria-label={t("chat.say")} enterKeyHint="send" autoComplete="off"
      />
      {text.trim() !== "" && <IconButton type="submit" icon="send" label={t("chat.send")} className={styles.send} aria-busy={sending || undefined} />}
    </form>
  );
}
