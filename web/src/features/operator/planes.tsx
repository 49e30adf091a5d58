import { useTranslation } from "react-i18next";

import type { Plane } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { Badge } from "@/shared/ui";
import styles from "./operator.module.css";

export function Planes({ planes }: { planes: readonly Plane[] }) {
  const { t } = useTranslation("operator");
  return (
    <section className={styles.panel} aria-labelledby="planes-title">
      <h2 id="planes-title">{t("health.title")}</h2>
      <ul className={styles.rows}>
        {planes.map((plane) => (
          <li key={plane.name} className={styles.row}>
            <span className={cx(styles.dot, plane.state === "up" ? styles.up : styles.down)} aria-hidden="true" />
            <div className={styles.words}>
              <strong>{t(`plane.${plane.name}`, { defaultValue: plane.name })}</strong>
              {plane.detail && <span className={styles.detail}>{plane.detail}</span>}
            </div>
            <Badge tone={plane.state === "up" ? "good" : "bad"}>{t(`health.${plane.state}`)}</Badge>
          </li>
        ))}
      </ul>
    </section>
  );
}
