import { useState } from "react";

import { cx } from "../lib/cx";
import { Icon } from "./icon";
import styles from "./photo.module.css";

/** A product picture in a square of its own; an icon when there is none. */
export function Photo({ url, alt = "", size, className, eager }: { url: string | null | undefined; alt?: string; size?: number; className?: string; eager?: boolean }) {
  const [broken, setBroken] = useState<string | null>(null);
  const box = size ? { width: size, height: size } : undefined;
  if (!url || broken === url) {
    return <span className={cx(styles.photo, className)} style={box} role={alt ? "img" : undefined} aria-label={alt || undefined}><Icon name="image" size={24} /></span>;
  }
  return <img className={cx(styles.photo, className)} style={box} src={url} alt={alt} width={size} height={size} loading={eager ? "eager" : "lazy"} decoding="async" onError={() => setBroken(url)} />;
}
