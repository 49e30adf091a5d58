import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { Notice } from "@/shared/ui";
import { ingestQuery } from "../api";
import styles from "./camera.module.css";

const REFUSED = new Set(["codec", "sound-codec", "bad-stream"]);
const RUNNING = new Set(["preview", "live", "interrupted"]);

/** What the media server says is not well with the encoder, each with the one thing to do about it. */
export function StreamWarnings({ show }: { show: Show }) {
  const { t } = useTranslation("studio");
  const running = RUNNING.has(show.state);
  const ingest = useQuery({ ...ingestQuery(show.id), enabled: running, refetchInterval: 3000, retry: false });
  const online = show.stream?.online ?? false;
  // What an encoder that has gone left behind is old, but a refusal is why there is no picture.
  const warnings = (running ? ingest.data?.warnings ?? [] : []).filter((one) => online || REFUSED.has(one.code));
  return (
    <div role="status" aria-live="polite" className={styles.warnings} data-testid="stream-warnings">
      {warnings.map(({ code, value, detail }) => (
        <Notice key={code} tone={REFUSED.has(code) ? "bad" : "warn"}>{t(`warning.${code}`, { value, detail, defaultValue: detail || code })}</Notice>
      ))}
    </div>
  );
}
