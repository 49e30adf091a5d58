import { Link, useNavigate, useSearch } from "@tanstack/react-router";
import { useDeferredValue, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { useTitle } from "@/shared/lib/use-title";
import { useMe, useRequireUser, useUser } from "@/shared/session";
import { Button, Empty, Icon, Tabs } from "@/shared/ui";
import { FoundProducts } from "./found-products";
import { LiveNow, PlannedAndPast, useLists } from "./lists";
import styles from "./feed.module.css";

const WRITE_ADDRESS_MS = 300;

/** The words searched for; they stand in the address, so a search can be shared and found again. */
function useSearchWords(): [string, (words: string) => void] {
  const { q = "" } = useSearch({ from: "/shell/" });
  const navigate = useNavigate();
  const [words, setWords] = useState(q);
  useEffect(() => {
    const timer = setTimeout(() => {
      if (words.trim() !== q) void navigate({ to: "/", search: (before) => ({ ...before, q: words.trim() || undefined }), replace: true });
    }, WRITE_ADDRESS_MS);
    return () => clearTimeout(timer);
  }, [words, q, navigate]);
  return [words, setWords];
}

/** Nobody is on; in a market that nobody has opened yet, how to do that. */
function NothingOn() {
  const { t } = useTranslation("feed");
  if (useMe().data?.first_run) return <Empty icon="key" title={t("notOpen")}>{t("notOpenText")}</Empty>;
  return <Empty icon="video" title={t("empty")} action={<Link to="/studio" className={styles.next}>{t("goLive")}</Link>}>{t("emptyText")}</Empty>;
}

/** Live shows first, then what is planned, then replays, then the goods. */
function ForYou() {
  const feed = useLists("all", "");
  return (
    <>
      {feed.nothing && <NothingOn />}
      <LiveNow feed={feed} />
      <PlannedAndPast feed={feed} />
      <FoundProducts q="" />
    </>
  );
}

/** The same, only of the channels that this person follows. */
function Followed() {
  const { t } = useTranslation("feed");
  const feed = useLists("following", "");
  return (
    <>
      {feed.nothing && <Empty icon="video" title={t("quietFollowing")} action={<Link to="/" className={styles.next}>{t("seeAll")}</Link>}>{t("quietFollowingText")}</Empty>}
      <LiveNow feed={feed} />
      <PlannedAndPast feed={feed} />
    </>
  );
}

function Following() {
  const { t } = useTranslation("feed");
  const user = useUser();
  const requireUser = useRequireUser();
  if (user === null) {
    return <Empty icon="user" title={t("signIn")} action={<Button tone="ink" onClick={() => void requireUser()}>{t("common:nav.signIn")}</Button>}>{t("signInText")}</Empty>;
  }
  return user ? <Followed /> : null;
}

/** What the words are found in: shows of everybody, and goods. */
function Found({ q }: { q: string }) {
  const { t } = useTranslation("feed");
  const feed = useLists("all", q);
  return (
    <>
      {feed.nothing && <p className={styles.none}>{t("noShows", { q })}</p>}
      <LiveNow feed={feed} />
      <FoundProducts q={q} />
      <PlannedAndPast feed={feed} />
    </>
  );
}

/** What is on: for everybody, of whom one follows, or what a search finds. */
export function FeedPage() {
  const { t } = useTranslation("feed");
  useTitle(undefined);
  const { tab } = useSearch({ from: "/shell/" });
  const navigate = useNavigate();
  const [words, setWords] = useSearchWords();
  const q = useDeferredValue(words.trim());
  const tabs = [{ key: "all", label: t("forYou") }, { key: "following", label: t("following") }] as const;
  return (
    <>
      <div className={styles.head}>
        <h1>{t(q ? "results" : "title")}</h1>
        <form role="search" className={styles.search} onSubmit={(event) => event.preventDefault()}>
          <Icon name="search" size={18} />
          <input type="search" value={words} onChange={(event) => setWords(event.target.value)} placeholder={t("search")} aria-label={t("search")} maxLength={80} />
        </form>
      </div>
      {q ? <Found q={q} /> : (
        <Tabs
          label={t("tabs")} tabs={tabs} value={tab ?? "all"} panelClassName={styles.panel}
          onChange={(key) => void navigate({ to: "/", search: key === "following" ? { tab: key } : {}, replace: true })}
        >
          {tab === "following" ? <Following /> : <ForYou />}
        </Tabs>
      )}
    </>
  );
}
