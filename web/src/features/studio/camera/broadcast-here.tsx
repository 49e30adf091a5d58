import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { Ingest, Show } from "@/shared/api/types";
import { Button, Confirm, Countdown, Notice, toastError } from "@/shared/ui";
import { ingestQuery } from "../api";
import { startBroadcast, stopBroadcast, takesBrowser, useBroadcast } from "./broadcast";
import { startCamera, stopCamera, useCamera } from "./camera";
import { DeviceChoice } from "./camera-view";
import styles from "./camera.module.css";

/** Camera and microphone of this device go straight into the show. */
export function BroadcastHere({ show }: { show: Show }) {
  const { t } = useTranslation("studio");
  const camera = useCamera();
  const broadcast = useBroadcast();
  const [stopping, setStopping] = useState(false);
  const ingest = useQuery(ingestQuery(show.id));
  const begin = useMutation({
    mutationFn: async () => startBroadcast(show.id, await api.get<Ingest>(`/shows/${show.id}/ingest`)),
    onError: toastError,
  });
  if (broadcast.showId === show.id) {
    const onAir = show.state === "live" || show.state === "interrupted";
    const stop = () => { setStopping(false); void stopBroadcast(); };
    return (
      <div className={styles.here}>
        <PublishNotice show={show} onAgain={() => begin.mutate()} />
        <DeviceChoice />
        <Button onClick={() => (onAir ? setStopping(true) : stop())}>{t("source.stop")}</Button>
        <Confirm open={stopping} title={t("source.stopAsk")} action={t("source.stop")} onClose={() => setStopping(false)} onConfirm={stop}>{t("source.stopText")}</Confirm>
      </div>
    );
  }
  if (ingest.data && !takesBrowser(ingest.data)) return <Notice>{t("source.noBrowser")}</Notice>;
  if (camera.phase !== "on") {
    return (
      <div className={styles.here}>
        <p className={styles.note}>{t("source.browserText")}</p>
        <Button tone="ink" icon="camera" busy={camera.phase === "asking"} onClick={() => void startCamera()}>{t("source.cameraOn")}</Button>
      </div>
    );
  }
  return (
    <div className={styles.here}>
      {show.stream?.online && <Notice tone="warn">{t("source.takeover")}</Notice>}
      <DeviceChoice />
      <Button tone="ink" icon="video" busy={begin.isPending} onClick={() => begin.mutate()}>{t("source.send")}</Button>
      <Button tone="ghost" onClick={stopCamera}>{t("source.cameraOff")}</Button>
    </div>
  );
}

function PublishNotice({ show, onAgain }: { show: Show; onAgain: () => void }) {
  const { t } = useTranslation("studio");
  const { publish } = useBroadcast();
  if (publish.phase === "failed") {
    return <Notice tone="bad"><p>{t(`publish.${publish.problem}`)}</p><Button size="small" onClick={onAgain}>{t("publish.again")}</Button></Notice>;
  }
  if (publish.phase === "reconnecting") {
    return <Notice tone="warn">{t("publish.reconnecting")} <Countdown until={new Date(publish.retryAt).toISOString()} /></Notice>;
  }
  if (publish.phase === "live" && show.stream?.online) return <Notice tone="good">{t("publish.live")}</Notice>;
  return <Notice>{t("publish.connecting")}</Notice>;
}
