import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";

import { cx } from "@/shared/lib/cx";
import { Button, Empty, IconButton, Select } from "@/shared/ui";
import { watchLoudness } from "./audio-level";
import { chooseDevices, flipCamera, setMicrophoneOn, setMirrored, startCamera, useCamera } from "./camera";
import styles from "./camera.module.css";

/** The host's own picture, as in a mirror unless they choose otherwise. Viewers never see it mirrored. */
export function CameraView({ className }: { className?: string }) {
  const { t } = useTranslation("studio");
  const camera = useCamera();
  const video = useRef<HTMLVideoElement>(null);
  useEffect(() => {
    if (video.current && video.current.srcObject !== camera.stream) video.current.srcObject = camera.stream;
  }, [camera.stream]);
  return (
    <div className={cx(styles.view, className)} data-theme="dark">
      <video ref={video} autoPlay muted playsInline aria-label={t("camera.own")} className={cx(styles.video, camera.mirrored && styles.mirrored)} />
      {camera.phase === "asking" && !camera.stream && <p className={styles.over}>{t("camera.asking")}</p>}
      {camera.phase === "problem" && camera.problem && (
        <div className={styles.over} role="alert">
          <Empty icon="warning" title={t(`camera.problem.${camera.problem}`)} action={<Button onClick={() => void startCamera()}>{t("camera.retry")}</Button>}>
            {t(`camera.help.${camera.problem}`)}
          </Empty>
        </div>
      )}
      {camera.phase === "on" && (
        <div className={styles.tools}>
          <IconButton icon={camera.microphoneOn ? "sound" : "mute"} aria-pressed={!camera.microphoneOn} className={cx(styles.tool, !camera.microphoneOn && styles.toolOff)}
            label={t(camera.microphoneOn ? "camera.mute" : "camera.unmute")} onClick={() => setMicrophoneOn(!camera.microphoneOn)} />
          {camera.cameras.length > 1 && <IconButton icon="camera" className={styles.tool} label={t("camera.flip")} onClick={() => void flipCamera()} />}
        </div>
      )}
    </div>
  );
}

/** How loud the microphone is. Speaks up when it hears nothing for a while. */
export function MicrophoneMeter() {
  const { t } = useTranslation("studio");
  const { stream, microphoneOn } = useCamera();
  const bar = useRef<HTMLSpanElement>(null);
  const [silent, setSilent] = useState(false);
  useEffect(() => {
    if (!stream) return;
    let heardAt = Date.now();
    return watchLoudness(stream, (level) => {
      if (bar.current) bar.current.style.transform = `scaleX(${level.toFixed(3)})`;
      if (level > 0.2) heardAt = Date.now();
      setSilent(Date.now() - heardAt > 4000);
    });
  }, [stream]);
  if (!stream) return null;
  const note = !microphoneOn ? t("camera.micOff") : silent ? t("camera.micSilent") : t("camera.micGood");
  return (
    <div className={styles.meter}>
      <span className={styles.meterTrack} aria-hidden="true"><span ref={bar} className={styles.meterBar} /></span>
      <span className={styles.meterNote}>{note}</span>
    </div>
  );
}

export function DeviceChoice() {
  const { t } = useTranslation("studio");
  const camera = useCamera();
  if (camera.phase !== "on") return null;
  const name = (device: MediaDeviceInfo, index: number, word: string) => device.label || t(word, { number: index + 1 });
  return (
    <div className={styles.devices}>
      <Select label={t("camera.camera")} value={camera.cameraId ?? ""} onChange={(event) => void chooseDevices({ cameraId: event.target.value })}>
        {camera.cameras.map((device, index) => <option key={device.deviceId || index} value={device.deviceId}>{name(device, index, "camera.cameraNumber")}</option>)}
      </Select>
      <Select label={t("camera.microphone")} value={camera.microphoneId ?? ""} onChange={(event) => void chooseDevices({ microphoneId: event.target.value })}>
        {camera.microphones.map((device, index) => <option key={device.deviceId || index} value={device.deviceId}>{name(device, index, "camera.microphoneNumber")}</option>)}
      </Select>
      <label className={styles.check}>
        <input type="checkbox" checked={camera.mirrored} onChange={(event) => setMirrored(event.target.checked)} />
        <span>{t("camera.mirror")}</span>
      </label>
    </div>
  );
}
