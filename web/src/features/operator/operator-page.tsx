import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { currentLanguage } from "@/shared/i18n";
import { formatClock } from "@/shared/lib/format";
import { useTitle } from "@/shared/lib/use-title";
import { useMe, useRequireUser } from "@/shared/session";
import { Button, Empty, ErrorState, Notice, PageHead, Skeleton, Stat, StatRow } from "@/shared/ui";
import { healthQuery, sellersQuery } from "./api";
import styles from "./operator.module.css";
import { Planes, stateOf } from "./planes";
import { SellersPanel } from "./sellers-panel";
import { ShowsNow } from "./shows-now";

export function OperatorPage() {
  const { t } = useTranslation("operator");
  const me = useMe();
  const requireUser = useRequireUser();
  useTitle(t("title"));
  if (me.isPending) return <Loading />;
  if (me.error) return <ErrorState page error={me.error} onRetry={() => void me.refetch()} />;
  if (!me.data.is_operator) {
    const action = me.data.user ? undefined : <Button tone="ink" onClick={() => void requireUser()}>{t("signIn")}</Button>;
    return <Empty page icon="settings" title={t("denied")} action={action}>{t("deniedText")}</Empty>;
  }
  return <Board />;
}

function Loading() {
  return <div className={styles.page} aria-busy="true"><Skeleton width={180} height={34} /><Skeleton height={96} radius={12} /><Skeleton height={240} radius={18} /></div>;
}

function Board() {
  const { t } = useTranslation("operator");
  const health = useQuery(healthQuery);
  const sellers = useQuery(sellersQuery);
  const waiting = sellers.data?.items.filter((seller) => seller.state === "applied").length;
  if (health.isPending) return <Loading />;
  const planes = health.data?.planes ?? [];
  const up = planes.filter((plane) => plane.state === "up").length;
  const looks = planes.filter((plane) => stateOf(plane) === "warn").length;
  const drift = health.data?.drift;
  return (
    <div className={styles.page}>
      <PageHead title={t("title")} note={t("note")} />
      {health.data && health.isError && <Notice tone="bad">{t("health.silent", { time: formatClock(health.dataUpdatedAt, currentLanguage()) })} {health.error.message}</Notice>}
      {health.data && (
        <StatRow>
          <Stat label={t("health.live")} value={health.data.shows_live} tone={health.data.shows_live > 0 ? "live" : "plain"} />
          <Stat label={t("health.planes")} value={`${up}/${planes.length}`} tone={up < planes.length ? "bad" : looks > 0 || health.isError ? "plain" : "good"} note={looks > 0 ? t("health.look", { count: looks }) : undefined} />
          <Stat label={t("health.drift")} value={drift} tone={drift !== 0 ? "bad" : health.isError ? "plain" : "good"} note={t(drift === 0 ? "health.driftGood" : "health.driftBad")} />
          <Stat label={t("health.waiting")} value={waiting ?? "–"} />
        </StatRow>
      )}
      <div className={styles.columns}>
        <div className={styles.column}>
          <SellersPanel />
          <ShowsNow />
        </div>
        {health.data ? <Planes planes={planes} known={!health.isError} /> : <section className={styles.panel}><ErrorState error={health.error} onRetry={() => void health.refetch()} /></section>}
      </div>
    </div>
  );
}
