import { type ReactNode, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Deal, Pin, Show, TrayItem } from "@/shared/api/types";
import type { Offer } from "@/shared/lib/offer";
import { offerOfListing } from "@/shared/lib/offer";
import { useDesktop } from "@/shared/lib/use-media";
import type { LiveClient } from "@/shared/live";
import { Badge, Icon, IconButton, Sheet } from "@/shared/ui";
import type { VideoEngine } from "@/shared/video";
import { FlashCard, PinnedCard } from "./parts/cards";
import { LiveChat, SaleNotice } from "./parts/chat";
import { Composer } from "./parts/composer";
import { Goods } from "./parts/goods";
import { CloseRoom, HostChip, Viewers } from "./parts/header";
import { LikeButton, useLikes } from "./parts/hearts";
import { useShare } from "./parts/share";
import { HonestStatus, Slate, slateOf } from "./parts/status";
import { ReplayChat } from "./replay/replay-chat";
import { Scrubber } from "./replay/scrubber";
import { useChapters } from "./replay/use-replay";
import { Stage } from "./stage";
import { listingOf } from "./timeline";
import { useStreamGate } from "./use-stream-gate";
import styles from "./room.module.css";

interface Props {
  client: LiveClient; show: Show; tray: TrayItem[]; pins: Pin[]; deals: Deal[]; stock: Record<string, number>; viewers: number;
  userId: string | undefined; onBuy: (offer: Offer) => void; children: ReactNode;
}

const NO_DEALS: Deal[] = [];

export function RoomView(props: Props) {
  const { client, show, tray, pins, stock, userId, onBuy } = props;
  const { t } = useTranslation("room");
  const desktop = useDesktop();
  const replay = show.playback?.kind === "replay";
  const [engine, setEngine] = useState<VideoEngine | null>(null);
  const [trayOpen, setTrayOpen] = useState(false);
  const deals = replay ? NO_DEALS : props.deals;
  const gate = useStreamGate(engine, pins, deals, replay ? show.started_at : null);
  const { total, like } = useLikes(client);
  const { share, byHand } = useShare();
  const chapters = useChapters(replay ? show.id : "");
  const jumps = useMemo(() => Object.fromEntries(chapters.map((chapter) => [chapter.listing_id, chapter.at_seconds])), [chapters]);

  const deal = deals.find((item) => item.id === gate.dealId);
  const pinned = listingOf(tray, pins.find((item) => item.id === gate.pinId)?.listing_id);
  const dealItem = listingOf(tray, deal?.listing_id);
  const slate = slateOf(show);

  const buy = (offer: Offer) => { setTrayOpen(false); onBuy(offer); };
  const jump = (seconds: number) => { // plays, also when the replay had come to its end
    setTrayOpen(false);
    engine?.seek(seconds);
    void engine?.play();
  };
  const card = deal && dealItem ? <FlashCard deal={deal} item={dealItem} showId={show.id} onBuy={buy} />
    : pinned ? <PinnedCard key={pinned.listing_id} offer={offerOfListing(pinned, stock, show.id, replay)} slot={pinned.slot} onBuy={() => buy(offerOfListing(pinned, stock, show.id, replay))} /> : null;
  const goods = <Goods tray={tray} stock={stock} showId={show.id} pinnedId={pinned?.listing_id} ordinary={replay} onBuy={buy} jumpTo={replay ? jumps : undefined} onJump={jump} />;
  const chat = replay ? <ReplayChat showId={show.id} startedAt={show.started_at} engine={engine} userId={userId} column={desktop} /> : <LiveChat client={client} userId={userId} column={desktop} />;
  const actions = (
    <div className={styles.actions}>
      {replay ? <Badge className={styles.replay}>{t("replay.badge")}</Badge> : <Composer client={client} />}
      {replay && <span className={styles.space} />}
      {!desktop && (
        <button type="button" className={styles.trayButton} onClick={() => setTrayOpen(true)} aria-label={t("tray.open", { count: tray.length })}>
          <Icon name="bag" size={24} />{tray.length > 0 && <span className={styles.count} aria-hidden="true">{tray.length}</span>}
        </button>
      )}
      <IconButton icon="share" label={t("share.label")} className={styles.round} onClick={() => void share(show.title)} />
      {!replay && <LikeButton total={total} like={like} />}
    </div>
  );
  const scrubber = replay && <Scrubber engine={engine} chapters={chapters} missing={show.playback?.gap_seconds ?? 0} />;

  return (
    <main className={styles.room} data-state={show.state} data-slate={slate ?? undefined}>
      <h1 className="sr-only">{show.title}</h1>
      <div className={styles.picture}>
        <Stage playback={slate ? null : show.playback} poster={show.poster_url ?? show.preview_url} label={t("video.label", { title: show.title })} onEngine={setEngine} onDoubleTap={like}>
          <Slate show={show} />
        </Stage>
        <div className={styles.shade} aria-hidden="true" />
        <div className={styles.top}>
          {!desktop && <HostChip show={show} />}
          <span className={styles.gap} />
          {!replay && <Viewers count={props.viewers} />}
          <CloseRoom />
        </div>
        <div className={styles.under}>
          {show.state === "live" && <Badge tone="live">{t("common:live")}</Badge>}<HonestStatus client={client} engine={engine} />
        </div>
        {!desktop && <div className={styles.bottom}><SaleNotice client={client} />{chat}{card}{scrubber}{actions}</div>}
        {desktop && scrubber && <div className={styles.deskScrub}>{scrubber}</div>}
      </div>
      {desktop && (
        <aside className={styles.column}>
          <HostChip show={show} />
          {card}
          <section className={styles.deskGoods} aria-label={t("tray.title")} tabIndex={0}><h2>{t("tray.title")} <span className="num">{tray.length}</span></h2>{goods}</section>
          <section className={styles.deskChat} aria-label={t("chat.label")}>{chat}<SaleNotice client={client} /></section>
          {actions}
        </aside>
      )}
      {!desktop && <Sheet open={trayOpen} onClose={() => setTrayOpen(false)} title={`${t("tray.title")} ${tray.length}`}>{goods}</Sheet>}
      {byHand}
      {props.children}
    </main>
  );
}
