import { Link } from "@tanstack/react-router";
import type { CSSProperties, ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { ApiError } from "../api/client";
import { cx } from "../lib/cx";
import { Button } from "./button";
import { Icon, type IconName } from "./icon";
import styles from "./states.module.css";

/** A grey place-holder of the coming thing's shape; appears only after 300 ms. */
export function Skeleton({ width, height, radius, className }: { width?: number | string; height?: number | string; radius?: number | string; className?: string }) {
  const style: CSSProperties = { width, height, borderRadius: radius };
  return <span aria-hidden="true" className={cx(styles.skeleton, className)} style={style} />;
}

interface StateProps { icon?: IconName; /** The whole page is this state: its title is the page's heading. */ page?: boolean; title: string; children?: ReactNode; action?: ReactNode }

/** Nothing here yet, and what to do next. */
export function Empty({ icon = "stall", title, children, action, page }: StateProps) {
  const Heading = page ? "h1" : "h2";
  return (
    <div className={styles.state}>
      <span className={styles.badge}><Icon name={icon} size={28} /></span>
      <Heading className={styles.heading}>{title}</Heading>
      {children && <p className={styles.text}>{children}</p>}
      {action}
    </div>
  );
}

/** What happened, and a way to try again; a way on where there is nothing. */
export function ErrorState({ error, onRetry, title, page }: { error: unknown; onRetry?: () => void; title?: string; page?: boolean }) {
  const { t } = useTranslation();
  const Heading = page ? "h1" : "h2";
  const offline = error instanceof ApiError && error.code === "offline";
  const missing = error instanceof ApiError && error.status === 404;
  const heading = title ?? t(offline ? "state.offline" : missing ? "state.missing" : "state.error");
  return (
    <div className={styles.state} role="alert">
      <span className={styles.badge}><Icon name={missing ? "search" : "warning"} size={28} /></span>
      <Heading className={styles.heading}>{heading}</Heading>
      <p className={styles.text}>{error instanceof ApiError ? error.message : t("state.errorText")}</p>
      {missing && <Link to="/" search={{}} className={styles.onward}>{t("state.onward")}</Link>}
      {onRetry && !missing && <Button tone="ink" onClick={onRetry}>{t("retry")}</Button>}
    </div>
  );
}

/** A sentence in a coloured band: something to know, to watch, or that went wrong. */
export function Notice({ tone = "info", children }: { tone?: "info" | "good" | "warn" | "bad"; children: ReactNode }) {
  const icon: IconName = tone === "good" ? "check" : tone === "info" ? "info" : "warning";
  return (
    <div className={cx(styles.notice, styles[tone])} role={tone === "bad" ? "alert" : undefined}>
      <Icon name={icon} /><div>{children}</div>
    </div>
  );
}
