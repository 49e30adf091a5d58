import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Field, Sheet, toast } from "@/shared/ui";

/** Whether the address is in the clipboard now. Pages without https have none, and a browser may refuse. */
async function copied(text: string): Promise<boolean> {
  if (!navigator.clipboard) return false;
  return navigator.clipboard.writeText(text).then(() => true, () => false);
}

/** Shares the room's address: the device's own way, else the clipboard, else the address to be copied by hand. */
export function useShare() {
  const { t } = useTranslation("room");
  const [shown, setShown] = useState<string | null>(null);
  const share = async (title: string) => {
    const url = location.origin + location.pathname;
    if (navigator.share) return navigator.share({ title, url }).catch(() => undefined);
    if (await copied(url)) toast(t("share.copied"));
    else setShown(url);
  };
  const byHand = (
    <Sheet open={shown !== null} onClose={() => setShown(null)} title={t("share.label")}>
      <Field label={t("share.address")} value={shown ?? ""} readOnly onFocus={(event) => event.target.select()} />
    </Sheet>
  );
  return { share, byHand };
}
