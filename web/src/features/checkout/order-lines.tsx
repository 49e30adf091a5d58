import type { OrderLine } from "@/shared/api/types";
import { Photo, Price } from "@/shared/ui";
import styles from "./checkout.module.css";

export function OrderLines({ lines }: { lines: OrderLine[] }) {
  return (
    <ul className={styles.lines}>
      {lines.map((line) => (
        <li key={line.variant_id} className={styles.orderLine}>
          <Photo url={line.picture_url} size={56} />
          <div><b>{line.title}</b><p className={styles.quiet}>{line.variant_title}</p></div>
          <div className={styles.lineEnd}><Price money={line.unit_price} /><span className="num">× {line.quantity}</span></div>
        </li>
      ))}
    </ul>
  );
}
