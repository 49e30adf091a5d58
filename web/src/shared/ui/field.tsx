import { type InputHTMLAttributes, type ReactNode, type SelectHTMLAttributes, type TextareaHTMLAttributes, useId } from "react";

import { cx } from "../lib/cx";
import styles from "./field.module.css";

interface Frame { label: string; hint?: ReactNode; error?: string | null }

function Around({ id, label, hint, error, children }: Frame & { id: string; children: ReactNode }) {
  return (
    <div className={styles.field}>
      <label htmlFor={id} className={styles.label}>{label}</label>
      {children}
      {error ? <p id={`${id}-error`} className={styles.error} role="alert">{error}</p>
        : hint ? <p id={`${id}-hint`} className={styles.hint}>{hint}</p> : null}
    </div>
  );
}

const described = (id: string, hint: ReactNode, error: string | null | undefined) =>
  error ? `${id}-error` : hint ? `${id}-hint` : undefined;

/** A labelled input with a hint or, when `error` is set, the error in its place. */
export function Field({ label, hint, error, className, ...rest }: Frame & InputHTMLAttributes<HTMLInputElement>) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint} error={error}>
      <input {...rest} id={id} className={cx(styles.input, className)} aria-invalid={error ? true : undefined} aria-describedby={described(id, hint, error)} />
    </Around>
  );
}

export function TextArea({ label, hint, error, className, ...rest }: Frame & TextareaHTMLAttributes<HTMLTextAreaElement>) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint} error={error}>
      <textarea {...rest} id={id} className={cx(styles.input, styles.area, className)} aria-invalid={error ? true : undefined} aria-describedby={described(id, hint, error)} />
    </Around>
  );
}

export function Select({ label, hint, error, className, children, ...rest }: Frame & SelectHTMLAttributes<HTMLSelectElement>) {
  const id = useId();
  return (
    <Around id={id} label={label} hint={hint} error={error}>
      <select {...rest} id={id} className={cx(styles.input, className)} aria-invalid={error ? true : undefined} aria-describedby={described(id, hint, error)}>
        {children}
      </select>
    </Around>
  );
}
