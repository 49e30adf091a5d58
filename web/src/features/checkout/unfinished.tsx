import { useNavigate } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { api, ApiError } from "@/shared/api/client";
import type { Order } from "@/shared/api/types";
import { useUser } from "@/shared/session";
import { toast } from "@/shared/ui";
import { forgetClaim, keptClaims } from "./kept-claim";

const TOLD_SECONDS = 15;

/** Of what was claimed on this device the order that still waits to be paid; what was decided meanwhile is forgotten. */
async function waiting(userId: string): Promise<Order | null> {
  for (const id of keptClaims(userId)) {
    const order = await api.get<Order>(`/orders/${id}`).catch((error: unknown) => {
      if (error instanceof ApiError && error.status === 404) return null; // it never arrived: the next tap sends it again
      throw error;
    });
    if (order?.state === "placed") return order;
    if (order) forgetClaim(id);
  }
  return null;
}

/** Who reloaded the page or lost the network in the middle of buying is told, once, what is set aside for them. */
export function Unfinished() {
  const { t } = useTranslation("checkout");
  const navigate = useNavigate();
  const userId = useUser()?.id;
  useEffect(() => {
    if (!userId || location.pathname.startsWith("/orders")) return; // there it stands anyway
    let gone = false;
    waiting(userId).then((order) => {
      if (gone || !order) return;
      const search = { order: order.id };
      const product = order.lines[0]?.product_id;
      const pay = () => void (order.show_id ? navigate({ to: "/shows/$id", params: { id: order.show_id }, search })
        : product ? navigate({ to: "/products/$id", params: { id: product }, search }) : navigate({ to: "/orders/$id", params: { id: order.id } }));
      toast(t("waits"), { seconds: TOLD_SECONDS, action: { label: t("pay.title"), run: pay } });
    }).catch(() => undefined); // nobody answers: it stands under "my orders"
    return () => { gone = true; };
  }, [userId, navigate, t]);
  return null;
}
