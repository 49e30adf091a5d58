import { useState } from "react";
import { useTranslation } from "react-i18next";

import { cx } from "@/shared/lib/cx";
import { leadVariant, type Offer, type OfferVariant } from "@/shared/lib/offer";
import { Chip, IconButton, Photo, Price } from "@/shared/ui";
import styles from "./checkout.module.css";

export interface Choice { variantId: string | null; quantity: number }

const QUANTITY_MOST = 99;

/** How many of this variant one may take now. */
export function quantityLimit(offer: Offer, variant: OfferVariant | undefined): number {
  if (!variant) return 1;
  return Math.max(1, Math.min(variant.available, offer.per_buyer ?? QUANTITY_MOST, QUANTITY_MOST));
}

export function useChoice(offer: Offer): [Choice, (next: Choice) => void, OfferVariant | undefined] {
  const only = offer.variants.length === 1 ? (offer.variants[0]?.variant_id ?? null) : null;
  const [choice, setChoice] = useState<Choice>({ variantId: only, quantity: 1 });
  return [choice, setChoice, offer.variants.find((variant) => variant.variant_id === choice.variantId)];
}

/** The head of the sheet: picture and price of what is chosen; its `quantity` once that is settled. */
export function Chosen({ offer, variant, quantity }: { offer: Offer; variant: OfferVariant | undefined; quantity?: number }) {
  const { t } = useTranslation("checkout");
  const shown = variant ?? leadVariant(offer);
  return (
    <div className={styles.chosen}>
      <Photo url={variant?.picture_url ?? offer.picture_url} size={96} eager />
      <div className={styles.chosenText}>
        {shown && <Price money={shown.price} was={shown.was} size="large" />}
        <p className={styles.chosenTitle}>{offer.title}</p>
        <p className={styles.quiet}>{variant ? variant.title : t("choose.variant")}{quantity !== undefined && <> × <span className="num">{quantity}</span></>}</p>
      </div>
    </div>
  );
}

interface Choosing { offer: Offer; choice: Choice; locked: boolean; onChoice: (next: Choice) => void }

/** Variant and quantity. `locked` while a claim for them is under way: what is bought is what was asked for. */
export function ChooseVariant({ offer, choice, locked, onChoice }: Choosing) {
  const { t } = useTranslation("checkout");
  const variant = offer.variants.find((item) => item.variant_id === choice.variantId);
  const most = quantityLimit(offer, variant);
  const quantity = Math.min(choice.quantity, most);
  const names = Object.keys(offer.variants[0]?.options ?? {}).join(" / ");
  return (
    <fieldset disabled={locked} className={styles.choosing}>
      {offer.variants.length > 1 && <div role="group" aria-label={names || t("choose.variants")} className={styles.group}>
        <h3>{names || t("choose.variants")}</h3>
        <div className={styles.chips}>
          {offer.variants.map((item) => {
            const gone = item.available <= 0;
            return (
              <Chip key={item.variant_id} chosen={item.variant_id === choice.variantId} gone={gone}
                onClick={() => { if (!gone) onChoice({ variantId: item.variant_id, quantity: 1 }); }}>
                {item.title || offer.title}{gone && <span className="sr-only"> ({t("choose.gone")})</span>}
              </Chip>
            );
          })}
        </div>
      </div>}
      <div className={cx(styles.group, styles.quantity)}>
        <h3 id="quantity">{t("choose.quantity")}</h3>
        <div className={styles.stepper} role="group" aria-labelledby="quantity">
          <IconButton icon="minus" label={t("choose.less")} disabled={quantity <= 1} onClick={() => onChoice({ ...choice, quantity: quantity - 1 })} />
          <output aria-live="polite" className="num">{quantity}</output>
          <IconButton icon="plus" label={t("choose.more")} disabled={quantity >= most} onClick={() => onChoice({ ...choice, quantity: quantity + 1 })} />
        </div>
      </div>
      {offer.per_buyer !== null && <p className={styles.quiet}>{t("choose.perBuyer", { count: offer.per_buyer })}</p>}
    </fieldset>
  );
}
