import { type ReactNode, useEffect, useId, useRef } from "react";
import { useTranslation } from "react-i18next";

import { cx } from "../lib/cx";
import { IconButton } from "./button";
import styles from "./sheet.module.css";

interface Props {
  open: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  /** Stays in view under the scrolling body. */
  footer?: ReactNode;
  /** "sheet" rises from the bottom on phones and is a dialog on desktops; "side" is a right column on desktops. */
  kind?: "sheet" | "side";
  className?: string;
}

/** A modal sheet on the browser's own dialog: focus stays inside, Escape closes, focus returns to where it was. */
export function Sheet({ open, onClose, title, children, footer, kind = "sheet", className }: Props) {
  const { t } = useTranslation();
  const dialog = useRef<HTMLDialogElement>(null);
  const headingId = useId();

  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (open && !element.open) element.showModal();
    if (!open && element.open) element.close();
  }, [open]);

  return (
    <dialog
      ref={dialog} className={cx(styles.sheet, styles[kind], className)} aria-labelledby={headingId}
      onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={(event) => { if (event.target === dialog.current) onClose(); }}
    >
      {open && (
        <div className={styles.frame}>
          <header className={styles.header}>
            <h2 id={headingId} tabIndex={-1} autoFocus className={styles.title}>{title}</h2>
            <IconButton icon="close" label={t("close")} onClick={onClose} />
          </header>
          <div className={styles.body}>{children}</div>
          {footer && <footer className={styles.footer}>{footer}</footer>}
        </div>
      )}
    </dialog>
  );
}
