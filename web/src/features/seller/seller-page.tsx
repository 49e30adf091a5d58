import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { Order } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { useServerNow } from "@/shared/lib/clock";
import { formatMoney, formatWhen } from "@/shared/lib/format";
import { Badge, Button, Empty, ErrorState, PageHead, Photo, Price, Skeleton, Stat, StatRow } from "@/shared/ui";
import { ordersQuery } from "./api";
import { boardOf } from "./board-numbers";
import { type SellerContext, SellerFrame } from "./seller-frame";
import styles from "./seller.module.css";

export function SellerPage() {
  const { t } = useTranslation("seller");
  return <SellerFrame title={t("nav.board")}>{(context) => <Today {...context} />}</SellerFrame>;
}

function Today({ seller, currency }: SellerContext) {
  const { t } = useTranslation(["seller", "common"]);
  const orders = useInfiniteQuery(ordersQuery(seller.id));
  const now = useServerNow();
  const day = new Intl.DateTimeFormat(currentLanguage() === "zh" ? "zh-CN" : "en-GB", { weekday: "long", day: "numeric", month: "long" }).format(now);
  const head = <PageHead title={seller.name} note={day}><Link to="/seller/products" className={styles.linkButton}>{t("nav.products")}</Link></PageHead>;
  if (orders.isPending) return <>{head}<Skeleton height={84} radius={12} /><Skeleton height={240} radius={18} /></>;
  if (orders.error && !orders.data) return <>{head}<ErrorState error={orders.error} onRetry={() => void orders.refetch()} /></>;
  const all = orders.data.pages.flatMap((page) => page.items);
  const board = boardOf(all, currency, new Date(now));
  return (
    <>
      {head}
      <StatRow>
        <Stat label={t("board.toShip")} value={board.toShip.length} />
        <Stat label={t("board.paidToday")} value={board.paidToday} />
        <Stat label={t("board.moneyToday")} value={formatMoney(board.moneyToday, currentLanguage())} />
        <Stat label={t("board.open")} value={board.open} note={t("board.openNote")} />
      </StatRow>
      <section className={styles.panel} aria-labelledby="ship-title">
        <h2 id="ship-title">{t("board.toShip")}</h2>
        {board.toShip.length === 0 ? <Empty icon="truck" title={t("board.nothing")}>{t("board.nothingText")}</Empty>
          : <ul className={styles.rows}>{board.toShip.map((order) => <ShipRow key={order.id} order={order} />)}</ul>}
        {orders.hasNextPage && <Button busy={orders.isFetchingNextPage} onClick={() => void orders.fetchNextPage()}>{t("common:more")}</Button>}
      </section>
    </>
  );
}

function ShipRow({ order }: { order: Order }) {
  const { t } = useTranslation("seller");
  const language = currentLanguage();
  const place = order.address ? [order.address.recipient, order.address.city, order.address.country].filter(Boolean).join(" · ") : t("board.noAddress");
  return (
    <li className={styles.row}>
      <Photo url={order.lines[0]?.picture_url} size={56} />
      <div className={styles.words}>
        <strong className={styles.title}>{order.lines.map((line) => `${line.quantity} × ${line.title}${line.variant_title ? ` (${line.variant_title})` : ""}`).join(", ")}</strong>
        <span className={styles.note}>{place}</span>
        <span className={styles.note}><span className="num">{order.number}</span>{order.paid_at && <> · {t("board.paidAt", { when: formatWhen(order.paid_at, language) })}</>}</span>
      </div>
      <div className={styles.rowEnd}><Price money={order.total} /><Badge tone="good">{t("board.paid")}</Badge></div>
    </li>
  );
}
