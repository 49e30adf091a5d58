import type { TFunction } from "i18next";
import { useTranslation } from "react-i18next";

import type { Plane } from "@/shared/api/types";
import { cx } from "@/shared/lib/cx";
import { Badge } from "@/shared/ui";
import styles from "./operator.module.css";

const TONES = { up: "good", warn: "warn", down: "bad" } as const;

/** A plane that works and has something to say wants a look before it is down. */
export const stateOf = (plane: Plane) => (plane.state === "up" && plane.detail ? "warn" : plane.state);

const formatMegabytes = (count: number) => (count < 1000 ? `${count} MB` : `${(count / 1000).toFixed(1)} GB`);

function trouble(plane: Plane, t: TFunction<"operator">): string {
  if (!plane.code) return plane.detail;
  const values: Record<string, string | number> = { ...plane.values, count: Number(plane.values.paused ?? 0) };
  const words = t(`trouble.${plane.code}`, { ...values, defaultValue: plane.detail });
  const { free } = plane.values;
  return free === undefined ? words : `${words.replace(/[.。]$/, "")}${t("trouble.stop")}${t("trouble.free", { free: formatMegabytes(Number(free)) })}`;
}

/** `known`: these are the states of now. Otherwise the market has not answered since, and nobody knows. */
export function Planes({ planes, known }: { planes: readonly Plane[]; known: boolean }) {
  const { t } = useTranslation("operator");
  return (
    <section className={cx(styles.panel, planes.some((plane) => stateOf(plane) !== "up") && styles.urgent)} aria-labelledby="planes-title">
      <h2 id="planes-title">{t("health.title")}</h2>
      <ul className={styles.rows}>
        {planes.map((plane) => {
          const state = stateOf(plane);
          return (
            <li key={plane.name} className={styles.row} data-plane={plane.name} data-state={known ? state : "unknown"}>
              <span className={cx(styles.dot, known && styles[state])} aria-hidden="true" />
              <div className={styles.words}>
                <strong>{t(`plane.${plane.name}`, { defaultValue: plane.name })}</strong>
                {plane.detail && <span className={styles.detail}>{trouble(plane, t)}</span>}
              </div>
              <Badge tone={known ? TONES[state] : "plain"}>{t(known ? `health.${state}` : "health.unknown")}</Badge>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
