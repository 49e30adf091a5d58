import { type KeyboardEvent, useEffect, useRef, useState } from "react";

import { cx } from "@/shared/lib/cx";
import styles from "./inline-cell.module.css";

interface Props {
  label: string;
  text: string;
  /** Reads what was typed; null when it cannot be. */
  read: (text: string) => number | null;
  /** Saves; a rejection puts the old text back. */
  save: (value: number) => Promise<unknown>;
  mode: "numeric" | "decimal";
  fault: string;
}

/** A figure in a table that is edited where it stands: Enter or leaving saves, Escape takes back. */
export function InlineCell({ label, text, read, save, mode, fault }: Props) {
  const [draft, setDraft] = useState(text);
  const [state, setState] = useState<"still" | "saving" | "saved" | "wrong">("still");
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => { if (document.activeElement !== input.current) setDraft(text); }, [text]);
  useEffect(() => {
    if (state !== "saved") return;
    const timer = setTimeout(() => setState("still"), 1500);
    return () => clearTimeout(timer);
  }, [state]);
  const commit = async () => {
    if (draft.trim() === text) return setState("still");
    const value = read(draft);
    if (value === null) return setState("wrong");
    setState("saving");
    try {
      await save(value);
      setState("saved");
    } catch {
      setDraft(text);
      setState("still");
    }
  };
  const key = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === "Enter") event.currentTarget.blur();
    if (event.key === "Escape") {
      setDraft(text);
      setState("still");
      requestAnimationFrame(() => input.current?.blur());
    }
  };
  return (
    <span className={styles.cell}>
      <input
        ref={input} className={cx(styles.input, styles[state])} aria-label={label} aria-invalid={state === "wrong" || undefined} title={state === "wrong" ? fault : undefined}
        inputMode={mode} autoComplete="off" value={draft} onChange={(event) => { setDraft(event.target.value); setState("still"); }}
        onFocus={(event) => event.target.select()} onBlur={() => void commit()} onKeyDown={key}
      />
      {state === "wrong" && <span role="alert" className={styles.fault}>{fault}</span>}
    </span>
  );
}
