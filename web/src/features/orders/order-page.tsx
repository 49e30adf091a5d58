import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Link, useParams } from "@tanstack/react-router";
import { useCallback } from "react";
import { useTranslation } from "react-i18next";

import { AddressText } from "@/shared/address/address-fields";
import { api } from "@/shared/api/client";
import { orderQuery } from "@/shared/api/queries";
import type { Order, PayStart } from "@/shared/api/types";
import { useTitle } from "@/shared/lib/use-title";
import { useRequireUser, useUser } from "@/shared/session";
import { Button, Countdown, Empty, ErrorState, Icon, Notice, Photo, Price, Skeleton } from "@/shared/ui";
import { StateBadge } from "./state-badge";
import { Timeline } from "./timeline";
import { Waterfall } from "./waterfall";
import styles from "./orders.module.css";

const OPEN_REFETCH_MS = 5000;

/** Pay or cancel while the pieces are still held. An order without an address gets one where it was placed. */
function Actions({ order }: { order: Order }) {
  const { t } = useTranslation("orders");
  const client = useQueryClient();
  const key = orderQuery(order.id).queryKey;
  const refresh = useCallback(() => void client.invalidateQueries({ queryKey: key }), [client, key]);
  const pay = useMutation({
    mutationFn: () => api.post<PayStart>(`/orders/${order.id}/pay`, { return_url: `${location.origin}/orders/${order.id}` }, { retry: true }),
    onSuccess: ({ pay_url }) => location.assign(pay_url), onError: refresh,
  });
  const cancel = useMutation({
    mutationFn: () => api.post<Order>(`/orders/${order.id}/cancel`, undefined, { retry: true }),
    onSuccess: (next) => { client.setQueryData(key, next); void client.invalidateQueries({ queryKey: ["orders"] }); }, onError: refresh,
  });
  const error = pay.error ?? cancel.error;
  const product = order.lines[0]?.product_id;
  return (
    <div className={styles.actions}>
      {order.expires_at && <Notice tone="warn">{t("payWithin")} <b><Countdown until={order.expires_at} onEnd={refresh} /></b></Notice>}
      {error && <Notice tone="bad">{error.message}</Notice>}
      {order.address ? <Button tone="buy" size="large" wide busy={pay.isPending || pay.isSuccess} onClick={() => pay.mutate()}>{t("payNow")}</Button>
        : order.show_id ? <Link to="/shows/$id" params={{ id: order.show_id }} search={{ order: order.id }} className={styles.go}>{t("finish")}</Link>
        : product ? <Link to="/products/$id" params={{ id: product }} search={{ order: order.id }} className={styles.go}>{t("finish")}</Link> : null}
      <Button wide busy={cancel.isPending} onClick={() => cancel.mutate()}>{t("cancelOrder")}</Button>
    </div>
  );
}

function Lines({ order }: { order: Order }) {
  return (
    <ul className={styles.lines}>
      {order.lines.map((line) => (
        <li key={line.variant_id}>
          <Link to="/products/$id" params={{ id: line.product_id }} search={{}} className={styles.line}>
            <Photo url={line.picture_url} size={64} />
            <span className={styles.cardWords}><b>{line.title}</b><span>{line.variant_title}</span></span>
            <span className={styles.cardEnd}><Price money={line.unit_price} /><span className="num">× {line.quantity}</span></span>
          </Link>
        </li>
      ))}
    </ul>
  );
}

export function OrderPage() {
  const { t } = useTranslation("orders");
  const { id } = useParams({ from: "/shell/orders/$id" });
  const user = useUser();
  const requireUser = useRequireUser();
  const query = useQuery({ ...orderQuery(id), enabled: Boolean(user), refetchInterval: ({ state }) => (state.data?.state === "placed" ? OPEN_REFETCH_MS : false) });
  const order = query.data;
  const product = order?.lines[0]?.product_id;
  useTitle(order ? `${t("order")} ${order.number}` : t("order"));
  if (user === null) {
    return (
      <>
        <h1 className="sr-only">{t("title")}</h1>
        <Empty icon="orders" title={t("signIn")} action={<Button tone="ink" onClick={() => void requireUser()}>{t("common:nav.signIn")}</Button>}>{t("signInText")}</Empty>
      </>
    );
  }
  if (query.error && !order) return <ErrorState page error={query.error} onRetry={() => void query.refetch()} />;
  if (!order) return <div className={styles.page} aria-busy="true"><Skeleton width="50%" height={28} /><Skeleton height={220} radius={18} /></div>;
  return (
    <div className={styles.page}>
      <Link to="/orders" className={styles.back}><Icon name="back" size={18} />{t("title")}</Link>
      <header className={styles.head}>
        <h1 className={styles.number}>{t("order")} <span className="num">{order.number}</span></h1><StateBadge order={order} />
      </header>
      {order.state === "placed" && <Actions order={order} />}
      {order.state === "cancelled" && <Notice>{t(order.cancel_reason === "expired" ? "expiredText" : "cancelledText")}</Notice>}
      <section className={styles.block}>
        <h2>{order.seller.name}</h2>
        <Lines order={order} />
        <p className={styles.total}><span>{t("total")}</span><Price money={order.total} size="large" /></p>
      </section>
      {order.address && <section className={styles.block}><h2>{t("address")}</h2><AddressText address={order.address} /></section>}
      <section className={styles.block}><h2>{t("timeline")}</h2><Timeline order={order} /></section>
      {order.waterfall.length > 0 && order.state !== "cancelled" && <section className={styles.block}><h2>{t("waterfall.title")}</h2><Waterfall order={order} /></section>}
      {order.show_id ? <Link to="/shows/$id" params={{ id: order.show_id }} search={{}} className={styles.go}>{t("toShow")}</Link>
        : order.state === "cancelled" && product && <Link to="/products/$id" params={{ id: product }} search={{}} className={styles.go}>{t("toProduct")}</Link>}
    </div>
  );
}
