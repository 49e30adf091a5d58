import { memo } from "react";
import { useTranslation } from "react-i18next";

import { cx } from "@/shared/lib/cx";
import { Badge, Icon, Photo } from "@/shared/ui";
import type { Pool } from "./api";
import styles from "./proof.module.css";

const PARTS = ["sold", "held", "left", "later"] as const;
type Part = (typeof PARTS)[number];

function partsOf(pool: Pool): Record<Part, number> {
  return { sold: pool.sold, held: pool.held, left: pool.left, later: pool.on_hand - pool.open };
}

/** All units on hand as one bar: what is sold, what is held, what is left. */
function Bar({ pool }: { pool: Pool }) {
  const { t } = useTranslation("proof");
  const parts = partsOf(pool);
  const whole = Math.max(1, pool.on_hand);
  return (
    <div className={styles.bar} role="img" aria-label={t("bar", { ...parts, onHand: pool.on_hand })}>
      {PARTS.filter((part) => parts[part] > 0).map((part) => <i key={part} data-part={part} style={{ width: `${(100 * Math.max(0, parts[part])) / whole}%` }} />)}
    </div>
  );
}

function Sum({ says, adds, words }: { says: number; adds: number; words: string }) {
  const { t } = useTranslation("proof");
  const agrees = says === adds;
  return (
    <li className={cx(styles.sum, !agrees && styles.wrong)}>
      <Icon name={agrees ? "check" : "warning"} size={16} label={t(agrees ? "sum.agrees" : "sum.differs")} />
      <span className="num">{words}</span>
    </li>
  );
}

/** One row that is sold from, with its sums beside its numbers. */
export const PoolCard = memo(function PoolCard({ pool }: { pool: Pool }) {
  const { t } = useTranslation("proof");
  const parts = partsOf(pool);
  const shown = PARTS.filter((part) => part !== "later" || parts.later > 0);
  return (
    <li className={styles.card} data-pool={pool.pool_id} data-kind={pool.kind}>
      <div className={styles.top}>
        <Photo url={pool.picture_url} size={56} />
        <div className={styles.name}>
          <h2>{pool.title || t("unnamed")}</h2>
          <p>{[pool.variant_title, t("onHand", { count: pool.on_hand })].filter(Boolean).join(" · ")}</p>
        </div>
        <div className={styles.badges}>
          {pool.kind === "flash" && <Badge>{t("flash")}</Badge>}
          <span className={cx(styles.drift, pool.drift > 0 && styles.wrong, "num")}>{t("drift", { count: pool.drift })}</span>
        </div>
      </div>
      <Bar pool={pool} />
      <dl className={styles.legend} data-parts={shown.length}>
        {shown.map((part) => <div key={part} data-part={part}><dt>{t(`part.${part}`)}</dt><dd className="num">{parts[part]}</dd></div>)}
      </dl>
      <ul className={styles.sums} aria-label={t("sum.label")}>
        <Sum says={pool.held} adds={pool.open_holds} words={t("sum.held", { says: pool.held, adds: pool.open_holds, count: pool.open_orders })} />
        <Sum says={pool.sold} adds={pool.posted_holds} words={t("sum.sold", { says: pool.sold, adds: pool.posted_holds })} />
        <Sum says={pool.on_hand} adds={pool.movements.on_hand} words={t("sum.onHand", { says: pool.on_hand, adds: pool.movements.on_hand, count: pool.movements.count })} />
      </ul>
    </li>
  );
});
