import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Button, Field, IconButton } from "@/shared/ui";
import { AXES_MAX, type Axis } from "../variant-matrix";
import styles from "./products.module.css";

const split = (text: string) => text.split(/[,，;；\n]/).map((value) => value.trim()).filter(Boolean);

/** "Colour: red, blue" and "Size: S, M": each axis a name and its values. */
export function AxesEditor({ axes, onChange }: { axes: readonly Axis[]; onChange: (axes: Axis[]) => void }) {
  const { t } = useTranslation("seller");
  const change = (index: number, part: Partial<Axis>) => onChange(axes.map((axis, at) => (at === index ? { ...axis, ...part } : axis)));
  return (
    <fieldset className={styles.axes}>
      <legend>{t("axes.title")}</legend>
      <p className={styles.note}>{t("axes.text")}</p>
      {axes.map((axis, index) => (
        <div key={index} className={styles.axis}>
          <Field label={t("axes.name")} value={axis.name} placeholder={t("axes.namePlaceholder")} maxLength={40} onChange={(event) => change(index, { name: event.target.value })} />
          <Values values={axis.values} onChange={(values) => change(index, { values })} />
          <IconButton icon="trash" label={t("axes.remove", { name: axis.name })} onClick={() => onChange(axes.filter((_, at) => at !== index))} />
        </div>
      ))}
      {axes.length < AXES_MAX && <Button size="small" icon="plus" onClick={() => onChange([...axes, { name: "", values: [] }])}>{t("axes.add")}</Button>}
    </fieldset>
  );
}

/** The text is kept as typed, so that a comma does not vanish under the finger. */
function Values({ values, onChange }: { values: readonly string[]; onChange: (values: string[]) => void }) {
  const { t } = useTranslation("seller");
  const [text, setText] = useState(values.join(", "));
  return (
    <Field label={t("axes.values")} value={text} placeholder={t("axes.valuesPlaceholder")} maxLength={2000}
      onChange={(event) => { setText(event.target.value); onChange(split(event.target.value)); }} />
  );
}
