import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { api, ApiError } from "@/shared/api/client";
import type { Show, Snapshot } from "@/shared/api/types";
import type { Offer, PlaceOrder } from "@/shared/lib/offer";
import { useDarkPage } from "@/shared/lib/theme";
import { useTitle } from "@/shared/lib/use-title";
import { useLive, useLiveClient } from "@/shared/live";
import { useUser } from "@/shared/session";
import { ErrorState, Skeleton } from "@/shared/ui";
import { CloseRoom } from "./parts/header";
import { RoomView } from "./room-view";
import { usePlaceOrder } from "./use-room";
import styles from "./room.module.css";

/** `paused`: nothing can be bought just now, since the database is away. */
export interface CheckoutSlot { offer: Offer; place: PlaceOrder; paused: boolean; onClose: () => void }

interface Props { showId: string; renderCheckout: (slot: CheckoutSlot) => ReactNode }

/** The show's own people are given a WebRTC address, by HTTP alone; it has a picture while the host broadcasts by WebRTC. */
function withWhep(show: Show | undefined, whepUrl: string | null): Show | undefined {
  if (!show?.playback || !whepUrl || show.stream?.protocol !== "whip") return show;
  return { ...show, playback: { ...show.playback, whep_url: whepUrl } };
}

/** What stands where host, chat and goods will be. */
function Entering({ trying }: { trying: boolean }) {
  const { t } = useTranslation("room");
  return (
    <>
      <h1 className="sr-only">{t("common:loading")}</h1>
      <div className={styles.skeletonTop}><Skeleton width={216} height={46} radius={23} /><span className={styles.gap} /><CloseRoom /></div>
      {trying && <p className={styles.trying} role="status">{t("status.trying")}</p>}
      <div className={styles.skeletonEnd}><Skeleton height={96} radius={18} /><Skeleton height={46} radius={23} /></div>
    </>
  );
}

/** A show, live or replayed. Buying is handed in from outside, since it belongs to another noun. */
export function Room({ showId, renderCheckout }: Props) {
  const { t } = useTranslation("room");
  useDarkPage();
  const user = useUser();
  const first = useQuery({
    queryKey: ["snapshot", showId], queryFn: ({ signal }) => api.get<Snapshot>(`/shows/${showId}/snapshot`, { signal }), staleTime: Infinity,
  });
  const streams = first.data !== undefined && first.data.show.playback?.kind !== "replay";
  const client = useLiveClient(showId, user === undefined || !streams ? undefined : (user?.id ?? null));
  const live = useLive(client, (state) => state.show);
  const tray = useLive(client, (state) => state.tray) ?? first.data?.tray;
  const pins = useLive(client, (state) => state.pins) ?? first.data?.pins;
  const deals = useLive(client, (state) => state.deals) ?? first.data?.deals;
  const stock = useLive(client, (state) => state.totals.stock) ?? first.data?.totals.stock;
  const paused = !(useLive(client, (state) => state.totals.buying ?? true) ?? true);
  const viewers = useLive(client, (state) => state.totals.viewers) ?? first.data?.totals.viewers ?? 0;
  const told = live ?? first.data?.show;
  const whepUrl = first.data?.show.playback?.whep_url ?? null;
  const show = useMemo(() => withWhep(told, whepUrl), [told, whepUrl]);
  const [offer, setOffer] = useState<Offer | null>(null);
  const place = usePlaceOrder(client, showId);
  const closeOffer = useCallback(() => setOffer(null), []);
  useTitle(show ? `${show.title} · ${show.creator.name}` : undefined);

  if (!show || !tray || !pins || !deals || !stock) {
    return (
      <main className={styles.room} data-theme="dark" aria-busy={!first.error}>
        {first.error ? <><h1 className="sr-only">{t("slate.purged")}</h1><ErrorState error={first.error} onRetry={() => void first.refetch()} />{first.error instanceof ApiError && first.error.status === 404 ? null : <Link to="/" className={styles.home}>{t("slate.others")}</Link>}</> : <Entering trying={first.failureCount > 0} />}
      </main>
    );
  }
  return (
    <RoomView client={client} show={show} tray={tray} pins={pins} deals={deals} stock={stock} viewers={viewers} userId={user?.id} onBuy={setOffer}>
      {offer && renderCheckout({ offer, place, paused, onClose: closeOffer })}
    </RoomView>
  );
}
