import { useEffect, useState } from "react";

import type { ShowCard } from "@/shared/api/types";
import { Icon } from "@/shared/ui";
import { useMovingPreview } from "./use-moving-preview";
import styles from "./feed.module.css";

/** The newest key frame, taken anew every few seconds; a broken one keeps the last good picture. */
export function Preview({ show, eager }: { show: ShowCard; eager: boolean }) {
  const source = useMovingPreview(show);
  const [shown, setShown] = useState<string | null>(null);
  useEffect(() => {
    if (!source) return;
    const image = new Image();
    image.onload = () => setShown(source);
    image.src = source;
    return () => { image.onload = null; };
  }, [source]);
  if (!shown) return <span className={styles.noPreview}><Icon name="video" size={32} /></span>;
  return <img className={styles.preview} src={shown} alt="" loading={eager ? "eager" : "lazy"} decoding="async" />;
}
