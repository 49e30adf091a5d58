import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { Order, Page } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { formatWhen } from "@/shared/lib/format";
import { useTitle } from "@/shared/lib/use-title";
import { useRequireUser, useUser } from "@/shared/session";
import { Button, Countdown, Empty, ErrorState, Icon, Photo, Price, Skeleton } from "@/shared/ui";
import { StateBadge } from "./state-badge";
import styles from "./orders.module.css";

function OrderCard({ order }: { order: Order }) {
  const { t } = useTranslation("orders");
  const first = order.lines[0];
  const pieces = order.lines.reduce((sum, line) => sum + line.quantity, 0);
  return (
    <li>
      <Link to="/orders/$id" params={{ id: order.id }} className={styles.card}>
        <span className={styles.cardHead}>
          <span className={styles.seller}><Icon name="stall" size={16} />{order.seller.name}</span><StateBadge order={order} />
        </span>
        <span className={styles.cardBody}>
          <Photo url={first?.picture_url} size={72} />
          <span className={styles.cardWords}><b>{first?.title}</b><span>{first?.variant_title}</span><span>{formatWhen(order.placed_at, currentLanguage())}</span></span>
          <span className={styles.cardEnd}><Price money={order.total} /><span className="num">{t("pieces", { count: pieces })}</span></span>
        </span>
        {order.state === "placed" && order.expires_at && <span className={styles.due}><Icon name="clock" size={16} />{t("payWithin")} <Countdown until={order.expires_at} /></span>}
      </Link>
    </li>
  );
}

/** All that this person has bought, newest first. */
export function OrdersPage() {
  const { t } = useTranslation("orders");
  useTitle(t("title"));
  const user = useUser();
  const requireUser = useRequireUser();
  const query = useInfiniteQuery({
    queryKey: ["orders"], enabled: Boolean(user),
    queryFn: ({ pageParam, signal }) => api.get<Page<Order>>("/orders", { query: { cursor: pageParam }, signal }),
    initialPageParam: null as string | null, getNextPageParam: (page) => page.next,
  });
  const orders = query.data?.pages.flatMap((page) => page.items) ?? [];
  if (user === null) {
    return (
      <>
        <h1 className="sr-only">{t("title")}</h1>
        <Empty icon="orders" title={t("signIn")} action={<Button tone="ink" onClick={() => void requireUser()}>{t("common:nav.signIn")}</Button>}>{t("signInText")}</Empty>
      </>
    );
  }
  return (
    <div className={styles.page}>
      <h1>{t("title")}</h1>
      {query.isPending && <div className={styles.list} aria-busy="true"><Skeleton height={140} radius={18} /><Skeleton height={140} radius={18} /></div>}
      {query.error && <ErrorState error={query.error} onRetry={() => void query.refetch()} />}
      {query.isSuccess && orders.length === 0 && <Empty icon="bag" title={t("empty")} action={<Link to="/" className={styles.go}>{t("watch")}</Link>}>{t("emptyText")}</Empty>}
      <ul className={styles.list}>{orders.map((order) => <OrderCard key={order.id} order={order} />)}</ul>
      {query.hasNextPage && <Button wide busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{t("common:more")}</Button>}
    </div>
  );
}
