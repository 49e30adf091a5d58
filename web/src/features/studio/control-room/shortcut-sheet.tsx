import { useTranslation } from "react-i18next";

import { Sheet } from "@/shared/ui";
import styles from "./control-room.module.css";

const KEYS: readonly (readonly [string, string])[] = [
  ["1 – 9", "keys.pin"], ["0", "keys.unpin"], ["F", "keys.flash"], ["A", "keys.add"], ["C", "keys.chat"], ["M", "keys.microphone"], ["?", "keys.help"], ["Esc", "keys.close"],
];

export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t } = useTranslation("studio");
  return (
    <Sheet open={open} onClose={onClose} title={t("keys.title")}>
      <dl className={styles.keys}>
        {KEYS.map(([key, word]) => <div key={key}><dt><kbd>{key}</kbd></dt><dd>{t(word)}</dd></div>)}
      </dl>
    </Sheet>
  );
}
