import type { ReactNode } from "react";

import { cx } from "../lib/cx";
import styles from "./stat.module.css";

interface Props { label: string; value: ReactNode; note?: ReactNode; tone?: "plain" | "good" | "bad" | "live"; className?: string }

/** One figure and its name. Put several in a `<StatRow>`. */
export function Stat({ label, value, note, tone = "plain", className }: Props) {
  return (
    <div className={cx(styles.stat, className)}>
      <dt className={styles.label}>{label}</dt>
      <dd className={cx(styles.value, styles[tone])}>{value}</dd>
      {note && <dd className={styles.note}>{note}</dd>}
    </div>
  );
}

export function StatRow({ children, className }: { children: ReactNode; className?: string }) {
  return <dl className={cx(styles.row, className)}>{children}</dl>;
}
