import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import type { LineTicket } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { Icon } from "@/shared/ui";
import styles from "./checkout.module.css";

const SPEAK_MS = 5000;

/** The words that a screen reader says: at once, then not more often than every 5 s. */
function useCalmly(text: string): string {
  const [said, setSaid] = useState(text);
  const next = useRef(text);
  useEffect(() => { next.current = text; }, [text]);
  useEffect(() => {
    const timer = setInterval(() => setSaid(next.current), SPEAK_MS);
    return () => clearInterval(timer);
  }, []);
  return said;
}

/** The place in line while a claim waits. The outcome takes its place. */
export function InLine({ ticket, paused }: { ticket: LineTicket; paused: boolean }) {
  const { t } = useTranslation("checkout");
  const [first] = useState(ticket.place);
  const share = first > 1 ? 1 - (ticket.place - 1) / first : 1;
  const place = new Intl.NumberFormat(currentLanguage()).format(ticket.place);
  const about = paused ? t("line.paused") : t("line.about", { count: ticket.about_seconds });
  const words = t("line.place", { place });
  const spoken = useCalmly(`${words} ${about}`);
  return (
    <section className={styles.line} data-testid="in-line" aria-label={t("line.title")}>
      <p className="sr-only" role="status">{spoken}</p>
      <div aria-hidden="true" className={styles.lineFace}>
        <Icon name="clock" size={24} />
        <p className={styles.linePlace}>{t("line.number")} <b className="num">{place}</b></p>
        <p className={styles.quiet}>{about}</p>
        <div className={styles.lineBar}><i style={{ transform: `scaleX(${share})` }} /></div>
      </div>
      <p className={styles.quiet}>{t("line.hint")}</p>
    </section>
  );
}
