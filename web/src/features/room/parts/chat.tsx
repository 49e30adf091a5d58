import { memo, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { ChatMessage } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { type LiveClient, useLive } from "@/shared/live";
import styles from "./chat.module.css";

interface Sale { id: number; name: string; title: string; quantity: number }
const SALE_SHOWN_MS = 4000;

const Line = memo(function Line({ message, own }: { message: ChatMessage; own: boolean }) {
  const { t } = useTranslation("room");
  const staff = message.role !== "viewer" && message.role !== "observer";
  return (
    <li className={styles.line}>
      <b className={cx(styles.name, own && styles.own, staff && styles.staff)}>
        {staff && <span className={styles.role}>{t(`role.${message.role}`)}</span>}{message.name}{own && ` (${t("chat.you")})`}
      </b>{" "}
      <span>{message.text}</span>
    </li>
  );
});

/** The last sale, as a passing line; in a busy room a newer one takes its place. */
export function SaleNotice({ client }: { client: LiveClient }) {
  const { t } = useTranslation("room");
  const [sale, setSale] = useState<Sale | null>(null);
  useEffect(() => client.onEvent((event) => {
    if (event.kind === "sale.made") setSale({ id: event.seq, ...event.body });
  }), [client]);
  useEffect(() => {
    if (!sale) return;
    const timer = setTimeout(() => setSale(null), SALE_SHOWN_MS);
    return () => clearTimeout(timer);
  }, [sale]);
  if (!sale) return null;
  return <p key={sale.id} className={styles.sale}>{t("chat.bought", { name: sale.name, title: sale.title })}</p>;
}

/** Kept quiet for screen readers (a busy room would never stop talking), but it can be reached and read. */
export function ChatLines({ messages, userId, column = false, past = false }: { messages: ChatMessage[]; userId: string | undefined; column?: boolean; past?: boolean }) {
  const { t } = useTranslation("room");
  const shown = column ? messages : messages.slice(-24);
  return (
    <div className={cx(styles.scroll, column && styles.column)} role="log" aria-live="off" aria-label={t("chat.label")} tabIndex={0}>
      <ul className={styles.lines}>
        {shown.length === 0 && !past && <li className={cx(styles.line, styles.hello)}>{t("chat.empty")}</li>}
        {shown.map((message) => <Line key={message.id} message={message} own={message.user_id === userId} />)}
      </ul>
    </div>
  );
}

const NONE: ChatMessage[] = [];

export function LiveChat({ client, userId, column }: { client: LiveClient; userId: string | undefined; column?: boolean }) {
  const messages = useLive(client, (state) => state.chat) ?? NONE;
  return <ChatLines messages={messages} userId={userId} column={column} />;
}
