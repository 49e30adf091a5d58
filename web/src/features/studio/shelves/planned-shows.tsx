import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import type { ShowCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { useServerNow } from "@/shared/lib/clock";
import { Badge, Button, Icon } from "@/shared/ui";
import { dayOf } from "../calendar";
import styles from "./shelves.module.css";

interface Props { days: readonly { day: string; shows: ShowCard[] }[]; drafts: readonly ShowCard[]; onPlan: () => void }

const tag = (): string => (currentLanguage() === "zh" ? "zh-CN" : "en-GB");

function useDayName(): (day: string) => string {
  const { t } = useTranslation("studio");
  const now = useServerNow();
  const today = dayOf(new Date(now));
  const tomorrow = dayOf(new Date(now + 86_400_000));
  const format = new Intl.DateTimeFormat(tag(), { weekday: "long", day: "numeric", month: "long" });
  return (day) => {
    const name = format.format(new Date(`${day}T12:00:00`));
    return day === today ? `${t("planned.today")} · ${name}` : day === tomorrow ? `${t("planned.tomorrow")} · ${name}` : name;
  };
}

export function PlannedShows({ days, drafts, onPlan }: Props) {
  const { t } = useTranslation("studio");
  const dayName = useDayName();
  return (
    <section className={styles.shelf} aria-labelledby="planned-title">
      <h2 id="planned-title">{t("planned.title")}</h2>
      {days.length === 0 && drafts.length === 0 && (
        <div className={styles.hint}><span>{t("planned.none")}</span><Button size="small" icon="plus" onClick={onPlan}>{t("plan.action")}</Button></div>
      )}
      {days.map(({ day, shows }) => (
        <div key={day} className={styles.list} id={`day-${day}`}>
          <h3 className={styles.day}>{dayName(day)}</h3>
          {shows.map((show) => <PlannedCard key={show.id} show={show} />)}
        </div>
      ))}
      {drafts.length > 0 && (
        <div className={styles.list}>
          <h3 className={styles.day}>{t("planned.drafts")}</h3>
          {drafts.map((show) => <PlannedCard key={show.id} show={show} />)}
        </div>
      )}
    </section>
  );
}

function PlannedCard({ show }: { show: ShowCard }) {
  const { t } = useTranslation("studio");
  const time = show.planned_at && new Intl.DateTimeFormat(tag(), { hour: "2-digit", minute: "2-digit" }).format(new Date(show.planned_at));
  return (
    <Link to="/studio/shows/$id" params={{ id: show.id }} className={styles.card}>
      <span className={styles.time}>{time ?? <Icon name="edit" />}</span>
      <span className={styles.words}>
        <span className={styles.title}>{show.title}</span>
        <span className={styles.detail}>{t("planned.prepare")}</span>
      </span>
      <Badge>{t(`state.${show.state}`)}</Badge>
      <Icon name="chevron" size={18} className={styles.arrow} />
    </Link>
  );
}
