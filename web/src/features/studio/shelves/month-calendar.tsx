import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { ShowCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { cx } from "@/shared/lib/cx";
import { IconButton } from "@/shared/ui";
import { dayOf, weeksOf } from "../calendar";
import styles from "./shelves.module.css";

interface Props {
  days: readonly { day: string; shows: ShowCard[] }[];
  past: readonly ShowCard[];
  onPlan: (day: string) => void;
}

/** A month at a glance. A day with plans leads to them; an empty day to come opens the plan sheet on that day. */
export function MonthCalendar({ days, past, onPlan }: Props) {
  const { t } = useTranslation("studio");
  const today = new Date();
  const [month, setMonth] = useState({ year: today.getFullYear(), month: today.getMonth() });
  const tag = currentLanguage() === "zh" ? "zh-CN" : "en-GB";
  const turn = (by: number) => {
    const next = new Date(month.year, month.month + by, 1);
    setMonth({ year: next.getFullYear(), month: next.getMonth() });
  };
  const planned = new Map(days.map(({ day, shows }) => [day, shows.length]));
  const held = new Set(past.flatMap((show) => (show.started_at ? [dayOf(show.started_at)] : [])));
  const choose = (day: string) => {
    if (planned.has(day)) document.getElementById(`day-${day}`)?.scrollIntoView({ behavior: "smooth", block: "center" });
    else onPlan(day);
  };
  const weeks = weeksOf(month.year, month.month);
  const weekday = new Intl.DateTimeFormat(tag, { weekday: "narrow" });
  return (
    <section className={styles.calendar} aria-label={t("calendar.title")}>
      <div className={styles.month}>
        <IconButton icon="back" label={t("calendar.previous")} onClick={() => turn(-1)} />
        <h2 aria-live="polite">{new Intl.DateTimeFormat(tag, { month: "long", year: "numeric" }).format(new Date(month.year, month.month, 1))}</h2>
        <IconButton icon="chevron" label={t("calendar.next")} onClick={() => turn(1)} />
      </div>
      <div className={styles.grid}>
        {(weeks[0] ?? []).map((day) => <span key={day} className={styles.weekday} aria-hidden="true">{weekday.format(new Date(`${day}T12:00:00`))}</span>)}
        {weeks.flat().map((day) => (
          <Day key={day} day={day} today={dayOf(today)} other={Number(day.slice(5, 7)) !== month.month + 1} planned={planned.get(day) ?? 0} held={held.has(day)} onChoose={choose} />
        ))}
      </div>
    </section>
  );
}

interface DayProps { day: string; today: string; other: boolean; planned: number; held: boolean; onChoose: (day: string) => void }

function Day({ day, today, other, planned, held, onChoose }: DayProps) {
  const { t } = useTranslation("studio");
  const tag = currentLanguage() === "zh" ? "zh-CN" : "en-GB";
  const name = new Intl.DateTimeFormat(tag, { day: "numeric", month: "long" }).format(new Date(`${day}T12:00:00`));
  const gone = day < today;
  const what = planned > 0 ? t("calendar.planned", { count: planned }) : held ? t("calendar.held") : gone ? "" : t("calendar.free");
  return (
    <button
      type="button" className={cx(styles.cell, other && styles.other, gone && styles.gone, day === today && styles.today)}
      disabled={gone && planned === 0} aria-label={what ? `${name}: ${what}` : name} aria-current={day === today ? "date" : undefined} onClick={() => onChoose(day)}
    >
      {Number(day.slice(8))}
      {(planned > 0 || held) && <span className={cx(styles.mark, planned > 0 && styles.markPlanned)} aria-hidden="true" />}
    </button>
  );
}
