import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import { Room } from "@/features/room";

// Buying is fetched when someone first buys: the room itself stays light.
const Checkout = lazy(() => import("@/features/checkout").then((module) => ({ default: module.Checkout })));
const OrderReturn = lazy(() => import("@/features/checkout").then((module) => ({ default: module.OrderReturn })));

/** A room with its checkout; `?order=` is where the payment provider sends the buyer back to. */
export function ShowPage() {
  const { id } = useParams({ from: "/shows/$id" });
  const { order } = useSearch({ from: "/shows/$id" });
  const navigate = useNavigate();
  const returnPath = `/shows/${id}`;
  const forgetOrder = () => void navigate({ to: "/shows/$id", params: { id }, search: {}, replace: true });
  return (
    <>
      <Room key={id} showId={id} renderCheckout={(slot) => <Suspense fallback={null}><Checkout key={slot.offer.key} {...slot} returnPath={returnPath} /></Suspense>} />
      {order && <Suspense fallback={null}><OrderReturn orderId={order} onClose={forgetOrder} returnPath={returnPath} /></Suspense>}
    </>
  );
}
