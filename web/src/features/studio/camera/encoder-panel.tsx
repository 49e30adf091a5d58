import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";

import type { Show } from "@/shared/api/types";
import { Button, Confirm, ErrorState, Field, IconButton, Notice, Skeleton, toast, toastError } from "@/shared/ui";
import { ingestQuery, rotateKey } from "../api";
import styles from "./camera.module.css";

/** Server and key for OBS and its like, and the settings that make the picture quick. */
export function EncoderPanel({ show }: { show: Show }) {
  const { t } = useTranslation(["studio", "common"]);
  // A media server may go away and the show move to another: the panel shows where to publish now.
  const ingest = useQuery({ ...ingestQuery(show.id), refetchInterval: show.stream?.online ? false : 5000 });
  const [shown, setShown] = useState(false);
  if (ingest.isPending) return <Skeleton height={160} radius={12} />;
  if (ingest.error && !ingest.data) return <ErrorState error={ingest.error} onRetry={() => void ingest.refetch()} />;
  const { rtmp_server, rtmp_key, moved_at } = ingest.data;
  const arrives = show.stream?.online && show.stream.protocol !== "whip";
  return (
    <div className={styles.here}>
      {moved_at && !arrives && <Notice tone="warn">{t("encoder.moved")}</Notice>}
      {arrives ? <Notice tone="good">{t("encoder.arrived")}</Notice> : <p className={styles.note}>{t("encoder.text")}</p>}
      <Secret label={t("encoder.server")} value={rtmp_server} shown />
      <Secret label={t("encoder.key")} value={rtmp_key} shown={shown} />
      <div className={styles.copyRow}>
        <Button size="small" icon="eye" aria-pressed={shown} onClick={() => setShown(!shown)}>{t(shown ? "encoder.hide" : "encoder.show")}</Button>
        <Rotate show={show} />
      </div>
      <dl className={styles.advice} aria-label={t("encoder.advice")}>
        {["video", "rate", "keyframe", "profile", "audio"].map((name) => <div key={name}><dt>{t(`encoder.set.${name}`)}</dt><dd>{t(`encoder.to.${name}`)}</dd></div>)}
      </dl>
    </div>
  );
}

function Secret({ label, value, shown }: { label: string; value: string; shown: boolean }) {
  const { t } = useTranslation("common");
  const copy = () => {
    void navigator.clipboard.writeText(value).then(() => toast(t("copied"), { tone: "good" }), toastError);
  };
  return (
    <div className={styles.copyRow}>
      <Field label={label} value={value} readOnly type={shown ? "text" : "password"} className={styles.mono} autoComplete="off" onFocus={(event) => event.target.select()} />
      <IconButton icon="copy" label={`${t("copy")}: ${label}`} onClick={copy} />
    </div>
  );
}

function Rotate({ show }: { show: Show }) {
  const { t } = useTranslation("studio");
  const [asking, setAsking] = useState(false);
  const client = useQueryClient();
  const rotate = useMutation({
    mutationFn: () => rotateKey(show.id),
    onSuccess: (ingest) => {
      client.setQueryData(["studio", "ingest", show.id], ingest);
      setAsking(false);
      toast(t("encoder.rotated"), { tone: "good" });
    },
    onError: toastError,
  });
  return (
    <>
      <Button size="small" icon="key" onClick={() => setAsking(true)}>{t("encoder.rotate")}</Button>
      <Confirm open={asking} title={t("encoder.rotateAsk")} action={t("encoder.rotate")} busy={rotate.isPending} onConfirm={() => rotate.mutate()} onClose={() => setAsking(false)}>
        {t("encoder.rotateText")}
      </Confirm>
    </>
  );
}
