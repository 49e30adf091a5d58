import { useMutation } from "@tanstack/react-query";
import { type Ref, useImperativeHandle, useState } from "react";
import { useTranslation } from "react-i18next";

import type { TrayItem } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Button, Empty, Sheet, Skeleton, toast, toastError } from "@/shared/ui";
import { pinListing, unpin } from "../api";
import type { RoomProps } from "../control-room/control-room";
import { activePin, isOnAir, openDeals } from "../control-room/use-room";
import { FlashSaleDialog } from "../deals/flash-sale-dialog";
import { RunningDeal } from "../deals/running-deal";
import styles from "./goods.module.css";
import { ListingCard } from "./listing-card";
import { ListingSheet } from "./listing-sheet";
import { ProductPicker } from "./product-picker";
import { addProduct, editListing, move, removeListing } from "./tray-model";
import { useDragOrder } from "./use-drag-order";
import { useTray } from "./use-tray";

/** What the keyboard does to the goods. */
export interface GoodsHandle { pinSlot: (index: number) => void; unpin: () => void; flashPinned: () => void; add: () => void }

export function GoodsPanel({ show, room, ref }: RoomProps & { ref?: Ref<GoodsHandle> }) {
  const { t } = useTranslation(["studio", "common"]);
  const tray = useTray(show.id, room?.tray);
  const [adding, setAdding] = useState(false);
  const [editing, setEditing] = useState<string | null>(null);
  const [flashing, setFlashing] = useState<string | null>(null);
  const [spoken, setSpoken] = useState("");
  const pinned = activePin(room);
  const deals = openDeals(room);
  const onAir = isOnAir(show);
  const pin = usePin(show.id, pinned?.listing_id);
  const find = (id: string | null) => tray.items.find((item) => item.listing_id === id);

  const reorder = (id: string, to: number) => {
    const item = find(id);
    if (item) setSpoken(t("goods.moved", { title: item.product.title, slot: to + 1 }));
    void tray.change((entries) => move(entries, entries.findIndex((entry) => entry.listing_id === id), to)).catch(() => undefined);
  };
  const remove = (item: TrayItem) => {
    const before = tray.entries();
    void tray.change((entries) => removeListing(entries, item.listing_id)).then(() => {
      const dismiss = toast(t("goods.removed", { title: item.product.title }), {
        action: { label: t("undo"), run: () => { dismiss(); void tray.change(() => before).catch(() => undefined); } },
      });
    }, () => undefined);
  };
  const { list, order, handle, dragging } = useDragOrder(tray.items.map((item) => item.listing_id), reorder);
  useImperativeHandle(ref, () => ({
    pinSlot: (index) => { const item = tray.items[index]; if (item && onAir) pin.toggle(item, pinned?.id); },
    unpin: () => { if (pinned) pin.end(pinned.id); },
    flashPinned: () => { if (pinned) setFlashing(pinned.listing_id); },
    add: () => setAdding(true),
  }));

  const flashItem = find(flashing);
  const editItem = find(editing);
  return (
    <section className={styles.goods} aria-label={t("tab.goods")}>
      {deals.map((deal) => <RunningDeal key={deal.id} deal={deal} item={find(deal.listing_id)} showId={show.id} />)}
      <div className={styles.head}>
        <h2>{t("goods.title", { count: tray.items.length })}</h2>
        <Button size="small" icon="plus" onClick={() => setAdding(true)}>{t("goods.add")}</Button>
      </div>
      {!tray.known && <Skeleton height={120} radius={18} />}
      {tray.known && tray.items.length === 0 && <Empty icon="bag" title={t("goods.none")} action={<Button tone="ink" icon="plus" onClick={() => setAdding(true)}>{t("goods.add")}</Button>}>{t("goods.noneText")}</Empty>}
      <ul ref={list} className={styles.list}>
        {order.map((id, index) => {
          const item = find(id);
          return item && (
            <ListingCard
              key={id} item={item} index={index} stock={room?.totals.stock} pinnedAt={pinned?.listing_id === id ? pinned.stream_at : null} onAir={onAir}
              busy={pin.busy === id} dragging={dragging === id} inDeal={deals.some((deal) => deal.listing_id === id)} handle={handle(id)}
              onPin={() => pin.toggle(item, pinned?.id)} onFlash={() => setFlashing(id)} onEdit={() => setEditing(id)}
            />
          );
        })}
      </ul>
      <p className="sr-only" role="status">{spoken}</p>
      <Sheet open={adding} onClose={() => setAdding(false)} title={t("goods.add")} footer={<Button tone="ink" wide onClick={() => setAdding(false)}>{t("common:done")}</Button>}>
        <ProductPicker
          chosen={new Set(tray.entries().map((entry) => entry.product_id))}
          onAdd={(product) => void tray.change((entries) => addProduct(entries, product.id, newId())).catch(() => undefined)}
          onRemove={(productId) => { const item = tray.items.find((one) => one.product.id === productId); if (item) remove(item); }}
        />
      </Sheet>
      {editItem && (
        <ListingSheet
          item={editItem} onClose={() => setEditing(null)} saving={tray.saving}
          onSave={(change) => tray.change((entries) => editListing(entries, editItem.listing_id, change)).then(() => setEditing(null), () => undefined)}
          onRemove={() => { setEditing(null); remove(editItem); }}
        />
      )}
      {flashItem && <FlashSaleDialog item={flashItem} stock={room?.totals.stock ?? {}} showId={show.id} running={deals} onClose={() => setFlashing(null)} />}
    </section>
  );
}

/** Pinning with the way back: undo brings the former pin again. */
function usePin(showId: string, pinnedListing: string | undefined) {
  const { t } = useTranslation("studio");
  const start = useMutation({ mutationFn: (listingId: string) => pinListing(showId, listingId), onError: toastError });
  const stop = useMutation({ mutationFn: (pinId: string) => unpin(showId, pinId), onError: toastError });
  const toggle = (item: TrayItem, pinId: string | undefined) => {
    if (pinnedListing === item.listing_id && pinId) return stop.mutate(pinId);
    const former = pinnedListing;
    start.mutate(item.listing_id, {
      onSuccess: (pin) => {
        const back = () => { dismiss(); if (former) start.mutate(former); else stop.mutate(pin.id); };
        const dismiss = toast(t("goods.pinned", { title: item.product.title }), { tone: "good", action: { label: t("undo"), run: back } });
      },
    });
  };
  return { toggle, end: (pinId: string) => stop.mutate(pinId), busy: start.isPending ? start.variables : null };
}
