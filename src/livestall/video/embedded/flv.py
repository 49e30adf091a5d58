"""FLV tag bodies, as RTMP carries them, into a packager."""

from __future__ import annotations

from typing import Any

from livestall.video.embedded import fmp4
from livestall.video.embedded.h264 import BadVideo
from livestall.video.embedded.packager import Packager

JUMP_MS = 5_000
"""Timestamps that jump this far are counted on from where they were."""
FRAME_MS = 40
CODECS = {b"hvc1": "HEVC", b"av01": "AV1", b"vp09": "VP9", b"vp08": "VP8", b"avc1": "enhanced-RTMP H.264"}
OLD_CODECS = {2: "Sorenson H.263", 3: "Screen video", 4: "VP6", 5: "VP6", 6: "Screen video", 12: "HEVC"}


class Refused(Exception):
    """This encoder's picture or sound cannot be carried; the sentence tells the host what to change."""


class FlvSink:
    """One publisher's tags. `base_ms` is where its media time starts."""

    def __init__(self, packager: Packager, base_ms: int) -> None:
        self._packager = packager
        self._media_ms = base_ms
        self._anchor: int | None = None
        self._last = 0
        self.declared_kbps = 0.0

    def metadata(self, values: dict[str, Any]) -> None:
        rates = [values.get("videodatarate"), values.get("audiodatarate")]
        self.declared_kbps = sum(rate for rate in rates if isinstance(rate, float) and 0 < rate < 1e6)

    def _time(self, timestamp: int) -> int:
        """Media milliseconds of an RTMP timestamp, which wraps, starts anywhere and may be broken."""
        if self._anchor is None:
            self._anchor = timestamp
        elapsed = (timestamp - self._anchor) & 0xFFFFFFFF
        if elapsed & 0x80000000:
            elapsed -= 1 << 32
        if abs(elapsed - self._last) > JUMP_MS:
            self._media_ms += self._last + FRAME_MS
            self._anchor, elapsed = timestamp, 0
        self._last = elapsed
        return max(0, self._media_ms + elapsed)

    def video(self, timestamp: int, tag: bytearray) -> None:
        """Raises Refused, BadVideo."""
        if len(tag) < 5:
            return
        if tag[0] & 0x80:
            name = CODECS.get(bytes(tag[1:5]), "an unknown codec")
            raise Refused(f"the encoder sends {name}; choose H.264 (x264) in its output settings")
        if tag[0] & 15 != 7:
            name = OLD_CODECS.get(tag[0] & 15, "an unknown codec")
            raise Refused(f"the encoder sends {name}; choose H.264 (x264) in its output settings")
        if tag[1] == 0:
            self._packager.set_video(fmp4.video_track(bytes(tag[5:])))
        elif tag[1] == 1 and len(tag) > 9:
            shift = int.from_bytes(tag[2:5], "big")
            shift -= (shift & 0x800000) << 1
            data = bytes(memoryview(tag)[5:])
            self._packager.add_video(self._time(timestamp) * 90, shift * 90, data, key=tag[0] >> 4 == 1)

    def audio(self, timestamp: int, tag: bytearray) -> None:
        """Raises Refused, BadVideo."""
        if len(tag) < 2:
            return
        if tag[0] >> 4 != 10:
            raise Refused("the encoder's sound is not AAC; choose AAC in its output settings")
        if tag[1] == 0:
            if len(tag) >= 4:
                self._packager.set_audio(fmp4.audio_track(bytes(tag[2:])))
        elif self._packager.audio is not None:
            rate = self._packager.audio.rate
            self._packager.add_audio(self._time(timestamp) * rate // 1000, bytes(memoryview(tag)[2:]))


__all__ = ["BadVideo", "FlvSink", "Refused"]
