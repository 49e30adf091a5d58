import { memo } from "react";
import { useTranslation } from "react-i18next";

import type { ChatMessage } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { Avatar, Badge, IconButton } from "@/shared/ui";
import styles from "./chat.module.css";

interface Props {
  message: ChatMessage;
  mutedNow: boolean;
  onDelete: (message: ChatMessage) => void;
  onMute: (message: ChatMessage) => void;
}

export const ChatLine = memo(function ChatLine({ message, mutedNow, onDelete, onMute }: Props) {
  const { t } = useTranslation("studio");
  const staff = message.role !== "viewer";
  return (
    <li className={styles.line}>
      <Avatar name={message.name} size={28} />
      <p className={styles.text}>
        <span className={cx(styles.name, staff && styles.staff)}>{message.name}</span>
        {staff && <Badge tone="ink">{t(`role.${message.role}`)}</Badge>}
        {mutedNow && <Badge tone="warn">{t("chat.isMuted")}</Badge>}{" "}
        {message.text}
      </p>
      <span className={styles.tools}>
        <IconButton icon="trash" size={18} className={styles.tool} label={t("chat.delete", { name: message.name })} onClick={() => onDelete(message)} />
        {!staff && <IconButton icon="mute" size={18} className={styles.tool} label={t("chat.mute", { name: message.name })} disabled={mutedNow} onClick={() => onMute(message)} />}
      </span>
    </li>
  );
}, (before, after) => before.message === after.message && before.mutedNow === after.mutedNow);
