import { useTranslation } from "react-i18next";

import type { TrayItem } from "@/shared/api/types";
import { formatDuration } from "@/shared/lib/format";
import { leadVariant, type Offer, offerOfListing, soldOut } from "@/shared/lib/offer";
import { Badge, Button, Empty, Icon, Photo, Price } from "@/shared/ui";
import styles from "./goods.module.css";

interface Props {
  tray: TrayItem[]; stock: Record<string, number>; showId: string; pinnedId: string | undefined; ordinary?: boolean;
  onBuy: (offer: Offer) => void; jumpTo?: Record<string, number>; onJump?: (seconds: number) => void;
}

/** The tray as a list: number, picture, price, what is left. In a replay each row can jump to where it was shown. */
export function Goods({ tray, stock, showId, pinnedId, ordinary, onBuy, jumpTo, onJump }: Props) {
  const { t } = useTranslation("room");
  if (tray.length === 0) return <Empty icon="bag" title={t("tray.empty")}>{t("tray.emptyText")}</Empty>;
  return (
    <ol className={styles.list}>
      {tray.map((item) => {
        const offer = offerOfListing(item, stock, showId, ordinary);
        const lead = leadVariant(offer);
        const gone = soldOut(offer);
        const jump = jumpTo?.[item.listing_id];
        return (
          <li key={item.listing_id} className={styles.item} data-listing={item.listing_id}>
            <span className={styles.picture}><Photo url={offer.picture_url} size={84} /><b>{item.slot}</b></span>
            <div className={styles.about}>
              <h3 className={styles.title}>{offer.title}</h3>
              <p className={styles.seller}>{offer.seller_name}</p>
              <p className={styles.badges}>
                {pinnedId === item.listing_id && <Badge tone="live">{t("pin.now")}</Badge>}
                {item.per_buyer !== null && !ordinary && <Badge>{t("tray.perBuyer", { count: item.per_buyer })}</Badge>}
                {jump !== undefined && onJump && (
                  <button type="button" className={styles.jump} onClick={() => onJump(jump)}><Icon name="play" filled size={12} />{formatDuration(jump)}</button>
                )}
              </p>
              {lead && <Price money={lead.price} was={lead.was} />}
            </div>
            <Button tone="buy" size="small" disabled={gone} onClick={() => onBuy(offer)} aria-label={`${t(gone ? "buy.soldOut" : "buy.buy")}: ${offer.title}`}>
              {t(gone ? "buy.soldOut" : "buy.buy")}
            </Button>
          </li>
        );
      })}
    </ol>
  );
}
