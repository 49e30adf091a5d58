/** What both ends of a WebRTC picture need: codecs, hints, gathering. */

const GATHERING_MS_MAX = 800;

/** Smooth motion before sharp stills: a host moves. */
export function hinted(track: MediaStreamTrack): MediaStreamTrack {
  if (track.kind === "video") track.contentHint = "motion";
  return track;
}

/** H.264 first: the server hands it on without decoding it. */
export function preferH264(transceiver: RTCRtpTransceiver): void {
  const codecs = globalThis.RTCRtpSender?.getCapabilities?.("video")?.codecs;
  if (!codecs || typeof transceiver.setCodecPreferences !== "function") return;
  transceiver.setCodecPreferences(h264First(codecs));
}

export function h264First<Codec extends { mimeType: string; sdpFmtpLine?: string }>(codecs: readonly Codec[]): Codec[] {
  const rank = (codec: Codec): number => {
    if (codec.mimeType.toLowerCase() !== "video/h264") return 3;
    const line = codec.sdpFmtpLine ?? "";
    if (!line.includes("packetization-mode=1")) return 2;
    return /profile-level-id=42e0/i.test(line) ? 0 : 1;
  };
  return [...codecs].sort((a, b) => rank(a) - rank(b));
}

/** Chromium starts at 300 kbit/s and takes seconds to climb; this hint starts it at the picture's real rate. */
export function withStartBitrate(sdp: string, kilobits: number): string {
  return sdp.replace(/(a=fmtp:\d+ [^\r\n]*packetization-mode[^\r\n]*)/g, `$1;x-google-start-bitrate=${kilobits}`);
}

/** Resolves when all addresses are found, or after a moment: the server is seldom far away. */
export function gathered(peer: RTCPeerConnection): Promise<void> {
  if (peer.iceGatheringState === "complete") return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, GATHERING_MS_MAX);
    peer.addEventListener("icegatheringstatechange", () => {
      if (peer.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}
