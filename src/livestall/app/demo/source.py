"""A camera for the demo: real H.264 and AAC made on the spot and pushed by RTMP, on well under half a core.

`python -m livestall.app.demo.source rtmp://host/live/KEY --title "…"` runs until it is ended; it reconnects by itself.
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import time
from array import array
from fractions import Fraction
from typing import Any

import av
import av.error
import av.logging
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.video.frame import VideoFrame

from livestall.app.demo.pictures import PRODUCTS
from livestall.app.demo.scene import FPS, HEIGHT, SLIDE_SECONDS, WIDTH, Planes, Scene

VIDEO_BITS, AUDIO_BITS = 1_600_000, 64_000
SOUND_RATE, NOTE_RATE, SOUND_FRAME = 48_000, 24_000, 1024
BEAT_SECONDS = 0.32
LATE_SECONDS = 0.5
RETRY_SECONDS = 1.0
CHORDS = ((0, 7, 12, 16), (-3, 4, 9, 12), (-7, 0, 5, 9), (-5, 2, 7, 11))
"""Semitones above C4: C, Am, F, G."""
PATTERN = (0, 1, 2, 3, 2, 1, 2, 1)


def _note(semitones: int, seconds: float) -> list[float]:
    """A soft bell."""
    step = 2 * math.pi * 261.63 * 2 ** (semitones / 12) / NOTE_RATE
    count = int(seconds * NOTE_RATE)
    return [
        min(1.0, i / 120)
        * math.exp(-4.5 * i / count)
        * (math.sin(step * i) + 0.35 * math.sin(2 * step * i) + 0.12 * math.sin(3 * step * i))
        for i in range(count)
    ]


def music() -> list[bytes]:
    """A loop of about ten seconds: planar floats at 48 kHz, in frames of 1024 samples."""
    beats = [(chord, PATTERN[step]) for chord in CHORDS for step in range(8)]
    length = int(len(beats) * BEAT_SECONDS * NOTE_RATE)
    mix = array("f", bytes(4 * length))
    notes: dict[int, list[float]] = {}
    for index, (chord, step) in enumerate(beats):
        semitones = chord[step]
        tone = notes.setdefault(semitones, _note(semitones, 1.2))
        at = int(index * BEAT_SECONDS * NOTE_RATE)
        for i, value in enumerate(tone):
            mix[(at + i) % length] += value * 0.11
    frame = AudioFrame("fltp", "mono", length)
    frame.sample_rate = NOTE_RATE
    frame.planes[0].update(mix.tobytes())
    resampler = AudioResampler("fltp", "mono", SOUND_RATE)
    raw = b"".join(bytes(one.planes[0])[: one.samples * 4] for one in [*resampler.resample(frame)])
    size = SOUND_FRAME * 4
    return [raw[at : at + size] for at in range(0, len(raw) - size + 1, size)]


def _picture(planes: Planes) -> VideoFrame:
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    for plane, image in zip(frame.planes, (planes.y, planes.u, planes.v), strict=True):
        raw = image.tobytes()
        if plane.line_size != image.width:
            padding = bytes(plane.line_size - image.width)
            rows = (raw[at : at + image.width] + padding for at in range(0, len(raw), image.width))
            raw = b"".join(rows)
        plane.update(raw)
    return frame


class Broadcast:
    """One connection to the media server, from its opening until it breaks."""

    def __init__(self, url: str, scene: Scene, sound: list[bytes]) -> None:
        self._scene, self._sound = scene, sound
        self._output: Any = av.open(
            url, "w", format="flv", options={"flvflags": "no_duration_filesize", "flush_packets": "1"}, timeout=5
        )
        video: Any = self._output.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.bit_rate = VIDEO_BITS
        video.codec_context.gop_size = FPS
        video.codec_context.thread_count = 1
        video.codec_context.max_b_frames = 0
        video.codec_context.options = {
            "preset": "ultrafast", "tune": "zerolatency", "x264-params": f"keyint={FPS}:min-keyint={FPS}:scenecut=0",
            "maxrate": str(VIDEO_BITS), "bufsize": str(VIDEO_BITS),
        }  # fmt: skip
        audio: Any = self._output.add_stream("aac", rate=SOUND_RATE)
        audio.codec_context.layout = "mono"
        audio.codec_context.format = "fltp"
        audio.bit_rate = AUDIO_BITS
        self._video, self._audio = video, audio
        self._heard = 0

    def run(self, until: float) -> None:
        """Broadcast until then (monotonic seconds). Raises av.FFmpegError when the connection breaks."""
        start, number = time.monotonic(), 0
        while (now := time.monotonic()) < until:
            due = start + number / FPS
            if due > now:
                time.sleep(due - now)
            elif now - due > LATE_SECONDS:  # a busy machine: leave frames out, never fall behind the clock
                number = int((now - start) * FPS)
            self._show(number)
            self._play(number / FPS)
            number += 1

    def _show(self, number: int) -> None:
        frame = _picture(self._scene.frame(time.time()))
        frame.pts, frame.time_base = number, Fraction(1, FPS)
        for packet in self._video.encode(frame):
            self._output.mux(packet)

    def _play(self, until: float) -> None:
        behind = int(until * SOUND_RATE / SOUND_FRAME) - self._heard
        if behind > SOUND_RATE // SOUND_FRAME:
            self._heard += behind
        while self._heard * SOUND_FRAME < until * SOUND_RATE:
            frame = AudioFrame("fltp", "mono", SOUND_FRAME)
            frame.sample_rate = SOUND_RATE
            frame.planes[0].update(self._sound[self._heard % len(self._sound)])
            frame.pts, frame.time_base = self._heard * SOUND_FRAME, Fraction(1, SOUND_RATE)
            self._heard += 1
            for packet in self._audio.encode(frame):
                self._output.mux(packet)

    def close(self) -> None:
        self._output.close()


def broadcast(url: str, scene: Scene, seconds: float = math.inf) -> None:
    """Push to `url` for so long, again whenever the connection breaks."""
    av.logging.set_level(None)
    sound = music()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            connection = Broadcast(url, scene, sound)
            try:
                connection.run(end)
            finally:
                connection.close()
        except (av.error.FFmpegError, OSError) as error:
            # Not the whole error: it holds the address, and that holds the key.
            time.sleep(RETRY_SECONDS)  # when all of the market ends, this process is told so meanwhile
            print(f"the demo's camera was cut off and tries again: {error.strerror}", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--title", default="Livestall")
    parser.add_argument("--goods", default="", help="names of the goods in turn, with commas; all if left out")
    parser.add_argument("--slide-seconds", type=float, default=SLIDE_SECONDS)
    parser.add_argument("--seconds", type=float, default=math.inf)
    given = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # ends at once, in the middle of whatever FFmpeg is doing
    named = {one.name: one for one in PRODUCTS}
    shown = [named[name] for name in given.goods.split(",") if name in named] or PRODUCTS
    broadcast(given.url, Scene(given.title, shown, given.slide_seconds), given.seconds)


if __name__ == "__main__":
    main()
