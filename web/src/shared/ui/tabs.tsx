import { type KeyboardEvent, type ReactNode, useId, useRef } from "react";

import { cx } from "../lib/cx";
import { Icon, type IconName } from "./icon";
import styles from "./tabs.module.css";

export interface Tab<Key extends string> { key: Key; label: string; icon?: IconName; note?: ReactNode }

interface Props<Key extends string> {
  label: string;
  tabs: readonly Tab<Key>[];
  value: Key;
  onChange: (key: Key) => void;
  children: ReactNode;
  className?: string;
  panelClassName?: string;
  /** "bar" is a row of big buttons with icons over words, for a thumb. */
  look?: "line" | "bar";
}

/** Tabs after the WAI-ARIA pattern: arrows move, Home and End jump. The chosen panel is `children`. */
export function Tabs<Key extends string>({ label, tabs, value, onChange, children, className, panelClassName, look = "line" }: Props<Key>) {
  const id = useId();
  const list = useRef<HTMLDivElement>(null);
  const go = (event: KeyboardEvent) => {
    const at = tabs.findIndex((tab) => tab.key === value);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const index = (next + tabs.length) % tabs.length;
    const tab = tabs[index];
    if (!tab) return;
    onChange(tab.key);
    list.current?.querySelectorAll<HTMLButtonElement>("[role=tab]")[index]?.focus();
  };
  return (
    <div className={className}>
      <div ref={list} role="tablist" aria-label={label} className={cx(styles.list, styles[look])} onKeyDown={go}>
        {tabs.map((tab) => (
          <button
            key={tab.key} type="button" role="tab" id={`${id}-${tab.key}`} aria-controls={`${id}-panel`}
            aria-selected={tab.key === value} tabIndex={tab.key === value ? 0 : -1} className={styles.tab} onClick={() => onChange(tab.key)}
          >
            {tab.icon && <Icon name={tab.icon} size={look === "bar" ? 22 : 18} />}
            <span>{tab.label}</span>
            {tab.note}
          </button>
        ))}
      </div>
      <div id={`${id}-panel`} role="tabpanel" aria-labelledby={`${id}-${value}`} className={panelClassName} tabIndex={-1}>{children}</div>
    </div>
  );
}
