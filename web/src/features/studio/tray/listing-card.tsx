import { type ComponentProps, memo } from "react";
import { useTranslation } from "react-i18next";

import type { Money, TrayItem } from "@/shared/api/types";
import { useServerNow } from "@/shared/lib/clock";
import { cx } from "@/shared/lib/cx";
import { formatDuration } from "@/shared/lib/format";
import { Badge, Button, IconButton, Photo, Price } from "@/shared/ui";
import styles from "./goods.module.css";

interface Props {
  item: TrayItem;
  index: number;
  stock: Record<string, number> | undefined;
  pinnedAt: string | null;
  onAir: boolean;
  busy: boolean;
  dragging: boolean;
  inDeal: boolean;
  handle: Pick<ComponentProps<"button">, "onPointerDown" | "onPointerMove" | "onPointerUp" | "onPointerCancel" | "onKeyDown">;
  onPin: () => void;
  onFlash: () => void;
  onEdit: () => void;
}

function cheapest(item: TrayItem): { price: Money; list: Money; several: boolean } | null {
  const sorted = [...item.variants].sort((a, b) => a.price.amount - b.price.amount);
  const first = sorted[0];
  if (!first) return null;
  return { price: first.price, list: first.list_price, several: sorted.some((one) => one.price.amount !== first.price.amount) };
}

/** One product of the tray, large enough for a thumb: its key, its price, what is left, pin and flash sale. */
export const ListingCard = memo(function ListingCard(props: Props) {
  const { item, index, stock, pinnedAt, onAir, busy, dragging, inDeal, handle } = props;
  const { t } = useTranslation(["studio", "common"]);
  const price = cheapest(item);
  const known = stock ? item.variants.map((variant) => stock[variant.variant_id]).filter((left) => left !== undefined) : [];
  const left = known.length > 0 ? known.reduce((sum, one) => sum + one, 0) : null;
  return (
    <li data-row={item.listing_id} className={cx(styles.card, pinnedAt && styles.pinned, dragging && styles.dragging)}>
      <button type="button" className={styles.handle} aria-label={t("goods.move", { title: item.product.title, slot: index + 1 })} title={t("goods.moveTitle")} {...handle}>
        <span className={styles.slot}>{index + 1}</span>
        <span className={styles.grip} aria-hidden="true" />
      </button>
      <Photo url={item.product.picture_url} size={72} />
      <div className={styles.words}>
        <span className={styles.title}>{item.product.title}</span>
        <span className={styles.facts}>
          {price && <>{price.several && <span>{t("common:price.from")}</span>}<Price money={price.price} was={price.list} /></>}
        </span>
        <span className={styles.facts}>
          {left !== null && <Badge tone={left === 0 ? "bad" : left <= 10 ? "warn" : "plain"}>{left === 0 ? t("goods.soldOut") : t("goods.left", { count: left })}</Badge>}
          {item.per_buyer !== null && <Badge>{t("goods.limit", { count: item.per_buyer })}</Badge>}
          {pinnedAt && <Badge tone="live"><PinnedFor since={pinnedAt} /></Badge>}
        </span>
      </div>
      <div className={styles.acts}>
        <Button tone={pinnedAt ? "ink" : "plain"} icon="pin" className={styles.pin} busy={busy} disabled={!onAir} aria-pressed={pinnedAt !== null}
          title={onAir ? undefined : t("goods.pinLater")} aria-keyshortcuts={index < 9 ? String(index + 1) : undefined} onClick={props.onPin}>
          {t(pinnedAt ? "goods.unpin" : "goods.pin")}
        </Button>
        <span className={styles.small}>
          <IconButton icon="bolt" label={t("goods.flash", { title: item.product.title })} disabled={!onAir || inDeal} onClick={props.onFlash} />
          <IconButton icon="edit" label={t("goods.edit", { title: item.product.title })} onClick={props.onEdit} />
        </span>
      </div>
    </li>
  );
});

function PinnedFor({ since }: { since: string }) {
  const { t } = useTranslation("studio");
  const now = useServerNow();
  return <span className="num">{t("goods.pinnedFor", { time: formatDuration((now - Date.parse(since)) / 1000) })}</span>;
}
