import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { ApiError } from "@/shared/api/client";
import { orderQuery } from "@/shared/api/queries";
import type { ClaimLine, LineTicket, Order } from "@/shared/api/types";
import type { Offer, OfferVariant, PlaceOrder } from "@/shared/lib/offer";
import { useRequireUser } from "@/shared/session";
import { toast, toastError } from "@/shared/ui";
import { placeAtOpening } from "./at-opening";
import { claimId, forgetClaim } from "./kept-claim";

/** What a claim under way asked for. It stays so until the claim is decided, whatever the offer does meanwhile. */
export interface Asked { variant: OfferVariant; quantity: number; ticket: LineTicket | null }

const TOLD_SECONDS = 20;

/** Whether the sheet is still open. */
function useHere() {
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => { here.current = false; };
  }, []);
  return here;
}

/**
 * Claims a variant of the offer. `asked` is what is under way, with its place in line. Whoever closes the sheet meanwhile
 * stays in line, and is told the outcome in passing.
 */
export function useClaim(offer: Offer, place: PlaceOrder, returnPath: string, onPlaced: (order: Order) => void) {
  const { t } = useTranslation("checkout");
  const client = useQueryClient();
  const requireUser = useRequireUser();
  const navigate = useNavigate();
  const here = useHere();
  const [asked, setAsked] = useState<Asked | null>(null);

  const claim = useMutation({
    mutationFn: async ({ variant, quantity }: { variant: OfferVariant; quantity: number }): Promise<Order | null> => {
      const user = await requireUser();
      if (!user) return null;
      const lines: ClaimLine[] = [{ variant_id: variant.variant_id, quantity, listing_id: offer.listing_id, deal_id: offer.deal?.id }];
      const id = claimId(user.id, lines);
      const told = (ticket: LineTicket | null) => setAsked({ variant, quantity, ticket });
      told(null);
      try {
        const placed = await placeAtOpening(offer.deal, () => place({ id, show_id: offer.show_id, lines }, told));
        if (placed.state !== "placed") forgetClaim(id);
        return placed;
      } catch (error) {
        // Refused is decided: another try is a new claim. A lost network is not: the same id may already have its order.
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) forgetClaim(id);
        throw error;
      } finally {
        setAsked(null);
      }
    },
    onSuccess: (placed) => {
      if (!placed) return;
      client.setQueryData(orderQuery(placed.id).queryKey, placed);
      void client.invalidateQueries({ queryKey: ["orders"] });
      if (here.current) return onPlaced(placed);
      const pay = () => void navigate({ to: returnPath, search: { order: placed.id }, replace: true });
      toast(t("line.won", { title: offer.title }), { tone: "good", seconds: TOLD_SECONDS, action: { label: t("pay.title"), run: pay } });
    },
    onError: (error) => {
      if (!here.current) toastError(error);
    },
  });
  return { claim, asked };
}
