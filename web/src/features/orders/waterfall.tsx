import { useTranslation } from "react-i18next";

import type { Order } from "@/shared/api/types";
import { Badge, Price } from "@/shared/ui";
import styles from "./orders.module.css";

/** Who gets what of the money paid: the same figures that seller and creator see. */
export function Waterfall({ order }: { order: Order }) {
  const { t } = useTranslation("orders");
  return (
    <>
      <p className={styles.quiet}>{t("waterfall.text")}</p>
      <ul className={styles.waterfall}>
        {order.waterfall.map((share) => {
          const part = order.total.amount > 0 ? share.amount.amount / order.total.amount : 0;
          return (
            <li key={share.account}>
              <span className={styles.shareHead}>
                <span><b>{share.name}</b> <span className={styles.quiet}>{t(`waterfall.${share.account}`)}</span></span>
                <span className={styles.shareEnd}><Badge tone={share.state === "payable" ? "good" : "plain"}>{t(`waterfall.${share.state}`)}</Badge><Price money={share.amount} /></span>
              </span>
              <span className={styles.shareBar} aria-hidden="true"><i style={{ width: `${Math.round(part * 100)}%` }} /></span>
            </li>
          );
        })}
      </ul>
    </>
  );
}
