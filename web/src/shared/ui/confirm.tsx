import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";

import { Button } from "./button";
import styles from "./confirm.module.css";
import { Sheet } from "./sheet";

interface Props {
  open: boolean;
  title: string;
  children?: ReactNode;
  /** What will happen, as a verb: "End show", never "OK". */
  action: string;
  tone?: "danger" | "ink" | "live";
  busy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

/** Asks once before something that cannot be taken back. */
export function Confirm({ open, title, children, action, tone = "danger", busy, onConfirm, onClose }: Props) {
  const { t } = useTranslation();
  return (
    <Sheet
      open={open} onClose={onClose} title={title}
      footer={
        <div className={styles.buttons}>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button tone={tone} busy={busy} onClick={onConfirm}>{action}</Button>
        </div>
      }
    >
      <div className={styles.text}>{children}</div>
    </Sheet>
  );
}
