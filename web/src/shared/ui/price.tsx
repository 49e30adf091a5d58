import { useTranslation } from "react-i18next";

import type { Money } from "../api/types";
import { currentLanguage } from "../i18n";
import { cx } from "../lib/cx";
import { formatMoney, priceParts } from "../lib/format";
import styles from "./price.module.css";

interface Props { money: Money; was?: Money | null; size?: "small" | "normal" | "large"; className?: string }

/** A price in tabular figures; `was` is the list price, struck through when it is higher. */
export function Price({ money, was, size = "normal", className }: Props) {
  const { t } = useTranslation();
  const language = currentLanguage();
  const struck = was && was.amount > money.amount ? was : null;
  return (
    <span className={cx(styles.price, styles[size], className)}>
      <span className={styles.now}>
        {priceParts(money, language).map((part, index) => (
          <span key={index} className={part.type === "currency" ? styles.symbol : undefined}>{part.value}</span>
        ))}
      </span>
      {struck && (
        <s className={styles.was}><span className="sr-only">{t("price.was")} </span>{formatMoney(struck, language)}</s>
      )}
    </span>
  );
}
