import { useInfiniteQuery } from "@tanstack/react-query";
import { Link, useSearch } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { useServerNow } from "@/shared/lib/clock";
import { cx } from "@/shared/lib/cx";
import { useOnline } from "@/shared/lib/use-media";
import { useTitle } from "@/shared/lib/use-title";
import { Button, Empty, ErrorState, Icon, Notice, Skeleton } from "@/shared/ui";
import { type Asked, inOrder, proofAddress, proofQuery } from "./api";
import { PoolCard } from "./pool-card";
import styles from "./proof.module.css";

const COMMAND = "livestall stock check";

function Ago({ since }: { since: string }) {
  const { t } = useTranslation("proof");
  const seconds = Math.max(0, Math.round((useServerNow() - Date.parse(since)) / 1000));
  return <span className="num">{seconds < 2 ? t("checkedNow") : t("checked", { seconds })}</span>;
}

/** The verdict in one look: a mark, a sentence, how fresh it is. */
function Verdict({ drift, since, stale }: { drift: number; since: string; stale: boolean }) {
  const { t } = useTranslation("proof");
  return (
    <div className={cx(styles.verdict, drift > 0 && styles.wrong)} data-testid="verdict" data-drift={drift}>
      <span className={styles.mark}><Icon name={drift > 0 ? "warning" : "check"} size={30} /></span>
      <div>
        <p className={styles.sentence}>{drift > 0 ? t("bad", { count: drift }) : t("good")}</p>
        <p className={styles.fresh}><i className={cx(!stale && styles.beat)} aria-hidden="true" /><Ago since={since} /></p>
      </div>
    </div>
  );
}

function Yourself({ asked }: { asked: Asked }) {
  const { t } = useTranslation("proof");
  return (
    <section className={styles.self}>
      <h2>{t("self.title")}</h2>
      <p>{t("self.text")}</p>
      <ul>
        <li><a href={proofAddress(asked)} target="_blank" rel="noreferrer">{t("self.json")}</a></li>
        <li><span>{t("self.operator")}</span> <code>{COMMAND}</code></li>
      </ul>
    </section>
  );
}

function Loading() {
  return (
    <div className={styles.list} aria-busy="true">
      <Skeleton height={92} radius={18} /><Skeleton height={208} radius={18} /><Skeleton height={208} radius={18} />
    </div>
  );
}

function Numbers({ asked }: { asked: Asked }) {
  const { t } = useTranslation("proof");
  const online = useOnline();
  const query = useInfiniteQuery(proofQuery(asked));
  if (query.error && !query.data) return <ErrorState error={query.error} onRetry={() => void query.refetch()} />;
  if (!query.data) return <Loading />;
  const pools = inOrder(query.data.pages.flatMap((page) => page.items));
  const stale = !online || query.isError;
  if (pools.length === 0) {
    return <Empty icon="stall" title={t("empty")} action={<Link to="/" className={styles.next}>{t("toShows")}</Link>}>{t("emptyText")}</Empty>;
  }
  return (
    <>
      <Verdict drift={pools.reduce((sum, pool) => sum + pool.drift, 0)} since={query.data.pages[0]?.checked_at ?? ""} stale={stale} />
      {stale && <Notice tone="warn">{t(online ? "stale" : "offline")}</Notice>}
      <ul className={styles.list} aria-label={t("listLabel")}>{pools.map((pool) => <PoolCard key={pool.pool_id} pool={pool} />)}</ul>
      {query.hasNextPage && <div className={styles.more}><Button tone="ink" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>{t("more")}</Button></div>}
    </>
  );
}

/** What anyone may see of the books: no pool ever promised more than there is. */
export function ProofPage() {
  const { t } = useTranslation("proof");
  const { show, deal, variant } = useSearch({ from: "/shell/proof" });
  const asked: Asked = { show, deal, variant };
  useTitle(t("title"));
  return (
    <article className={styles.page}>
      <header className={styles.head}>
        <h1>{t("title")}</h1>
        <p>{t("explain")}</p>
        {show && <Link to="/shows/$id" params={{ id: show }} search={{}} className={styles.link}><Icon name="back" size={16} />{t("toShow")}</Link>}
      </header>
      <Numbers asked={asked} />
      <Yourself asked={asked} />
    </article>
  );
}
