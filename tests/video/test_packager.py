"""The packager alone: broken time, sound without picture, no keyframes, bounds."""

from __future__ import annotations

import contextlib
import itertools
import random
import re
import struct

import pytest

from livestall.video.embedded import amf, chunks, fmp4, playlist
from livestall.video.embedded.flv import FlvSink, Refused
from livestall.video.embedded.h264 import BadVideo
from livestall.video.embedded.packager import Packager
from livestall.video.model import LATENCY

CONFIG = bytes.fromhex("0142c01effe1001a6742c01eda0280bfe5c04400000300040000030078") + bytes.fromhex(
    "3c60ca8001000568ce0fc8"
)
AAC = bytes.fromhex("1190")


class Pusher:
    """An encoder that sends FLV tags at chosen times; the wall clock follows them."""

    def __init__(self, mode: str = "default") -> None:
        self.wall = 1_700_000_000.0
        self.packager = Packager(LATENCY[mode], epoch=self.wall - 10, now=lambda: self.wall)  # type: ignore[index]
        self.start()

    def start(self) -> None:
        self.sink = FlvSink(self.packager, self.packager.begin())
        self.sink.video(0, bytearray(b"\x17\0\0\0\0" + CONFIG))
        self.sink.audio(0, bytearray(b"\xaf\0" + AAC))

    def frame(self, ms: int, *, key: bool = False, size: int = 100) -> None:
        unit = struct.pack(">I", size) + b"\1" * size
        self.sink.video(ms & 0xFFFFFFFF, bytearray((b"\x17" if key else b"\x27") + b"\1\0\0\0" + unit))

    def sound(self, ms: int) -> None:
        self.sink.audio(ms & 0xFFFFFFFF, bytearray(b"\xaf\1" + b"\0" * 50))

    def run(self, seconds: float, *, gop: float = 1.0, fps: int = 25, base: int = 0, size: int = 100) -> None:
        step = 1000 // fps
        for index in range(int(seconds * fps)):
            self.wall += step / 1000
            self.frame(base + index * step, key=index % max(1, int(gop * fps)) == 0, size=size)
            self.sound(base + index * step)

    @property
    def text(self) -> str:
        return playlist.live(self.packager, "t")


def durations(text: str) -> list[float]:
    return [float(one) for one in re.findall(r"#EXTINF:([\d.]+)", text)]


def test_segments_parts_and_stream_time_are_regular() -> None:
    pusher = Pusher()
    pusher.run(20)
    assert pusher.text.startswith("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:2\n")
    assert durations(pusher.text) == pytest.approx([2.0] * 8)
    parts = [float(one) for one in re.findall(r"EXT-X-PART:DURATION=([\d.]+)", pusher.text)]
    assert max(parts) <= 0.5
    starts = [one.started_at for one in pusher.packager.segments]
    assert [b - a for a, b in itertools.pairwise(starts)] == pytest.approx([2.0] * 7, abs=0.01)
    assert abs(starts[-1] - pusher.wall) < 5


def test_a_stream_shows_within_a_second_or_so_even_with_long_gops() -> None:
    pusher = Pusher()
    pusher.run(1.6, gop=30)
    assert len(pusher.packager.segments) == 1
    assert durations(pusher.text)[0] <= 1.5
    pusher = Pusher()
    pusher.run(1.2)
    assert len(pusher.packager.segments) == 1


def test_keyframes_each_thirty_seconds_do_not_grow_the_memory() -> None:
    pusher = Pusher()
    pusher.run(200, gop=30, size=10_000)
    assert durations(pusher.text) == [30.0] * 4, "cut at keyframes: who joins finds one"
    assert "#EXT-X-TARGETDURATION:30\n" in pusher.text
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in pusher.text, "the opening, cut without one, has left the window"
    pusher.run(200, gop=1000, size=10_000)
    assert max(durations(pusher.text)) <= 40.5
    assert "#EXT-X-INDEPENDENT-SEGMENTS" not in pusher.text
    pusher.run(100, gop=30, size=80_000)
    assert sum(one.size for one in pusher.packager.segments) <= 128 << 20


def test_sound_without_picture_does_not_grow_the_memory() -> None:
    pusher = Pusher()
    pusher.run(3)
    for index in range(20_000):
        pusher.sound(3000 + index * 21)
    assert len(pusher.packager._sounds) <= 700
    only_sound = Pusher()
    for index in range(20_000):
        only_sound.sound(index * 21)
    assert len(only_sound.packager._sounds) <= 700


def test_a_flood_of_bytes_is_bounded() -> None:
    pusher = Pusher()
    pusher.run(40, gop=5, size=200_000)
    assert sum(one.size for one in pusher.packager.segments) <= 100 << 20


@pytest.mark.parametrize("base", [0, 0xFFFFFFFF - 3000, 0x7FFFFFFF - 3000])
def test_timestamps_may_start_anywhere_and_wrap(base: int) -> None:
    pusher = Pusher()
    pusher.run(9, base=base)
    assert durations(pusher.text)[1:] == pytest.approx([2.0] * len(durations(pusher.text)[1:]))


def test_broken_timestamps_never_go_back_and_never_stop_the_stream() -> None:
    chance = random.Random(7)
    pusher = Pusher()
    for index in range(3000):
        pusher.wall += 0.04
        jump = chance.choice([0, 0, 0, -30, 17, -9000, 100_000, 1 << 31])
        pusher.frame(index * 40 + jump, key=index % 25 == 0)
        pusher.sound(index * 40 + chance.choice([0, -500, 500]))
    ends: list[float] = []
    for segment in pusher.packager.segments:
        for part in segment.parts:
            (piece,) = fmp4.scan(part.data)
            assert not ends or piece.start >= ends[-1] - 1e-6
            ends.append(piece.start + piece.duration)
    starts = [one.started_at for one in pusher.packager.segments]
    assert len(starts) == 8
    assert starts == sorted(starts)


def test_a_publisher_who_comes_back_continues_the_time_line() -> None:
    pusher = Pusher()
    pusher.run(5)
    number = pusher.packager.next_number
    pusher.packager.pause()
    pusher.wall += 7
    pusher.start()
    pusher.run(5)
    text = pusher.text
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert pusher.packager.next_number > number + 1
    pusher.run(40)
    assert "#EXT-X-DISCONTINUITY-SEQUENCE:1" in pusher.text
    assert "#EXT-X-DISCONTINUITY\n" not in pusher.text


@pytest.mark.parametrize("tag", [b"\x91hvc1" + b"\0" * 10, b"\x2c\0\0\0\0\0", b"\x12\0\0\0\0\0"])
def test_other_codecs_are_refused_in_words(tag: bytes) -> None:
    with pytest.raises(Refused, match=r"H\.264"):
        Pusher().sink.video(0, bytearray(tag))


@pytest.mark.parametrize("config", [b"", b"\1" * 7, CONFIG[:10], b"\1" + b"\xff" * 40])
def test_broken_codec_headers_are_refused(config: bytes) -> None:
    with pytest.raises(BadVideo):
        fmp4.video_track(config)


def test_random_bytes_are_no_rtmp_and_no_amf() -> None:
    chance = random.Random(3)
    for _ in range(300):
        data = chance.randbytes(chance.randrange(1, 400))
        reader = chunks.ChunkReader(65536)
        try:
            for at in range(0, len(data), 7):
                reader.feed(data[at : at + 7])
        except chunks.ProtocolError:
            pass
        with contextlib.suppress(amf.BadAmf):
            amf.decode(data)


def test_chunks_with_extended_timestamps_and_type_three_starts() -> None:
    reader = chunks.ChunkReader(1 << 20)
    body = bytes(range(256)) * 2
    extended = (0x01020304).to_bytes(4, "big")
    message = b"\x04\xff\xff\xff" + len(body).to_bytes(3, "big") + b"\x09\1\0\0\0" + extended + body[:128]
    message += b"".join(b"\xc4" + extended + body[at : at + 128] for at in range(128, 512, 128))
    without = b"\x05\xff\xff\xff" + len(body).to_bytes(3, "big") + b"\x09\1\0\0\0" + extended + body[:128]
    without += b"".join(b"\xc5" + body[at : at + 128] for at in range(128, 512, 128))
    short = b"\x06\0\0\x64\0\0\1\x08\1\0\0\0A" + b"\x46\0\0\x14\0\0\1\x08B" + b"\xc6C"
    found = []
    for byte in message + without + short:
        found += reader.feed(bytes([byte]))
    assert [bytes(one.body) for one in found] == [body, body, b"A", b"B", b"C"]
    assert [one.timestamp for one in found] == [0x01020304, 0x01020304, 100, 120, 140]


def test_amf_goes_round() -> None:
    values: list[object] = ["connect", 1.0, {"app": "live", "ok": True, "none": None}, None]
    assert amf.decode(amf.encode(*values)) == values
