import { useCallback, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { currentLanguage } from "@/shared/i18n";
import { formatCount } from "@/shared/lib/format";
import { newId } from "@/shared/lib/ids";
import { useReducedMotion } from "@/shared/lib/use-media";
import { type LiveClient, useLive } from "@/shared/live";
import { Icon } from "@/shared/ui";
import styles from "./hearts.module.css";

const SEND_EVERY_MS = 800;
const LIKES_PER_COMMAND = 50;
const HEARTS_ALIVE = 18;
const COLOURS = ["#ff4d6d", "#ff8fa3", "#ffb866", "#ff6b9d", "#f7c6d9"];

/** Likes are gathered and sent together; the total on screen runs ahead by what is not yet answered. */
export function useLikes(client: LiveClient) {
  const total = useLive(client, (state) => state.totals.likes) ?? 0;
  const [unsent, setUnsent] = useState(0);
  const waiting = useRef(0);
  useEffect(() => {
    const timer = setInterval(() => {
      const count = Math.min(waiting.current, LIKES_PER_COMMAND);
      if (count === 0) return;
      waiting.current -= count;
      client.command({ type: "like", id: newId(), count }, false).catch(() => undefined)
        .finally(() => setUnsent((value) => Math.max(0, value - count)));
    }, SEND_EVERY_MS);
    return () => clearInterval(timer);
  }, [client]);
  const like = useCallback(() => {
    waiting.current += 1;
    setUnsent((value) => value + 1);
  }, []);
  return { total: total + unsent, like };
}

function spawn(host: HTMLElement): void {
  if (host.childElementCount >= HEARTS_ALIVE) return;
  const heart = document.createElement("i");
  heart.style.setProperty("--drift", `${Math.round(Math.random() * 60 - 40)}px`);
  heart.style.setProperty("--turn", `${Math.round(Math.random() * 50 - 25)}deg`);
  heart.style.color = COLOURS[Math.floor(Math.random() * COLOURS.length)] ?? "#ff4d6d";
  heart.textContent = "♥";
  heart.addEventListener("animationend", () => heart.remove());
  host.append(heart);
}

/** The like button with its total, and hearts that rise as the total does. */
export function LikeButton({ total, like }: { total: number; like: () => void }) {
  const { t } = useTranslation("room");
  const shown = formatCount(total, currentLanguage());
  const host = useRef<HTMLSpanElement>(null);
  const last = useRef(total);
  const still = useReducedMotion();
  useEffect(() => {
    const risen = total - last.current;
    last.current = total;
    if (still || risen <= 0 || !host.current || document.hidden || risen > 500) return;
    for (let i = 0; i < Math.min(risen, 3); i++) {
      const element = host.current;
      setTimeout(() => spawn(element), i * 130);
    }
  }, [total, still]);
  return (
    <span className={styles.frame}>
      <span ref={host} className={styles.hearts} aria-hidden="true" />
      <button type="button" className={styles.like} onClick={like} aria-label={t("like.label", { likes: shown })}>
        <Icon name="heart" filled size={24} /><span className="num" aria-hidden="true">{shown}</span>
      </button>
    </span>
  );
}
