import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

import { placeOverHttp } from "@/shared/api/place-order";
import { productQuery } from "@/shared/api/queries";
import type { Product } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { leadVariant, type Offer, offerOfProduct, type PlaceOrder, soldOut } from "@/shared/lib/offer";
import { useTitle } from "@/shared/lib/use-title";
import { Button, ErrorState, Icon, Photo, Price, Skeleton } from "@/shared/ui";
import styles from "./product.module.css";

interface Props { productId: string; renderCheckout: (slot: { offer: Offer; place: PlaceOrder; onClose: () => void }) => ReactNode }

const place: PlaceOrder = placeOverHttp;

function Gallery({ product }: { product: Product }) {
  const { t } = useTranslation("product");
  const ready = product.pictures.filter((picture) => picture.state === "ready");
  const [chosen, setChosen] = useState(0);
  const shown = ready[chosen] ?? ready[0];
  return (
    <div className={styles.gallery}>
      <Photo url={shown?.url} alt={shown?.alt || product.title} className={styles.large} eager />
      {ready.length > 1 && (
        <ul className={styles.thumbs}>
          {ready.map((picture, index) => (
            <li key={picture.id}>
              <button type="button" className={cx(styles.thumb, index === chosen && styles.current)} aria-pressed={index === chosen} aria-label={t("picture", { number: index + 1 })} onClick={() => setChosen(index)}>
                <Photo url={picture.thumb_url} size={64} />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** One product outside a show, at its ordinary price. */
export function ProductView({ productId, renderCheckout }: Props) {
  const { t } = useTranslation("product");
  const query = useQuery(productQuery(productId));
  const [open, setOpen] = useState(false);
  const product = query.data;
  useTitle(product?.title);
  if (query.error && !product) return <ErrorState page error={query.error} onRetry={() => void query.refetch()} />;
  if (!product) return <div className={styles.page} aria-busy="true"><Skeleton className={styles.large} /><Skeleton height={200} /></div>;
  const offer = offerOfProduct(product);
  const lead = leadVariant(offer);
  const pricesDiffer = new Set(product.variants.map((variant) => variant.price.amount)).size > 1;
  const gone = soldOut(offer) || product.state !== "active";
  return (
    <article className={styles.page}>
      <Gallery product={product} />
      <div className={styles.about}>
        <h1>{product.title}</h1>
        {lead && <p className={styles.price}>{pricesDiffer && <span>{t("from")}</span>}<Price money={lead.price} was={lead.was} size="large" /></p>}
        <p className={styles.seller}><Icon name="stall" size={18} />{product.seller.name}</p>
        {offer.variants.length === 1 && offer.variants[0] && !gone && <p className={styles.left}>{t("available", { count: offer.variants[0].available })}</p>}
        {offer.variants.length > 1 && <ul className={styles.variants} aria-label={t("kinds")}>
          {offer.variants.map((variant) => (
            <li key={variant.variant_id}><span>{variant.title || product.title}</span><span className={styles.left}>{variant.available > 0 ? t("available", { count: variant.available }) : t("gone")}</span><Price money={variant.price} /></li>
          ))}
        </ul>}
        <div className={styles.buy}><Button tone="buy" size="large" wide disabled={gone} onClick={() => setOpen(true)}>{t(gone ? "gone" : "buy")}</Button></div>
        {gone && <Link to="/" className={styles.onward}><Icon name="play" filled size={16} />{t("onward")}</Link>}
        {product.description && <section className={styles.text}><h2>{t("about")}</h2>{product.description.split(/\n+/).map((part, index) => <p key={index}>{part}</p>)}</section>}
      </div>
      {open && renderCheckout({ offer, place, onClose: () => setOpen(false) })}
    </article>
  );
}
