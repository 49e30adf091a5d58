import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { cx } from "../lib/cx";
import { Icon } from "./icon";
import styles from "./proof-link.module.css";

interface Props { show?: string; deal?: string; variant?: string; className?: string }

/** To the public proof of what is offered here; in a tab of its own, so that the picture goes on. */
export function ProofLink({ className, ...asked }: Props) {
  const { t } = useTranslation();
  return (
    <Link to="/proof" search={asked} target="_blank" preload={false} className={cx(styles.link, className)}>
      <Icon name="check" size={14} />{t("proof")}<span className="sr-only"> {t("newTab")}</span>
    </Link>
  );
}
