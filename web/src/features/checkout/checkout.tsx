import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiError } from "@/shared/api/client";
import { orderQuery } from "@/shared/api/queries";
import type { ClaimLine, LineTicket, Money, Order } from "@/shared/api/types";
import { formatDuration } from "@/shared/lib/format";
import type { Offer, PlaceOrder } from "@/shared/lib/offer";
import { useRequireUser } from "@/shared/session";
import { Button, Notice, Price, ProofLink, Sheet, useSecondsLeft } from "@/shared/ui";
import { placeAtOpening, useOpening } from "./at-opening";
import { Chosen, ChooseVariant, quantityLimit, useChoice } from "./choose";
import { InLine } from "./in-line";
import { claimId, forgetClaim } from "./kept-claim";
import { OrderEnd } from "./order-end";
import { Pay } from "./pay";
import styles from "./checkout.module.css";

interface Props { offer: Offer; place: PlaceOrder; paused?: boolean; onClose: () => void; returnPath: string }

const times = (money: Money, count: number): Money => ({ ...money, amount: money.amount * count });

/** From choosing to the provider's page. The video behind it never stops, and what is chosen survives a sign-in. */
export function Checkout({ offer, place, paused = false, onClose, returnPath }: Props) {
  const { t } = useTranslation("checkout");
  const client = useQueryClient();
  const requireUser = useRequireUser();
  const [choice, setChoice, variant] = useChoice(offer);
  const [orderId, setOrderId] = useState<string | null>(null);
  const [ticket, setTicket] = useState<LineTicket | null>(null);
  const phase = useOpening(offer.deal);
  const opensIn = useSecondsLeft(offer.deal?.opens_at);
  const order = useQuery({ ...orderQuery(orderId ?? ""), enabled: orderId !== null, refetchInterval: 15_000 }).data;
  const quantity = Math.min(choice.quantity, quantityLimit(offer, variant));

  const claim = useMutation({
    mutationFn: async (): Promise<Order | null> => {
      const user = await requireUser();
      if (!user || !variant) return null;
      const lines: ClaimLine[] = [{ variant_id: variant.variant_id, quantity, listing_id: offer.listing_id, deal_id: offer.deal?.id }];
      const id = claimId(user.id, lines);
      try {
        const placed = await placeAtOpening(offer.deal, () => place({ id, show_id: offer.show_id, lines }, setTicket));
        if (placed.state !== "placed") forgetClaim(id);
        return placed;
      } catch (error) {
        // Refused is decided: another try is a new claim. A lost network is not: the same id may already have its order.
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) forgetClaim(id);
        throw error;
      } finally {
        setTicket(null);
      }
    },
    onSuccess: (placed) => {
      if (!placed) return;
      client.setQueryData(orderQuery(placed.id).queryKey, placed);
      void client.invalidateQueries({ queryKey: ["orders"] });
      setOrderId(placed.id);
    },
  });

  const again = () => { if (order) forgetClaim(order.id); claim.reset(); setOrderId(null); };
  if (order && order.state !== "placed") {
    return <Sheet open onClose={onClose} kind="side" title={t(`end.${order.state === "paid" || order.state === "completed" ? "paid" : "notBought"}`)}><OrderEnd order={order} onClose={onClose} onAgain={again} /></Sheet>;
  }
  if (order) {
    return <Pay order={order} onClose={onClose} returnPath={returnPath} />;
  }
  const gone = variant !== undefined && variant.available <= 0;
  const footer = (
    <div className={styles.foot}>
      <div className={styles.total}><span>{t("total")}</span>{variant ? <Price money={times(variant.price, quantity)} size="large" /> : <span>–</span>}</div>
      <Button tone="buy" size="large" wide disabled={!variant || gone || phase === "wait"} busy={claim.isPending} onClick={() => claim.mutate()} data-opening={phase}>
        {!variant ? t("choose.first") : gone ? t("choose.gone") : phase === "wait" ? t("choose.opensIn", { time: formatDuration(opensIn) }) : t("choose.buy")}
      </Button>
    </div>
  );
  return (
    <Sheet open onClose={onClose} kind="side" title={t("choose.title")} footer={footer}>
      <div className={styles.stack}>
        <Chosen offer={offer} variant={variant} />
        {ticket && claim.isPending && <InLine ticket={ticket} paused={paused} />}
        {paused && !claim.isPending && <Notice tone="warn">{t("paused")}</Notice>}
        {claim.error && !paused && <Notice tone="bad">{claim.error.message || t("lost")}</Notice>}
        <ChooseVariant offer={offer} choice={{ ...choice, quantity }} onChoice={(next) => { claim.reset(); setChoice(next); }} />
        <p className={styles.quiet}>{t("soldBy", { seller: offer.seller_name })} {t("holdHint")}</p>
        {offer.show_id && (offer.listing_id ?? offer.deal) && (
          <ProofLink className={styles.quiet} {...(offer.deal ? { deal: offer.deal.id } : { show: offer.show_id, variant: variant?.variant_id })} />
        )}
      </div>
    </Sheet>
  );
}
