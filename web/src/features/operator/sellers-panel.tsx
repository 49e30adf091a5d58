import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Seller } from "@/shared/api/types";
import { Avatar, Badge, Button, Confirm, Empty, ErrorState, Skeleton, toast, toastError } from "@/shared/ui";
import { sellersQuery, useApproveSeller } from "./api";
import styles from "./operator.module.css";

const TONES = { applied: "warn", approved: "good", suspended: "bad" } as const;
const ORDER = { applied: 0, suspended: 1, approved: 2 } as const;

export function SellersPanel() {
  const { t } = useTranslation("operator");
  const sellers = useQuery(sellersQuery);
  const [asking, setAsking] = useState<Seller | null>(null);
  return (
    <section className={styles.panel} aria-labelledby="sellers-title">
      <h2 id="sellers-title">{t("sellers.title")}</h2>
      {sellers.isPending ? <Skeleton height={120} radius={12} />
        : sellers.error && !sellers.data ? <ErrorState error={sellers.error} onRetry={() => void sellers.refetch()} />
        : <SellerList sellers={sellers.data.items} onApprove={setAsking} />}
      <Approval seller={asking} onClose={() => setAsking(null)} />
    </section>
  );
}

function SellerList({ sellers, onApprove }: { sellers: readonly Seller[]; onApprove: (seller: Seller) => void }) {
  const { t } = useTranslation("operator");
  if (sellers.length === 0) return <Empty icon="stall" title={t("sellers.none")}>{t("sellers.noneText")}</Empty>;
  const sorted = [...sellers].sort((a, b) => ORDER[a.state] - ORDER[b.state] || a.name.localeCompare(b.name));
  return (
    <ul className={styles.rows}>
      {sorted.map((seller) => (
        <li key={seller.id} className={styles.row}>
          <Avatar name={seller.name} />
          <div className={styles.words}><strong>{seller.name}</strong></div>
          <Badge tone={TONES[seller.state]}>{t(`seller.${seller.state}`)}</Badge>
          {seller.state === "applied" && <Button tone="ink" size="small" onClick={() => onApprove(seller)}>{t("sellers.approve")}</Button>}
        </li>
      ))}
    </ul>
  );
}

function Approval({ seller, onClose }: { seller: Seller | null; onClose: () => void }) {
  const { t } = useTranslation("operator");
  const approve = useApproveSeller();
  const confirm = () => {
    if (!seller) return;
    approve.mutate(seller, {
      onSuccess: () => { toast(t("sellers.approved", { name: seller.name }), { tone: "good" }); onClose(); },
      onError: toastError,
    });
  };
  return (
    <Confirm
      open={seller !== null} title={t("sellers.ask", { name: seller?.name ?? "" })} action={t("sellers.approve")} tone="ink"
      busy={approve.isPending} onConfirm={confirm} onClose={onClose}
    >
      {t("sellers.askText")}
    </Confirm>
  );
}
