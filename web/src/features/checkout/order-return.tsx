import { useQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";

import { orderQuery } from "@/shared/api/queries";
import type { Order } from "@/shared/api/types";
import { Button, ErrorState, Notice, Sheet, Skeleton } from "@/shared/ui";
import { forgetClaim } from "./kept-claim";
import { OrderEnd } from "./order-end";
import { OrderLines } from "./order-lines";
import { Pay } from "./pay";
import styles from "./checkout.module.css";

const POLL_MS = [700, 1000, 1500, 2000, 3000, 5000];

/** Nobody has begun to pay it, or the payment came to nothing. */
const unpaid = (order: Order) => order.state === "placed" && (order.payment === null || order.payment.state === "failed");

/** Back from the provider's page: asks with back-off until the order is paid, or offers to pay again. */
export function OrderReturn({ orderId, onClose, returnPath }: { orderId: string; onClose: () => void; returnPath: string }) {
  const { t } = useTranslation("checkout");
  const query = useQuery({
    ...orderQuery(orderId), staleTime: 0,
    refetchInterval: ({ state }) => (state.data && state.data.state !== "placed" ? false : (POLL_MS[Math.min(state.dataUpdateCount, POLL_MS.length - 1)] ?? 5000)),
  });
  const order = query.data;
  useEffect(() => { if (order && order.state !== "placed") forgetClaim(order.id); }, [order]);
  if (order && unpaid(order)) return <Pay order={order} onClose={onClose} returnPath={returnPath} />;
  const title = t(!order || order.state === "placed" ? "return.title" : order.state === "paid" || order.state === "completed" ? "end.paid" : "end.notBought");
  return (
    <Sheet open onClose={onClose} kind="side" title={title}>
      {query.error && !order && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {!order && !query.error && <Skeleton height={160} />}
      {order && order.state !== "placed" && <OrderEnd order={order} onClose={onClose} />}
      {order && order.state === "placed" && <Waiting order={order} onClose={onClose} />}
    </Sheet>
  );
}

function Waiting({ order, onClose }: { order: Order; onClose: () => void }) {
  const { t } = useTranslation("checkout");
  return (
    <div className={styles.stack}>
      <Notice>{t("return.waiting")}</Notice>
      <OrderLines lines={order.lines} />
      <p className={styles.quiet}>{t("return.hint")}</p>
      <Button wide onClick={onClose}>{t(order.show_id ? "end.back" : "end.backToGoods")}</Button>
    </div>
  );
}
