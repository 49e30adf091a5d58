import type { ButtonHTMLAttributes, ReactNode } from "react";

import { cx } from "../lib/cx";
import { Icon, type IconName } from "./icon";
import styles from "./button.module.css";

interface Props extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** "buy" is the one accent and is for buying only; "danger" for what cannot be undone. */
  tone?: "plain" | "ink" | "buy" | "danger" | "ghost" | "live";
  size?: "small" | "normal" | "large";
  busy?: boolean;
  wide?: boolean;
  icon?: IconName;
  children?: ReactNode;
}

export function Button({ tone = "plain", size = "normal", busy = false, wide, icon, className, children, disabled, type = "button", ...rest }: Props) {
  return (
    <button
      {...rest} type={type} disabled={disabled} aria-busy={busy || undefined} aria-disabled={busy || undefined}
      onClick={busy ? (event) => event.preventDefault() : rest.onClick}
      className={cx(styles.button, styles[tone], styles[size], wide && styles.wide, busy && styles.busy, className)}
    >
      {icon && <Icon name={icon} size={size === "small" ? 16 : 20} />}
      {children}
      {busy && <span className={styles.dots} aria-hidden="true"><i /><i /><i /></span>}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> {
  icon: IconName; label: string; filled?: boolean; size?: number;
}

export function IconButton({ icon, label, filled, size, className, type = "button", ...rest }: IconButtonProps) {
  return (
    <button {...rest} type={type} aria-label={label} title={label} className={cx(styles.iconButton, className)}>
      <Icon name={icon} filled={filled} size={size} />
    </button>
  );
}
