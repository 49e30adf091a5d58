import type { ButtonHTMLAttributes, ReactNode } from "react";

import { cx } from "../lib/cx";
import styles from "./chip.module.css";

interface ChipProps extends ButtonHTMLAttributes<HTMLButtonElement> { chosen?: boolean; gone?: boolean; children: ReactNode }

/** A choice among few. `gone` greys it and strikes it out but it can still be reached and read. */
export function Chip({ chosen = false, gone = false, className, type = "button", ...rest }: ChipProps) {
  return (
    <button {...rest} type={type} aria-pressed={chosen} aria-disabled={gone || undefined}
      className={cx(styles.chip, chosen && styles.chosen, gone && styles.gone, className)} />
  );
}

/** A word about a state. */
export function Badge({ tone = "plain", children, className }: { tone?: "plain" | "live" | "good" | "warn" | "bad" | "ink"; children: ReactNode; className?: string }) {
  return <span className={cx(styles.badge, styles[tone], className)}>{children}</span>;
}
