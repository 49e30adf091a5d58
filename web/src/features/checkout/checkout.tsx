import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { orderQuery } from "@/shared/api/queries";
import type { Money, Order } from "@/shared/api/types";
import { serverClock } from "@/shared/lib/clock";
import { formatDuration } from "@/shared/lib/format";
import type { Offer, PlaceOrder } from "@/shared/lib/offer";
import { useOnline } from "@/shared/lib/use-media";
import { Button, Notice, Price, ProofLink, Sheet, useSecondsLeft } from "@/shared/ui";
import { useOpening } from "./at-opening";
import { Chosen, ChooseVariant, quantityLimit, useChoice } from "./choose";
import { InLine } from "./in-line";
import { forgetClaim } from "./kept-claim";
import { OrderEnd } from "./order-end";
import { Pay } from "./pay";
import { useClaim } from "./use-claim";
import styles from "./checkout.module.css";

interface Props { offer: Offer; place: PlaceOrder; paused?: boolean; onClose: () => void; returnPath: string }

/** The time to pay is over for the page before the market has said so: it is asked more often then. */
const askAgainMs = (order: Order | undefined): number => (order?.expires_at && Date.parse(order.expires_at) <= serverClock.now() ? 1500 : 15_000);
const times = (money: Money, count: number): Money => ({ ...money, amount: money.amount * count });

/** From choosing to the provider's page. The video behind it never stops, and what is chosen survives a sign-in. */
export function Checkout({ offer, place, paused = false, onClose, returnPath }: Props) {
  const { t } = useTranslation("checkout");
  const [choice, setChoice, chosen] = useChoice(offer);
  const [orderId, setOrderId] = useState<string | null>(null);
  const { claim, asked } = useClaim(offer, place, returnPath, (placed) => setOrderId(placed.id));
  const phase = useOpening(offer.deal);
  const online = useOnline();
  const opensIn = useSecondsLeft(offer.deal?.opens_at);
  const order = useQuery({ ...orderQuery(orderId ?? ""), enabled: orderId !== null, refetchInterval: ({ state }) => askAgainMs(state.data) }).data;
  const variant = asked?.variant ?? chosen;
  const quantity = asked?.quantity ?? Math.min(choice.quantity, quantityLimit(offer, variant));

  const again = () => { if (order) forgetClaim(order.id); claim.reset(); setOrderId(null); };
  if (order && order.state !== "placed") {
    return <Sheet open onClose={onClose} kind="side" title={t(`end.${order.state === "paid" || order.state === "completed" ? "paid" : "notBought"}`)}><OrderEnd order={order} onClose={onClose} onAgain={again} /></Sheet>;
  }
  if (order) {
    return <Pay order={order} onClose={onClose} returnPath={returnPath} />;
  }
  const gone = !asked && variant !== undefined && variant.available <= 0;
  const buy = () => { if (variant) claim.mutate({ variant, quantity }); };
  const footer = (
    <div className={styles.foot}>
      <div className={styles.total}><span>{t("total")}</span>{variant ? <Price money={times(variant.price, quantity)} size="large" /> : <span>–</span>}</div>
      <Button tone="buy" size="large" wide disabled={!variant || gone || phase === "wait"} busy={claim.isPending} onClick={buy} data-opening={phase}>
        {!variant ? t("choose.first") : gone ? t("choose.gone") : phase === "wait" ? t("choose.opensIn", { time: formatDuration(opensIn) }) : t("choose.buy")}
      </Button>
    </div>
  );
  return (
    <Sheet open onClose={onClose} kind="side" title={t(asked?.ticket ? "line.title" : "choose.title")} footer={footer}>
      <div className={styles.stack}>
        <Chosen offer={offer} variant={variant} quantity={asked ? quantity : undefined} />
        {asked?.ticket && <InLine ticket={asked.ticket} paused={paused} />}
        {claim.isPending && !online && <Notice tone="warn">{t("offline")}</Notice>}
        {paused && !claim.isPending && <Notice tone="warn">{t("paused")}</Notice>}
        {claim.error && !paused && <Notice tone="bad">{claim.error.message || t("lost")}</Notice>}
        {!asked?.ticket && <ChooseVariant offer={offer} choice={{ variantId: variant?.variant_id ?? null, quantity }} locked={asked !== null} onChoice={(next) => { claim.reset(); setChoice(next); }} />}
        <p className={styles.quiet}>{t("soldBy", { seller: offer.seller_name })}</p>
        {offer.show_id && (offer.listing_id ?? offer.deal) && (
          <ProofLink className={styles.quiet} {...(offer.deal ? { deal: offer.deal.id } : { show: offer.show_id, variant: variant?.variant_id })} />
        )}
      </div>
    </Sheet>
  );
}
