import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Deal, TrayItem } from "@/shared/api/types";
import { useServerNow } from "@/shared/lib/clock";
import { formatDuration } from "@/shared/lib/format";
import { Badge, Button, Confirm, Icon, Photo, Price, toastError } from "@/shared/ui";
import { endDeal, releaseMore } from "../api";
import { isStretched } from "./flash-sale-form";
import styles from "./deals.module.css";

const CHUNK = 10;

/** A flash sale as it runs: time, what is left, and the two hands on it: let more go, end it. */
export function RunningDeal({ deal, item, showId }: { deal: Deal; item: TrayItem | undefined; showId: string }) {
  const { t } = useTranslation("studio");
  const now = useServerNow();
  const client = useQueryClient();
  const [ending, setEnding] = useState(false);
  const refresh = () => void client.invalidateQueries({ queryKey: ["studio", "snapshot", showId] });
  const release = useMutation({ mutationFn: (quantity: number) => releaseMore(deal.id, quantity), onSuccess: refresh, onError: toastError });
  const end = useMutation({ mutationFn: () => endDeal(deal.id), onSuccess: () => { setEnding(false); refresh(); }, onError: toastError });
  const opening = Date.parse(deal.opens_at) > now;
  const seconds = Math.max(0, Math.ceil((Date.parse(opening ? deal.opens_at : deal.closes_at) - now) / 1000));
  const kept = deal.quota - deal.released;
  const variant = item?.variants.find((one) => one.variant_id === deal.variant_id);
  return (
    <article className={styles.deal} aria-label={t("flash.running", { title: item?.product.title ?? "" })}>
      <div className={styles.top}>
        <Photo url={variant?.picture_url ?? item?.product.picture_url} size={64} />
        <div className={styles.words}>
          <span className={styles.title}><Icon name="bolt" size={16} filled />{item?.product.title ?? t("flash.title")}</span>
          <span className={styles.facts}><Price money={deal.price} was={deal.list_price} /> {variant?.title && <span>{variant.title}</span>}</span>
        </div>
        <div className={styles.clock}>
          <Badge tone={opening ? "warn" : "live"}>{t(opening ? "flash.opens" : "flash.closes")}</Badge>
          <time className={styles.time}>{formatDuration(seconds)}</time>
        </div>
      </div>
      {opening && isStretched(deal) && <p className={styles.fair}>{t(`flash.fair.${deal.slowest_tier ?? "ll-hls"}`)}</p>}
      <Bar deal={deal} />
      <div className={styles.acts}>
        <span className={styles.release}>
          <Button icon="plus" disabled={kept <= 0} busy={release.isPending} onClick={() => release.mutate(Math.min(CHUNK, kept))}>
            {kept > 0 ? t("flash.releaseMore", { count: Math.min(CHUNK, kept) }) : t("flash.allReleased")}
          </Button>
          {kept > CHUNK && <Button tone="ghost" disabled={release.isPending} onClick={() => release.mutate(kept)}>{t("flash.releaseAll", { count: kept })}</Button>}
        </span>
        <Button tone="danger" onClick={() => setEnding(true)}>{t("flash.end")}</Button>
      </div>
      <Confirm open={ending} title={t("flash.endAsk")} action={t("flash.end")} busy={end.isPending} onConfirm={() => end.mutate()} onClose={() => setEnding(false)}>
        {t("flash.endText")}
      </Confirm>
    </article>
  );
}

function Bar({ deal }: { deal: Deal }) {
  const { t } = useTranslation("studio");
  const share = (count: number) => `${Math.min(100, (100 * count) / Math.max(1, deal.quota))}%`;
  return (
    <div className={styles.gauge}>
      <div className={styles.bar} role="img" aria-label={t("flash.bar", { left: deal.left, released: deal.released, sold: deal.sold })}>
        <span className={styles.sold} style={{ width: share(deal.sold) }} />
        <span className={styles.held} style={{ width: share(deal.held) }} />
        <span className={styles.open} style={{ width: share(deal.left) }} />
      </div>
      <p className={styles.legend}>
        <b>{t("flash.leftOf", { left: deal.left, released: deal.released })}</b>
        <span>{t("flash.sold", { count: deal.sold })}</span>
        <span>{t("flash.held", { count: deal.held })}</span>
        <span>{t("flash.kept", { count: deal.quota - deal.released })}</span>
      </p>
    </div>
  );
}
