import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Show, Snapshot } from "@/shared/api/types";
import type { LiveClient } from "@/shared/live";
import { useMedia, useOnline } from "@/shared/lib/use-media";
import { Notice, type Tab, Tabs } from "@/shared/ui";
import { setMicrophoneOn, useCamera } from "../camera/camera";
import { ChatPanel } from "../chat/chat-panel";
import { LiveNumbers } from "../numbers/live-numbers";
import { PlanSheet } from "../shelves/plan-sheet";
import { GoodsPanel, type GoodsHandle } from "../tray/goods-panel";
import { slotOfKey } from "../tray/tray-model";
import styles from "./control-room.module.css";
import { PicturePanel } from "./picture-panel";
import { ShortcutSheet } from "./shortcut-sheet";
import { StateButton } from "./state-button";
import { TopBar } from "./top-bar";
import { useShortcuts } from "./use-shortcuts";

export interface RoomProps { show: Show; room: Snapshot | undefined; client: LiveClient; refresh: () => void }
const GOODS_KEYS: Readonly<Record<string, (handle: GoodsHandle) => void>> = {
  "0": (handle) => handle.unpin(), f: (handle) => handle.flashPinned(), a: (handle) => handle.add(),
};
type Part = "picture" | "goods" | "chat" | "numbers";

/** Everything the host needs while on air: side by side on a desktop, one thumb's tabs on a phone. */
export function ControlRoom({ offline, ...props }: RoomProps & { offline: boolean }) {
  const { t } = useTranslation("studio");
  const wide = useMedia("(min-width: 1100px)");
  const online = useOnline();
  const goods = useRef<GoodsHandle>(null);
  const chatInput = useRef<HTMLInputElement>(null);
  const [part, setPart] = useState<Part>("picture");
  const [help, setHelp] = useState(false);
  const [editing, setEditing] = useState(false);
  const camera = useCamera();
  const shortcut = (key: string): boolean => {
    const slot = slotOfKey(key);
    const toGoods = slot !== null ? (handle: GoodsHandle) => handle.pinSlot(slot) : GOODS_KEYS[key];
    if (toGoods) {
      setPart("goods");
      requestAnimationFrame(() => { if (goods.current) toGoods(goods.current); });
    } else if (key === "c") {
      setPart("chat");
      requestAnimationFrame(() => chatInput.current?.focus());
    } else if (key === "m" && camera.phase === "on") setMicrophoneOn(!camera.microphoneOn);
    else if (key === "?") setHelp(true);
    else return false;
    return true;
  };
  useShortcuts(shortcut);
  const picture = <PicturePanel {...props} onEdit={() => setEditing(true)} />;
  const goodsPanel = <GoodsPanel {...props} ref={goods} />;
  const chat = <ChatPanel {...props} inputRef={chatInput} />;
  const numbers = <LiveNumbers {...props} />;
  const tabs: Tab<Part>[] = [
    { key: "picture", label: t("tab.picture"), icon: "video" }, { key: "goods", label: t("tab.goods"), icon: "bag" },
    { key: "chat", label: t("tab.chat"), icon: "chat" }, { key: "numbers", label: t("tab.numbers"), icon: "chart" },
  ];
  return (
    <div className={styles.room}>
      <TopBar {...props} onHelp={() => setHelp(true)} />
      {(offline || !online) && <div className={styles.band}><Notice tone="warn">{t("room.offline")}</Notice></div>}
      {wide ? (
        <main className={styles.desk}>
          <div className={styles.left}><StateButton {...props} />{picture}</div>
          <div className={styles.middle}>{numbers}{goodsPanel}</div>
          <div className={styles.right}>{chat}</div>
        </main>
      ) : (
        <main className={styles.phone}>
          <Tabs label={t("tab.label")} tabs={tabs} value={part} onChange={setPart} look="bar" className={styles.tabs} panelClassName={styles.panel}>
            {part === "picture" ? <>{picture}<StateButton {...props} /></> : part === "goods" ? goodsPanel : part === "chat" ? chat : numbers}
          </Tabs>
        </main>
      )}
      <ShortcutSheet open={help} onClose={() => setHelp(false)} />
      <PlanSheet open={editing} show={props.show} onClose={() => setEditing(false)} />
    </div>
  );
}
