import { useTranslation } from "react-i18next";

import type { Order } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatWhen } from "@/shared/lib/format";
import styles from "./orders.module.css";

/** What has happened to the order, oldest first, each with its time; the next deadline stands last. */
export function Timeline({ order }: { order: Order }) {
  const { t } = useTranslation("orders");
  const language = currentLanguage();
  return (
    <ol className={styles.timeline}>
      {order.history.map((entry, index) => (
        <li key={`${entry.at}-${index}`}><b>{t(`history.${entry.what.replace(":", "-")}`, { defaultValue: entry.what })}</b><time dateTime={entry.at}>{formatWhen(entry.at, language)}</time></li>
      ))}
      {order.state === "placed" && order.expires_at && <li className={styles.next}><b>{t("history.due")}</b><time dateTime={order.expires_at}>{formatWhen(order.expires_at, language)}</time></li>}
    </ol>
  );
}
