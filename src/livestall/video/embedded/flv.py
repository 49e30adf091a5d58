"""FLV tag bodies, as RTMP carries them, into a packager."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

from livestall.video.embedded import fmp4
from livestall.video.embedded.findings import Findings, Refused
from livestall.video.embedded.h264 import BadVideo, is_whole
from livestall.video.embedded.media_time import MediaTime
from livestall.video.embedded.packager import Packager

CODECS = {b"avc1": "", b"hvc1": "HEVC", b"hev1": "HEVC", b"av01": "AV1", b"vp09": "VP9", b"vp08": "VP8"}
OLD_CODECS = {2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6", 6: "Screen video", 12: "HEVC", 13: "AV1"}
SOUND_CODECS = {0: "PCM", 1: "ADPCM", 2: "MP3", 3: "PCM", 5: "Nellymoser", 6: "Nellymoser", 7: "G.711", 8: "G.711",
                9: "enhanced RTMP sound", 11: "Speex", 14: "MP3"}  # fmt: skip
SHIFT_MS_MAX = 5_000
"""A frame is shown at most this long after it is decoded; an encoder that says more is mistaken."""
CHANGES_MAX, CHANGES_SECONDS = 20, 60.0
START, FRAME, END, FRAME_NOW = 0, 1, 2, 3
"""Packet types of enhanced RTMP; the last carries no shift."""


class FlvSink:
    """One publisher's tags. `base_ms` is where its media time starts; what is not well goes to `findings`."""

    def __init__(self, packager: Packager, base_ms: int, findings: Findings | None = None) -> None:
        self._packager = packager
        self._findings = findings or Findings()
        self._time = MediaTime(base_ms, packager.now)
        self._faults = 0
        self._changes: deque[float] = deque(maxlen=CHANGES_MAX)
        self.declared_kbps = 0.0

    def metadata(self, values: dict[str, Any]) -> None:
        rates = [values.get("videodatarate"), values.get("audiodatarate")]
        self.declared_kbps = sum(rate for rate in rates if isinstance(rate, float) and 0 < rate < 1e6)

    def throttled(self, kbps: float) -> None:
        """It sends more than we read."""
        self._findings.seen("high-bitrate", time.monotonic(), kbps)

    def video(self, timestamp: int, tag: bytearray) -> None:
        """Raises Refused, BadVideo."""
        if len(tag) < 5:
            return
        first = tag[0]
        kind, at = tag[1], 5
        if first & 0x80:
            kind = first & 15
            name = CODECS.get(bytes(tag[1:5]), "an unknown codec")
            at = 8 if kind == FRAME else 5
        else:
            name = "" if first & 15 == 7 else OLD_CODECS.get(first & 15, "an unknown codec")
        if name:
            sentence = f"the encoder sends {name}; choose H.264 (x264) in its output settings"
            raise Refused(sentence, "codec", name)
        if kind == START:
            self._take_config(bytes(tag[at:]))
        elif kind in {FRAME, FRAME_NOW} and len(tag) > at + 4:
            shift = 0 if kind == FRAME_NOW else int.from_bytes(tag[at - 3 : at], "big")
            self._frame(timestamp, shift - ((shift & 0x800000) << 1), bytes(memoryview(tag)[at:]), first >> 4 & 7 == 1)

    def _frame(self, timestamp: int, shift: int, data: bytes, key: bool) -> None:
        at = self._of("video", timestamp)
        if not is_whole(data):
            self._findings.seen("broken-frames", time.monotonic())
            return
        if not -SHIFT_MS_MAX < shift < SHIFT_MS_MAX:
            self._findings.seen("broken-time", time.monotonic())
            shift = 0
        self._packager.add_video(at * 90, shift * 90, data, key=key)

    def _take_config(self, config: bytes) -> None:
        track = fmp4.video_track(config)
        if self._packager.video is not None and self._packager.video != track:
            self._changed()
        self._packager.set_video(track)

    def _changed(self) -> None:
        now = self._packager.now()
        self._changes.append(now)
        if len(self._changes) == CHANGES_MAX and now - self._changes[0] < CHANGES_SECONDS:
            raise Refused("the encoder changes its picture or sound all the time; restart it with fixed settings")

    def _of(self, kind: str, timestamp: int, duration_ms: float = 0.0) -> int:
        at = self._time.of(kind, timestamp, duration_ms)
        if self._time.faults != self._faults:
            self._faults = self._time.faults
            self._findings.seen("broken-time", time.monotonic())
        return at

    def audio(self, timestamp: int, tag: bytearray) -> None:
        """Raises Refused, BadVideo."""
        if len(tag) < 2:
            return
        if tag[0] >> 4 != 10:
            name = SOUND_CODECS.get(tag[0] >> 4, "an unknown codec")
            raise Refused("the encoder's sound is not AAC; choose AAC in its output settings", "sound-codec", name)
        if tag[1] == 0:
            if len(tag) >= 4:
                track = fmp4.audio_track(bytes(tag[2:]))
                if self._packager.audio is not None and self._packager.audio != track:
                    self._changed()
                self._packager.set_audio(track)
        elif self._packager.audio is not None and len(tag) > 2:
            rate = self._packager.audio.rate
            at = self._of("audio", timestamp, 1_024_000 / rate)
            self._packager.add_audio(at * rate // 1000, bytes(memoryview(tag)[2:]))


__all__ = ["BadVideo", "FlvSink", "Refused"]
