import { useNavigate, useParams, useSearch } from "@tanstack/react-router";
import { Suspense } from "react";

import { ProductView } from "@/features/product";
import { Checkout, CheckoutComing, OrderReturn, useCheckoutSoon } from "./buying";

export function ProductPage() {
  const { id } = useParams({ from: "/shell/products/$id" });
  const { order } = useSearch({ from: "/shell/products/$id" });
  const navigate = useNavigate();
  useCheckoutSoon();
  const returnPath = `/products/${id}`;
  const forgetOrder = () => void navigate({ to: "/products/$id", params: { id }, search: {}, replace: true });
  return (
    <>
      <ProductView key={id} productId={id} renderCheckout={(slot) => <Suspense fallback={<CheckoutComing onClose={slot.onClose} />}><Checkout {...slot} returnPath={returnPath} /></Suspense>} />
      {order && <Suspense fallback={null}><OrderReturn orderId={order} onClose={forgetOrder} returnPath={returnPath} /></Suspense>}
    </>
  );
}
