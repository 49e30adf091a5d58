import { useSyncExternalStore } from "react";

import { cameraAllowedHere, type CameraProblem, cameraProblem } from "./media-errors";

/**
 * The one camera of this tab. It lives outside of React, because the picture must run on while the host walks from
 * the camera check into the control room.
 */
export interface CameraState {
  phase: "off" | "asking" | "on" | "problem";
  stream: MediaStream | null;
  problem: CameraProblem | null;
  cameras: MediaDeviceInfo[];
  microphones: MediaDeviceInfo[];
  cameraId: string | null;
  microphoneId: string | null;
  mirrored: boolean;
  microphoneOn: boolean;
}

const OFF: CameraState = {
  phase: "off", stream: null, problem: null, cameras: [], microphones: [], cameraId: null, microphoneId: null,
  mirrored: true, microphoneOn: true,
};

let state = OFF;
const listeners = new Set<() => void>();

function publish(change: Partial<CameraState>): void {
  state = { ...state, ...change };
  listeners.forEach((listener) => listener());
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const useCamera = (): CameraState => useSyncExternalStore(subscribe, () => state);
export const cameraNow = (): CameraState => state;
export const watchCamera = subscribe;

function wanted(): MediaStreamConstraints {
  const video: MediaTrackConstraints = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
  if (state.cameraId) video.deviceId = { exact: state.cameraId };
  else video.facingMode = "user";
  const audio: MediaTrackConstraints = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };
  if (state.microphoneId) audio.deviceId = { exact: state.microphoneId };
  return { video, audio };
}

/** Asks for camera and microphone; safe to call again after a problem or with other devices chosen. */
export async function startCamera(): Promise<void> {
  if (state.phase === "asking") return;
  if (!cameraAllowedHere()) return publish({ phase: "problem", problem: "insecure" });
  publish({ phase: "asking", problem: null });
  const before = state.stream;
  // Phones cannot open a second camera while the first is open.
  before?.getVideoTracks().forEach((track) => track.stop());
  try {
    const stream = await navigator.mediaDevices.getUserMedia(wanted());
    for (const track of stream.getAudioTracks()) track.enabled = state.microphoneOn;
    for (const track of stream.getTracks()) track.addEventListener("ended", () => trackEnded(stream));
    publish({
      phase: "on", stream, problem: null,
      cameraId: stream.getVideoTracks()[0]?.getSettings().deviceId ?? null,
      microphoneId: stream.getAudioTracks()[0]?.getSettings().deviceId ?? null,
    });
    before?.getTracks().forEach((track) => track.stop());
    await listDevices();
  } catch (error) {
    before?.getTracks().forEach((track) => track.stop());
    publish({ phase: "problem", stream: null, problem: cameraProblem(error), cameraId: null });
  }
}

/** The cable was pulled or the permission withdrawn while the picture ran. */
function trackEnded(stream: MediaStream): void {
  if (state.stream !== stream) return;
  stream.getTracks().forEach((track) => track.stop());
  publish({ phase: "problem", stream: null, problem: "missing" });
}

async function listDevices(): Promise<void> {
  const devices = await navigator.mediaDevices.enumerateDevices();
  publish({
    cameras: devices.filter((device) => device.kind === "videoinput"),
    microphones: devices.filter((device) => device.kind === "audioinput"),
  });
}

export async function chooseDevices(choice: { cameraId?: string; microphoneId?: string }): Promise<void> {
  publish(choice);
  await startCamera();
}

/** On a phone: front or back. */
export async function flipCamera(): Promise<void> {
  const at = state.cameras.findIndex((camera) => camera.deviceId === state.cameraId);
  const next = state.cameras[(at + 1) % Math.max(1, state.cameras.length)];
  if (next) await chooseDevices({ cameraId: next.deviceId });
}

export function setMirrored(mirrored: boolean): void {
  publish({ mirrored });
}

export function setMicrophoneOn(on: boolean): void {
  state.stream?.getAudioTracks().forEach((track) => { track.enabled = on; });
  publish({ microphoneOn: on });
}

export function stopCamera(): void {
  const { mirrored } = state;
  state.stream?.getTracks().forEach((track) => track.stop());
  state = { ...OFF, mirrored };
  listeners.forEach((listener) => listener());
}
