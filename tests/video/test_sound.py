"""A browser's sound on its way into HLS: no frame lost, each at its own time."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import av
import pytest

from livestall.video.embedded.aac import FRAME_SAMPLES, OpusToAac

PACKETS, SAMPLES = 100, 960


@pytest.mark.parametrize("layout", ["stereo", "mono"])
def test_opus_without_times_becomes_aac_that_counts_on(layout: str) -> None:
    encoder: Any = av.CodecContext.create("libopus", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.time_base = 48_000, layout, "s16", Fraction(1, 48_000)
    encoder.open()
    coder = OpusToAac()
    times: list[int] = []
    for number in range(PACKETS):
        frame = av.AudioFrame("s16", layout, SAMPLES)
        frame.sample_rate, frame.pts, frame.time_base = 48_000, number * SAMPLES, Fraction(1, 48_000)
        for packet in encoder.encode(frame):
            times += [when for when, _ in coder.push(av.Packet(bytes(packet)))]
    assert times == [number * FRAME_SAMPLES for number in range(len(times))]
    assert len(times) >= PACKETS * SAMPLES // FRAME_SAMPLES - 3
