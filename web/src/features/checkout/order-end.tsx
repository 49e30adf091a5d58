import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { Order } from "@/shared/api/types";
import { useReducedMotion } from "@/shared/lib/use-media";
import { Button, Empty, Icon, Price } from "@/shared/ui";
import { OrderLines } from "./order-lines";
import styles from "./checkout.module.css";

const CONFETTI = Array.from({ length: 28 }, (_, index) => index);
const COLOURS = ["#ff9a33", "#ff4d6d", "#4cd694", "#7aa7ff", "#ffd08a"];

function Confetti() {
  return (
    <div className={styles.confetti} aria-hidden="true">
      {CONFETTI.map((index) => (
        <i key={index} style={{ left: `${(index * 37) % 100}%`, background: COLOURS[index % COLOURS.length], animationDelay: `${(index * 53) % 600}ms` }} />
      ))}
    </div>
  );
}

/** How an order ended: paid, with its number; or not, with why and a way to try again. */
export function OrderEnd({ order, onClose, onAgain }: { order: Order; onClose: () => void; onAgain?: () => void }) {
  const { t } = useTranslation("checkout");
  const still = useReducedMotion();
  const back = t(order.show_id ? "end.back" : "end.backToGoods");
  if (order.state === "cancelled" || order.state === "refunded") {
    const reason = order.state === "refunded" ? "refunded" : order.cancel_reason === "expired" ? "expired" : "cancelled";
    return (
      <Empty icon="clock" title={t(`end.${reason}`)} action={onAgain ? <Button tone="buy" onClick={onAgain}>{t("end.again")}</Button> : <Button tone="ink" onClick={onClose}>{back}</Button>}>
        {t(`end.${reason}Text`)}
      </Empty>
    );
  }
  return (
    <div className={styles.paid} data-testid="order-paid">
      {!still && <Confetti />}
      <span className={styles.tick}><Icon name="check" size={36} /></span>
      <h2>{t("end.thanks")}</h2>
      <p>{t("end.number")} <b className="num">{order.number}</b></p>
      <Price money={order.total} size="large" />
      <div className={styles.paidLines}><OrderLines lines={order.lines} /></div>
      <Button tone="ink" size="large" wide onClick={onClose}>{back}</Button>
      <Link to="/orders/$id" params={{ id: order.id }} className={styles.link}>{t("end.orders")}</Link>
    </div>
  );
}
