import { Link, useParams } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";

import { useLiveClient } from "@/shared/live";
import { useTitle } from "@/shared/lib/use-title";
import { useMe, useRequireUser, useUser } from "@/shared/session";
import { Button, Empty, ErrorState, Skeleton } from "@/shared/ui";
import { AfterShow } from "../after-show/after-show";
import { ControlRoom } from "./control-room";
import styles from "./control-room.module.css";
import { isOver, merge, useRoomState, useShow } from "./use-room";

export function ControlRoomPage() {
  const { id } = useParams({ strict: false });
  const { t } = useTranslation("studio");
  const me = useMe();
  const requireUser = useRequireUser();
  if (me.isPending || !id) return <Loading />;
  if (me.data && !me.data.user) {
    const action = <Button tone="ink" onClick={() => void requireUser()}>{t("signedOut.action")}</Button>;
    return <main className={styles.alone}><Empty page icon="video" title={t("signedOut.title")} action={action}>{t("signedOut.text")}</Empty></main>;
  }
  return <Room key={`${id} ${me.data?.user?.id}`} showId={id} />;
}

function Loading() {
  return <main className={styles.alone} aria-busy="true"><Skeleton height={44} /><Skeleton height={320} radius={18} /><Skeleton height={120} radius={18} /></main>;
}

function Room({ showId }: { showId: string }) {
  const { t } = useTranslation("studio");
  const user = useUser();
  const client = useLiveClient(showId, user?.id);
  const room = useRoomState(client, showId);
  const show = useShow(showId);
  useTitle(show.data?.title);
  if (show.isPending) return <Loading />;
  if (show.error && !show.data) return <main className={styles.alone}><ErrorState error={show.error} onRetry={() => void show.refetch()} /></main>;
  if (show.data.role === "viewer") {
    const action = <Link to="/shows/$id" params={{ id: showId }} className={styles.linkButton}>{t("room.watch")}</Link>;
    return <main className={styles.alone}><Empty page icon="key" title={t("room.notYours")} action={action}>{t("room.notYoursText")}</Empty></main>;
  }
  const merged = merge(show.data, room);
  if (isOver(merged)) return <AfterShow show={merged} room={room} />;
  return <ControlRoom show={merged} room={room} client={client} refresh={() => void show.refetch()} offline={show.isError} />;
}
