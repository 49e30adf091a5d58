import { useTranslation } from "react-i18next";

import type { Order } from "@/shared/api/types";
import { Badge } from "@/shared/ui";

const TONES = { placed: "warn", paid: "good", completed: "good", cancelled: "plain", refunded: "plain" } as const;

export function StateBadge({ order }: { order: Order }) {
  const { t } = useTranslation("orders");
  return <Badge tone={TONES[order.state]}>{t(`state.${order.state}`)}</Badge>;
}
