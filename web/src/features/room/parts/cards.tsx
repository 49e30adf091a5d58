import { useTranslation } from "react-i18next";

import type { Deal, TrayItem } from "@/shared/api/types";
import { useReached, useServerNow } from "@/shared/lib/clock";
import { cx } from "@/shared/lib/cx";
import { formatDuration } from "@/shared/lib/format";
import { leadVariant, type Offer, offerOfDeal, soldOut } from "@/shared/lib/offer";
import { Button, Icon, Photo, Price, ProofLink } from "@/shared/ui";
import { dealPhase } from "../timeline";
import styles from "./cards.module.css";

interface PinnedProps { offer: Offer; slot: number; onBuy: () => void }

/** What the host is showing now. */
export function PinnedCard({ offer, slot, onBuy }: PinnedProps) {
  const { t } = useTranslation("room");
  const lead = leadVariant(offer);
  const gone = soldOut(offer);
  const left = offer.variants.reduce((sum, variant) => sum + Math.max(0, variant.available), 0);
  return (
    <section className={styles.card} aria-label={t("pin.label")} data-testid="pinned-card">
      <div className={styles.row}>
        <span className={styles.picture}><Photo url={offer.picture_url} size={72} eager /><b className={styles.slot}>{slot}</b></span>
        <div className={styles.about}>
          <p className={styles.kicker}><Icon name="pin" size={14} />{t("pin.now")}</p>
          <h2 className={styles.title}>{offer.title}</h2>
          {lead && <Price money={lead.price} was={lead.was} />}
        </div>
        <div className={styles.side}>
          <Button tone="buy" onClick={onBuy} disabled={gone}>{t(gone ? "buy.soldOut" : "buy.buy")}</Button>
          {!gone && left <= 20 && <span className={styles.few}>{t("buy.left", { count: left })}</span>}
        </div>
      </div>
    </section>
  );
}

function Bar({ deal }: { deal: Deal }) {
  const { t } = useTranslation("room");
  const share = deal.released > 0 ? Math.max(0, Math.min(1, deal.left / deal.released)) : 0;
  return (
    <div className={styles.stock}>
      <div className={styles.track} aria-hidden="true"><i style={{ transform: `scaleX(${share})` }} /></div>
      <span className="num">{t("flash.left", { left: deal.left, of: deal.released })}</span>
    </div>
  );
}

interface FlashProps { deal: Deal; item: TrayItem; showId: string; onBuy: (offer: Offer) => void }

/** A flash sale: counts down, lights up at the server's opening time, tells how many are left. */
export function FlashCard({ deal, item, showId, onBuy }: FlashProps) {
  const { t } = useTranslation("room");
  const opened = useReached(Date.parse(deal.opens_at));
  const ticked = useServerNow(true);
  const now = opened ? Math.max(ticked, Date.parse(deal.opens_at)) : ticked; // it opens at its moment, not at the next tick
  const phase = dealPhase(deal, now);
  const opensIn = Math.ceil((Date.parse(deal.opens_at) - now) / 1000);
  const offer = offerOfDeal(deal, item, showId);
  const variant = offer.variants[0];
  if (!variant || phase === "over") return null;
  const button = { countdown: t("flash.ready"), open: t("buy.buy"), gone: t("buy.soldOut") }[phase];
  return (
    <section className={cx(styles.card, styles.flash)} aria-label={t("flash.label")} data-testid="flash-card" data-phase={phase}>
      <header className={styles.flashHead}>
        <span className={styles.flashName}><Icon name="bolt" filled size={16} />{t("flash.label")}</span>
        <span className="num">
          {phase === "countdown" ? t("flash.opensIn", { time: formatDuration(opensIn) })
            : t("flash.endsIn", { time: formatDuration((Date.parse(deal.closes_at) - now) / 1000 + 0.999) })}
        </span>
      </header>
      <div className={styles.row}>
        <span className={styles.picture}>
          <Photo url={offer.picture_url} size={72} eager />
          {phase === "countdown" && opensIn <= 3 && <b key={opensIn} className={styles.three} aria-hidden="true">{opensIn}</b>}
        </span>
        <div className={styles.about}>
          <h2 className={styles.title}>{offer.title}</h2>
          <p className={styles.variant}>{variant.title}</p>
          <Price money={deal.price} was={deal.list_price} className={styles.flashPrice} />
        </div>
        <div className={styles.side}>
          <Button tone={phase === "countdown" ? "plain" : "buy"} disabled={phase === "gone"} onClick={() => onBuy(offer)} className={phase === "open" ? styles.lit : undefined}>{button}</Button>
        </div>
      </div>
      {phase === "countdown" && <p className={styles.hint}>{t("flash.fair")}</p>}
      {phase !== "countdown" && <Bar deal={deal} />}
      <p className={styles.proof}><ProofLink deal={deal.id} /></p>
      {phase === "gone" && <p className={styles.hint}>{t("flash.mayReturn")}</p>}
    </section>
  );
}
