import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { Button, Confirm, toastError } from "@/shared/ui";
import { endShow, goLive, openPreview } from "../api";
import { cancelGoLiveOnArrival, stopBroadcast, useBroadcast } from "../camera/broadcast";
import type { RoomProps } from "./control-room";
import styles from "./control-room.module.css";
import { useGrace } from "./use-grace";
import { isOnAir } from "./use-room";

/** The one big button: preview, go live, end. */
export function StateButton({ show, refresh }: RoomProps) {
  const client = useQueryClient();
  const done = (next: Show) => {
    client.setQueryData(["show", show.id], next);
    void client.invalidateQueries({ queryKey: ["studio"] });
    refresh();
  };
  if (show.role !== "host" && show.role !== "co-host") return null;
  if (isOnAir(show)) return <EndButton show={show} onDone={done} />;
  if (show.state === "preview") return <GoLiveButton show={show} onDone={done} />;
  return <PreviewButton show={show} onDone={done} />;
}

interface Props { show: Show; onDone: (show: Show) => void }

function PreviewButton({ show, onDone }: Props) {
  const { t } = useTranslation("studio");
  const preview = useMutation({ mutationFn: () => openPreview(show.id), onSuccess: onDone, onError: toastError });
  return (
    <div className={styles.state}>
      <Button tone="ink" size="large" wide icon="eye" busy={preview.isPending} onClick={() => preview.mutate()}>{t("do.preview")}</Button>
      <p className={styles.stateNote}>{t("do.previewNote")}</p>
    </div>
  );
}

function GoLiveButton({ show, onDone }: Props) {
  const { t } = useTranslation("studio");
  const broadcast = useBroadcast();
  const start = useMutation({ mutationFn: () => goLive(show.id), onSuccess: onDone, onError: toastError });
  const online = show.stream?.online ?? false;
  const automatic = broadcast.goLiveOnArrival && broadcast.showId === show.id;
  const { mutate } = start;
  useEffect(() => {
    if (!automatic || !online) return;
    cancelGoLiveOnArrival();
    mutate();
  }, [automatic, online, mutate]);
  return (
    <div className={styles.state}>
      <Button tone="live" size="large" wide icon="video" disabled={!online} busy={start.isPending} onClick={() => start.mutate()}>{t("do.goLive")}</Button>
      <p className={styles.stateNote} role="status">{t(online ? "do.ready" : automatic ? "do.automatic" : "do.waiting")}</p>
      {automatic && !online && <Button tone="ghost" size="small" onClick={cancelGoLiveOnArrival}>{t("do.notYet")}</Button>}
    </div>
  );
}

function EndButton({ show, onDone }: Props) {
  const { t } = useTranslation("studio");
  const [asking, setAsking] = useState(false);
  const broadcast = useBroadcast();
  const end = useMutation({
    mutationFn: () => endShow(show.id),
    onSuccess: async (next) => {
      if (broadcast.showId === show.id) await stopBroadcast(true);
      onDone(next);
    },
    onError: toastError,
  });
  const grace = useGrace(() => end.mutate());
  return (
    <div className={styles.state}>
      {grace.left === null ? (
        <Button tone="danger" size="large" wide busy={end.isPending} onClick={() => setAsking(true)}>{t("do.end")}</Button>
      ) : (
        <Button tone="ink" size="large" wide onClick={grace.undo}>{t("do.undoEnd", { seconds: grace.left })}</Button>
      )}
      <Confirm open={asking} title={t("do.endAsk")} action={t("do.end")} onClose={() => setAsking(false)} onConfirm={() => { setAsking(false); grace.begin(); }}>
        {t("do.endText")}
      </Confirm>
    </div>
  );
}
