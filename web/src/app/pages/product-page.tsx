import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { lazy, Suspense } from "react";

import { ProductView } from "@/features/product";

const Checkout = lazy(() => import("@/features/checkout").then((module) => ({ default: module.Checkout })));
const OrderReturn = lazy(() => import("@/features/checkout").then((module) => ({ default: module.OrderReturn })));

export function ProductPage() {
  const { id } = useParams({ from: "/shell/products/$id" });
  const { order } = useSearch({ from: "/shell/products/$id" });
  const navigate = useNavigate();
  const returnPath = `/products/${id}`;
  const forgetOrder = () => void navigate({ to: "/products/$id", params: { id }, search: {}, replace: true });
  return (
    <>
      <ProductView key={id} productId={id} renderCheckout={(slot) => <Suspense fallback={null}><Checkout {...slot} returnPath={returnPath} /></Suspense>} />
      {order && <Suspense fallback={null}><OrderReturn orderId={order} onClose={forgetOrder} returnPath={returnPath} /></Suspense>}
    </>
  );
}
