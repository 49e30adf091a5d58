import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";

import { type FeedKind, showsQuery } from "@/shared/api/queries";
import type { ShowCard } from "@/shared/api/types";
import { useDesktop } from "@/shared/lib/use-media";
import { ErrorState } from "@/shared/ui";
import { HeroTile } from "./hero-tile";
import { CardSkeletons, PlannedTile, ShowTile } from "./show-tile";
import styles from "./feed.module.css";

const LIVE_REFETCH_MS = 10_000;
/** So few live shows are drawn large; more of them make a grid, on a phone from the second on. */
const HEROES_MAX = { phone: 1, desktop: 2 };

function matching(shows: ShowCard[] | undefined, q: string): ShowCard[] {
  const wanted = q.toLowerCase();
  return (shows ?? []).filter((show) => [show.title, show.creator.name, show.pinned?.title ?? ""].some((text) => text.toLowerCase().includes(wanted)));
}

/** The live, the planned and the past shows of one feed, as far as the words searched for are in them. */
export function useLists(kind: FeedKind, q: string) {
  const live = useQuery({ ...showsQuery("live", kind), refetchInterval: LIVE_REFETCH_MS });
  const planned = useQuery(showsQuery("scheduled", kind));
  const replays = useQuery(showsQuery("replay", kind));
  const lists = { live: matching(live.data?.items, q), planned: matching(planned.data?.items, q), replays: matching(replays.data?.items, q) };
  const known = live.isSuccess && planned.isSuccess && replays.isSuccess;
  return { live, lists, nothing: known && lists.live.length + lists.planned.length + lists.replays.length === 0 };
}

/** The live shows stand right under the page's own heading and need none of their own. */
export function LiveNow({ feed }: { feed: ReturnType<typeof useLists> }) {
  const { t } = useTranslation("feed");
  const desktop = useDesktop();
  const { live, lists: { live: shows } } = feed;
  if (live.isPending) return <ul className={styles.grid} aria-busy="true" aria-label={t("title")}><CardSkeletons /></ul>;
  if (live.error && !live.data) return <ErrorState error={live.error} onRetry={() => void live.refetch()} />;
  if (shows.length === 0) return null;
  const few = shows.length <= (desktop ? HEROES_MAX.desktop : HEROES_MAX.phone);
  return (
    <section className={styles.section}>
      <ul className={few ? styles.heroes : styles.grid} data-count={shows.length}>
        {shows.map((show, index) => (few ? <HeroTile key={show.id} show={show} /> : <ShowTile key={show.id} show={show} eager={index < 2} />))}
      </ul>
    </section>
  );
}

/** What is coming and what has been. */
export function PlannedAndPast({ feed }: { feed: ReturnType<typeof useLists> }) {
  const { t } = useTranslation("feed");
  const { planned, replays } = feed.lists;
  return (
    <>
      {planned.length > 0 && <section className={styles.section}><h2>{t("planned")}</h2><ul className={styles.products}>{planned.map((show) => <PlannedTile key={show.id} show={show} />)}</ul></section>}
      {replays.length > 0 && <section className={styles.section}><h2>{t("replays")}</h2><ul className={styles.grid}>{replays.map((show) => <ShowTile key={show.id} show={show} eager={false} />)}</ul></section>}
    </>
  );
}
