import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";

import { api } from "@/shared/api/client";
import type { Ingest, ProductCard } from "@/shared/api/types";
import { currentLanguage } from "@/shared/i18n";
import { newId } from "@/shared/lib/ids";
import { useMe } from "@/shared/session";
import { Button, Field, Notice, Sheet } from "@/shared/ui";
import { createShow, type LatencyMode, openPreview, putTray } from "../api";
import { startBroadcast, takesBrowser } from "../camera/broadcast";
import { startCamera, stopCamera, useCamera } from "../camera/camera";
import { CameraView, DeviceChoice, MicrophoneMeter } from "../camera/camera-view";
import { ModeChoice } from "../shelves/plan-sheet";
import { ProductPicker } from "../tray/product-picker";
import styles from "./go-live.module.css";

const STEPS = ["camera", "title", "tray"] as const;

interface Draft { showId: string; title: string; mode: LatencyMode; products: { id: string; listingId: string }[] }

/** Camera check, title, tray: three taps to being live. */
export function GoLive({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation("studio");
  const creator = useMe().data?.creator;
  const camera = useCamera();
  const [step, setStep] = useState(0);
  const [draft, setDraft] = useState<Draft>(() => ({
    showId: newId(), title: t("goLive.titleOf", { name: creator?.name ?? "" }).trim(), mode: "default", products: [],
  }));
  const begin = useBegin(draft);
  useEffect(() => { void startCamera(); }, []);
  const close = () => { stopCamera(); onClose(); };
  const change = (part: Partial<Draft>) => setDraft((before) => ({ ...before, ...part }));
  const key = STEPS[step] ?? "camera";
  const last = step === STEPS.length - 1;
  const ready = key === "camera" ? camera.phase === "on" : key === "title" ? draft.title.trim() !== "" : true;
  const footer = (
    <div className={styles.buttons}>
      {step > 0 && <Button onClick={() => setStep(step - 1)}>{t("goLive.back")}</Button>}
      {last && <Button busy={begin.isPending} onClick={() => begin.mutate(false)}>{t("goLive.preview")}</Button>}
      {last ? <Button tone="live" className={styles.next} busy={begin.isPending} onClick={() => begin.mutate(true)}>{t("goLive.start")}</Button>
        : <Button tone="ink" className={styles.next} disabled={!ready} onClick={() => setStep(step + 1)}>{t("goLive.next")}</Button>}
    </div>
  );
  return (
    <Sheet open onClose={close} title={t(`goLive.${key}`)} footer={footer} className={styles.sheet}>
      <ol className={styles.steps} aria-label={t("goLive.steps", { now: step + 1, all: STEPS.length })}>
        {STEPS.map((name, index) => <li key={name} className={index <= step ? styles.doneStep : undefined} aria-current={index === step ? "step" : undefined}><span className="sr-only">{t(`goLive.${name}`)}</span></li>)}
      </ol>
      {begin.error && <Notice tone="bad">{begin.error.message}</Notice>}
      {key === "camera" && <div className={styles.step}><CameraView /><MicrophoneMeter /><DeviceChoice /></div>}
      {key === "title" && <TitleStep draft={draft} onChange={change} onEnter={() => ready && setStep(step + 1)} />}
      {key === "tray" && <TrayStep draft={draft} onChange={change} />}
    </Sheet>
  );
}

/** Makes the show, fills its tray, opens the preview, and sends the picture. Safe to press again after a refusal. */
function useBegin(draft: Draft) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: async (liveAtOnce: boolean) => {
      const id = draft.showId;
      await createShow(id, { title: draft.title.trim(), mode: draft.mode });
      if (draft.products.length > 0) {
        await putTray(id, draft.products.map((product) => ({
          listing_id: product.listingId, product_id: product.id, show_price_amounts: {}, per_buyer: null,
        })));
      }
      const show = await openPreview(id);
      const ingest = await api.get<Ingest>(`/shows/${id}/ingest`);
      client.setQueryData(["show", id], show);
      client.setQueryData(["studio", "ingest", id], ingest);
      void client.invalidateQueries({ queryKey: ["studio", "shows"] });
      if (takesBrowser(ingest)) startBroadcast(id, ingest, liveAtOnce);
      else stopCamera(); // the control room says why, and shows what to give to OBS
      await navigate({ to: "/studio/shows/$id", params: { id } });
    },
  });
}

function TitleStep({ draft, onChange, onEnter }: { draft: Draft; onChange: (part: Partial<Draft>) => void; onEnter: () => void }) {
  const { t } = useTranslation("studio");
  return (
    <form className={styles.step} onSubmit={(event) => { event.preventDefault(); onEnter(); }} lang={currentLanguage()}>
      <Field label={t("plan.name")} value={draft.title} onChange={(event) => onChange({ title: event.target.value })} required maxLength={100} />
      <ModeChoice value={draft.mode} onChange={(mode) => onChange({ mode })} />
    </form>
  );
}

function TrayStep({ draft, onChange }: { draft: Draft; onChange: (part: Partial<Draft>) => void }) {
  const { t } = useTranslation("studio");
  const add = (product: ProductCard) => onChange({ products: [...draft.products, { id: product.id, listingId: newId() }] });
  const remove = (id: string) => onChange({ products: draft.products.filter((product) => product.id !== id) });
  return (
    <div className={styles.step}>
      <p className={styles.note}>{t("goLive.trayNote", { count: draft.products.length })}</p>
      <ProductPicker chosen={new Set(draft.products.map((product) => product.id))} onAdd={add} onRemove={remove} />
    </div>
  );
}
