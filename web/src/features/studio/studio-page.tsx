import { useInfiniteQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { useTitle } from "@/shared/lib/use-title";
import { useMe, useRequireUser } from "@/shared/session";
import { Button, Empty, ErrorState, PageHead, Skeleton } from "@/shared/ui";
import { myShowsQuery } from "./api";
import { sortShows } from "./calendar";
import { ChannelForm } from "./channel-form";
import { GoLive } from "./go-live/go-live";
import { MonthCalendar } from "./shelves/month-calendar";
import { PastShows } from "./shelves/past-shows";
import { PlannedShows } from "./shelves/planned-shows";
import { PlanSheet } from "./shelves/plan-sheet";
import { RunningShows } from "./shelves/running-shows";
import styles from "./studio-page.module.css";

export function StudioPage() {
  const { t } = useTranslation("studio");
  const me = useMe();
  const requireUser = useRequireUser();
  useTitle(t("title"));
  if (me.isPending) return <Loading />;
  if (me.error && !me.data) return <ErrorState error={me.error} onRetry={() => void me.refetch()} />;
  const { user, creator } = me.data;
  if (!user) {
    return (
      <Empty page icon="video" title={t("signedOut.title")} action={<Button tone="ink" onClick={() => void requireUser()}>{t("signedOut.action")}</Button>}>
        {t("signedOut.text")}
      </Empty>
    );
  }
  return creator ? <Studio name={creator.name} /> : <ChannelForm user={user} />;
}

function Loading() {
  return (
    <div className={styles.page} aria-busy="true">
      <Skeleton width={200} height={34} /><Skeleton height={140} radius={18} /><Skeleton height={140} radius={18} />
    </div>
  );
}

function Studio({ name }: { name: string }) {
  const { t } = useTranslation(["studio", "common"]);
  const shows = useInfiniteQuery(myShowsQuery);
  const [planning, setPlanning] = useState<{ day?: string } | null>(null);
  const [goingLive, setGoingLive] = useState(false);
  const sorted = useMemo(() => sortShows(shows.data?.pages.flatMap((page) => page.items) ?? []), [shows.data]);
  const nothing = shows.isSuccess && shows.data.pages.every((page) => page.items.length === 0);
  return (
    <div className={styles.page}>
      <PageHead title={t("title")} note={name}>
        <Button icon="clock" onClick={() => setPlanning({})}>{t("plan.action")}</Button>
        <Button tone="live" icon="video" onClick={() => setGoingLive(true)}>{t("goLive.action")}</Button>
      </PageHead>
      {shows.isPending ? <Loading />
        : shows.error && !shows.data ? <ErrorState error={shows.error} onRetry={() => void shows.refetch()} />
        : (
          <>
            <RunningShows shows={sorted.running} />
            <div className={styles.columns}>
              <div className={styles.main}>
                {nothing ? <Empty icon="video" title={t("none.title")}>{t("none.text")}</Empty> : <PlannedShows days={sorted.planned} drafts={sorted.drafts} onPlan={() => setPlanning({})} />}
                <PastShows shows={sorted.past} />
                {shows.hasNextPage && (
                  <Button busy={shows.isFetchingNextPage} onClick={() => void shows.fetchNextPage()}>{t("common:more")}</Button>
                )}
              </div>
              <MonthCalendar days={sorted.planned} past={sorted.past} onPlan={(day) => setPlanning({ day })} />
            </div>
          </>
        )}
      <PlanSheet open={planning !== null} day={planning?.day} onClose={() => setPlanning(null)} />
      {goingLive && <GoLive onClose={() => setGoingLive(false)} />}
    </div>
  );
}
