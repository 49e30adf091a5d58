import { useState } from "react";

import styles from "./avatar.module.css";

function hue(name: string): number {
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + (letter.codePointAt(0) ?? 0)) % 360;
  return sum;
}

/** A person's picture, or their first letter on a colour of their own. The name stands beside it, so it is decorative. */
export function Avatar({ name, url, size = 36 }: { name: string; url?: string | null; size?: number }) {
  const [broken, setBroken] = useState(false);
  if (url && !broken) {
    return <img className={styles.avatar} src={url} alt="" width={size} height={size} loading="lazy" onError={() => setBroken(true)} />;
  }
  return (
    <span className={styles.avatar} aria-hidden="true" style={{ width: size, height: size, fontSize: size * 0.44, background: `hsl(${hue(name)} 45% 38%)` }}>
      {[...name.trim()][0]?.toUpperCase() ?? "?"}
    </span>
  );
}
