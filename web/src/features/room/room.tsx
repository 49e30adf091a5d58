import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useCallback, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { Show, Snapshot } from "@/shared/api/types";
import type { Offer, PlaceOrder } from "@/shared/lib/offer";
import { useDarkPage } from "@/shared/lib/theme";
import { useTitle } from "@/shared/lib/use-title";
import { useLive, useLiveClient } from "@/shared/live";
import { useUser } from "@/shared/session";
import { ErrorState } from "@/shared/ui";
import { RoomView } from "./room-view";
import { usePlaceOrder } from "./use-room";
import styles from "./room.module.css";

export interface CheckoutSlot { offer: Offer; place: PlaceOrder; onClose: () => void }

interface Props { showId: string; renderCheckout: (slot: CheckoutSlot) => ReactNode }

/** The show's own people are given a WebRTC address, by HTTP alone; it has a picture while the host broadcasts by WebRTC. */
function withWhep(show: Show | undefined, whepUrl: string | null): Show | undefined {
  if (!show?.playback || !whepUrl || show.stream?.protocol !== "whip") return show;
  return { ...show, playback: { ...show.playback, whep_url: whepUrl } };
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
      <main className={styles.room} aria-busy={!first.error}>
        {first.error ? <><h1 className="sr-only">{t("slate.purged")}</h1><ErrorState error={first.error} onRetry={() => void first.refetch()} /><Link to="/" className={styles.home}>{t("slate.others")}</Link></> : <h1 className="sr-only">{t("common:loading")}</h1>}
      </main>
    );
  }
  return (
    <RoomView client={client} show={show} tray={tray} pins={pins} deals={deals} stock={stock} viewers={viewers} userId={user?.id} onBuy={setOffer}>
      {offer && renderCheckout({ offer, place, onClose: closeOffer })}
    </RoomView>
  );
}
