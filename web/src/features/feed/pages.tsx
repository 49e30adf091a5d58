import { useQuery } from "@tanstack/react-query";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { showsQuery } from "@/shared/api/queries";
import type { ShowCard } from "@/shared/api/types";
import { useTitle } from "@/shared/lib/use-title";
import { Empty, ErrorState, Icon } from "@/shared/ui";
import { FoundProducts } from "./found-products";
import { HeroTile } from "./hero-tile";
import { CardSkeletons, PlannedTile, ShowTile } from "./show-tile";
import styles from "./feed.module.css";

const LIVE_REFETCH_MS = 10_000;
const WRITE_ADDRESS_MS = 300;
/** So few live shows are drawn large; more of them make a grid. */
const HEROES_MAX = 2;

function matching(shows: ShowCard[] | undefined, q: string): ShowCard[] {
  const wanted = q.toLowerCase();
  return (shows ?? []).filter((show) => [show.title, show.creator.name, show.pinned?.title ?? ""].some((text) => text.toLowerCase().includes(wanted)));
}

/** The words searched for; they stand in the address, so a search can be shared and found again. */
function useSearchWords(): [string, (words: string) => void] {
  const { q = "" } = useSearch({ from: "/shell/" });
  const navigate = useNavigate();
  const [words, setWords] = useState(q);
  useEffect(() => {
    const timer = setTimeout(() => { if (words.trim() !== q) void navigate({ to: "/", search: words.trim() ? { q: words.trim() } : {}, replace: true }); }, WRITE_ADDRESS_MS);
    return () => clearTimeout(timer);
  }, [words, q, navigate]);
  return [words, setWords];
}

/** The live shows stand right under the page's own heading and need none of their own. */
function LiveNow({ shows }: { shows: ShowCard[] }) {
  if (shows.length === 0) return null;
  const few = shows.length <= HEROES_MAX;
  return (
    <section className={styles.section}>
      <ul className={few ? styles.heroes : styles.grid} data-count={shows.length}>
        {shows.map((show, index) => (few ? <HeroTile key={show.id} show={show} /> : <ShowTile key={show.id} show={show} eager={index < 2} />))}
      </ul>
    </section>
  );
}

function Planned({ title, shows }: { title: string; shows: ShowCard[] }) {
  if (shows.length === 0) return null;
  return <section className={styles.section}><h2>{title}</h2><ul className={styles.products}>{shows.map((show) => <PlannedTile key={show.id} show={show} />)}</ul></section>;
}

function Replays({ title, shows }: { title: string; shows: ShowCard[] }) {
  if (shows.length === 0) return null;
  return <section className={styles.section}><h2>{title}</h2><ul className={styles.grid}>{shows.map((show) => <ShowTile key={show.id} show={show} eager={false} />)}</ul></section>;
}

/** Live shows first, then what is planned, then replays; search over all of it and the goods. */
export function FeedPage() {
  const { t } = useTranslation("feed");
  useTitle(undefined);
  const [words, setWords] = useSearchWords();
  const q = useDeferredValue(words.trim());
  const live = useQuery({ ...showsQuery("live"), refetchInterval: LIVE_REFETCH_MS });
  const planned = useQuery(showsQuery("scheduled"));
  const replays = useQuery(showsQuery("replay"));
  const lists = { live: matching(live.data?.items, q), planned: matching(planned.data?.items, q), replays: matching(replays.data?.items, q) };
  const nothing = live.isSuccess && replays.isSuccess && lists.live.length + lists.planned.length + lists.replays.length === 0;
  return (
    <>
      <div className={styles.head}>
        <h1>{t("title")}</h1>
        <form role="search" className={styles.search} onSubmit={(event) => event.preventDefault()}>
          <Icon name="search" size={18} />
          <input type="search" value={words} onChange={(event) => setWords(event.target.value)} placeholder={t("search")} aria-label={t("search")} maxLength={80} />
        </form>
      </div>
      {live.isPending && <ul className={styles.grid} aria-busy="true" aria-label={t("title")}><CardSkeletons /></ul>}
      {live.error && !live.data && <ErrorState error={live.error} onRetry={() => void live.refetch()} />}
      {nothing && !q && <Empty icon="video" title={t("empty")}>{t("emptyText")}</Empty>}
      {nothing && q && <p className={styles.none}>{t("noShows", { q })}</p>}
      <LiveNow shows={lists.live} />
      {q && <FoundProducts q={q} />}
      <Planned title={t("planned")} shows={lists.planned} />
      <Replays title={t("replays")} shows={lists.replays} />
      {!q && <FoundProducts q="" />}
    </>
  );
}
