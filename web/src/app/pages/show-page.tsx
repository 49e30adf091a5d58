import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Suspense } from "react";

import { Room } from "@/features/room";
import { Checkout, CheckoutComing, OrderReturn, useCheckoutSoon } from "./buying";

/** A room with its checkout; `?order=` is where the payment provider sends the buyer back to. */
export function ShowPage() {
  const { id } = useParams({ from: "/shows/$id" });
  const { order } = useSearch({ from: "/shows/$id" });
  const navigate = useNavigate();
  useCheckoutSoon();
  const returnPath = `/shows/${id}`;
  const forgetOrder = () => void navigate({ to: "/shows/$id", params: { id }, search: {}, replace: true });
  return (
    <>
      <Room key={id} showId={id} renderCheckout={(slot) => <Suspense fallback={<CheckoutComing onClose={slot.onClose} />}><Checkout key={slot.offer.key} {...slot} returnPath={returnPath} /></Suspense>} />
      {order && <Suspense fallback={null}><OrderReturn orderId={order} onClose={forgetOrder} returnPath={returnPath} /></Suspense>}
    </>
  );
}
