"""Opus to AAC: browsers send the one, players of HLS want the other."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
from av.audio.resampler import AudioResampler

RATE = 48_000
BITS = 128_000
FRAME_SAMPLES = 1024
SPECIFIC_CONFIG = b"\x11\x90"
"""AAC-LC, 48 kHz, stereo."""


class OpusToAac:
    """One stream of sound. Times are in samples at 48 kHz."""

    def __init__(self) -> None:
        decoder: Any = av.CodecContext.create("libopus", "r")
        decoder.format, decoder.layout, decoder.sample_rate = "s16", "stereo", RATE
        encoder: Any = av.CodecContext.create("aac", "w")
        encoder.sample_rate, encoder.layout, encoder.format = RATE, "stereo", "fltp"
        encoder.bit_rate, encoder.time_base = BITS, Fraction(1, RATE)
        encoder.open()
        self.config = bytes(encoder.extradata or SPECIFIC_CONFIG)
        self._decoder, self._encoder = decoder, encoder
        self._resampler = AudioResampler("fltp", "stereo", RATE, frame_size=FRAME_SAMPLES)
        self._samples = 0

    def push(self, packet: Any) -> Iterator[tuple[int, bytes]]:
        """AAC frames of 1024 samples with their times. Raises av.FFmpegError for what is no Opus."""
        for frame in self._decoder.decode(packet):
            for even in self._resampler.resample(frame):
                for out in self._encoder.encode(even):
                    yield self._samples, bytes(out)  # packets off the network carry no time to hand on
                    self._samples += FRAME_SAMPLES
