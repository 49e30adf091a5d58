import type { Money, Order } from "@/shared/api/types";

export interface Board { toShip: Order[]; paidToday: number; moneyToday: Money; open: number }

/** Today's board from the newest orders: what waits to be shipped (oldest first), and what today brought. */
export function boardOf(orders: readonly Order[], currency: string, now: Date): Board {
  const midnight = new Date(now.getFullYear(), now.getMonth(), now.getDate()).getTime();
  const today = orders.filter((order) => order.paid_at !== null && Date.parse(order.paid_at) >= midnight && order.state !== "refunded");
  return {
    toShip: orders.filter((order) => order.state === "paid").sort((a, b) => (a.paid_at ?? "").localeCompare(b.paid_at ?? "")),
    paidToday: today.length,
    moneyToday: { amount: today.reduce((sum, order) => sum + order.total.amount, 0), currency },
    open: orders.filter((order) => order.state === "placed").length,
  };
}
