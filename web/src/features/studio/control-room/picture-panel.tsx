import { useState } from "react";
import { useTranslation } from "react-i18next";

import { Badge, Button, type Tab, Tabs } from "@/shared/ui";
import { BroadcastHere } from "../camera/broadcast-here";
import { useBroadcast } from "../camera/broadcast";
import { useCamera } from "../camera/camera";
import { CameraView, MicrophoneMeter } from "../camera/camera-view";
import { EncoderPanel } from "../camera/encoder-panel";
import { HealthList } from "../camera/health-list";
import { IncomingPicture } from "../camera/incoming-picture";
import { StreamWarnings } from "../camera/stream-warnings";
import type { PictureStats } from "@/shared/video/rate-meter";
import type { RoomProps } from "./control-room";
import styles from "./control-room.module.css";

type Source = "browser" | "encoder";

/** The picture as it is, how well it arrives, and where it comes from. */
export function PicturePanel({ show, onEdit }: RoomProps & { onEdit: () => void }) {
  const { t } = useTranslation("studio");
  const broadcast = useBroadcast();
  const camera = useCamera();
  const [source, setSource] = useState<Source>(show.stream && show.stream.protocol !== "whip" ? "encoder" : "browser");
  const [incoming, setIncoming] = useState<PictureStats | null>(null);
  const mine = broadcast.showId === show.id;
  const own = camera.phase !== "off" && (mine || !show.stream?.online);
  const early = show.state === "draft" || show.state === "scheduled";
  const tabs: Tab<Source>[] = [
    { key: "browser", label: t("source.browser"), icon: "camera" }, { key: "encoder", label: t("source.encoder"), icon: "video" },
  ];
  return (
    <section className={styles.picture} aria-label={t("tab.picture")}>
      <div className={styles.frame}>
        {own ? <CameraView className={styles.view} /> : <IncomingPicture show={show} onStats={setIncoming} className={styles.view} />}
        <span className={styles.lamp}><Lamp online={show.stream?.online ?? false} /></span>
      </div>
      <StreamWarnings show={show} />
      {own && <MicrophoneMeter />}
      <HealthList show={show} stats={mine ? broadcast.stats : incoming} own={mine} />
      {early ? <div className={styles.early}><p>{t("source.early")}</p><Button size="small" icon="edit" onClick={onEdit}>{t("plan.change")}</Button></div> : (
        <Tabs label={t("source.title")} tabs={tabs} value={source} onChange={setSource} panelClassName={styles.source}>
          {source === "browser" ? <BroadcastHere show={show} /> : <EncoderPanel show={show} />}
        </Tabs>
      )}
    </section>
  );
}

function Lamp({ online }: { online: boolean }) {
  const { t } = useTranslation("studio");
  return <Badge tone={online ? "good" : "plain"}>{t(online ? "picture.arrives" : "picture.none")}</Badge>;
}
