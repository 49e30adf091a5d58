import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { newId } from "@/shared/lib/ids";
import { Button, Field, Notice, Sheet, TextArea } from "@/shared/ui";
import { changeShow, createShow, type LatencyMode, type ShowPlan } from "../api";
import { localInput, nextGoodHour } from "../calendar";
import styles from "./shelves.module.css";

interface Props { open: boolean; onClose: () => void; day?: string; show?: Show }

/** Plans a new show, or changes the plan of `show`. */
export function PlanSheet({ open, onClose, day, show }: Props) {
  const { t } = useTranslation("studio");
  return (
    <Sheet open={open} onClose={onClose} title={t(show ? "plan.change" : "plan.title")}>
      <PlanForm day={day} show={show} onClose={onClose} />
    </Sheet>
  );
}

function firstTime(day: string | undefined, show: Show | undefined): string {
  if (show) return show.planned_at ? localInput(new Date(show.planned_at)) : "";
  const good = nextGoodHour(new Date());
  if (!day || localInput(good).startsWith(day)) return localInput(good);
  return `${day}T20:00`;
}

function PlanForm({ day, show, onClose }: Omit<Props, "open">) {
  const { t } = useTranslation(["studio", "common"]);
  const [id] = useState(() => newId());
  const [mode, setMode] = useState<LatencyMode>(show?.playback?.mode ?? "default");
  const client = useQueryClient();
  const navigate = useNavigate();
  const plan = useMutation({
    mutationFn: (body: ShowPlan) => (show ? changeShow(show.id, body) : createShow(id, body)),
    onSuccess: async (saved) => {
      await Promise.all([
        client.invalidateQueries({ queryKey: ["studio", "shows"] }),
        client.invalidateQueries({ queryKey: ["show", saved.id] }),
      ]);
      onClose();
      if (!show) await navigate({ to: "/studio/shows/$id", params: { id: saved.id } });
    },
  });
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const when = String(form.get("when") ?? "");
    plan.mutate({
      title: String(form.get("title") ?? "").trim(), description: String(form.get("description") ?? "").trim(),
      planned_at: when ? new Date(when).toISOString() : null, mode,
    });
  };
  return (
    <form className={styles.form} onSubmit={submit}>
      {plan.error && <Notice tone="bad">{plan.error.message}</Notice>}
      <Field name="title" label={t("plan.name")} placeholder={t("plan.namePlaceholder")} defaultValue={show?.title} required maxLength={100} />
      <Field name="when" type="datetime-local" label={t("plan.when")} hint={t("plan.whenHint")} defaultValue={firstTime(day, show)} required />
      <TextArea name="description" label={t("plan.description")} hint={t("plan.descriptionHint")} defaultValue={show?.description} maxLength={2000} rows={3} />
      <ModeChoice value={mode} onChange={setMode} />
      <Button type="submit" tone="ink" size="large" wide busy={plan.isPending}>{t(show ? "common:save" : "plan.save")}</Button>
    </form>
  );
}

export function ModeChoice({ value, onChange }: { value: LatencyMode; onChange: (mode: LatencyMode) => void }) {
  const { t } = useTranslation("studio");
  return (
    <fieldset className={styles.modes}>
      <legend>{t("mode.title")}</legend>
      {(["default", "interactive"] as const).map((mode) => (
        <label key={mode} className={styles.mode}>
          <input type="radio" name="mode" value={mode} checked={value === mode} onChange={() => onChange(mode)} />
          <span>{t(`mode.${mode}`)}<small>{t(`mode.${mode}Text`)}</small></span>
        </label>
      ))}
    </fieldset>
  );
}
