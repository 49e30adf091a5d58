"""Encoders that misbehave, over real RTMP: the show goes on, or is cut with a sentence that its host sees."""

from __future__ import annotations

import asyncio
import io
import itertools
import random
import re
from collections.abc import Callable
from uuid import UUID

import av
import pytest
from tests.video.conftest import Stand
from tests.video.raw_rtmp import AUDIO, DATA, VIDEO, Encoder, Tag, film, on_data

from helpers.patience import until
from livestall.video.embedded import fmp4
from livestall.video.embedded.h264 import avc_config
from livestall.video.model import StreamWarning

SECONDS = 9.0
Change = Callable[[Tag], Tag | None]


def backwards(tag: Tag) -> Tag:
    return tag if tag.header else tag._replace(ms=tag.ms - tag.ms // 3000 * 10_000 + 60_000)


def hours(tag: Tag) -> Tag:
    return tag if tag.header or tag.ms < 4000 else tag._replace(ms=tag.ms + 5 * 3_600_000)


def equal(tag: Tag) -> Tag:
    return tag._replace(ms=1000)


def composition(tag: Tag) -> Tag:
    if tag.kind != VIDEO or tag.header:
        return tag
    return tag._replace(body=tag.body[:2] + (7_000_000).to_bytes(3, "big") + tag.body[5:])


def wrap(tag: Tag) -> Tag:
    return tag._replace(ms=tag.ms + 0xFFFFFFFF - 4000)


def noise(tag: Tag) -> Tag:
    return tag if tag.header else tag._replace(ms=random.Random(tag.ms).randrange(1 << 32))


def apart(tag: Tag) -> Tag:
    """Sound runs a third slower than the picture."""
    return tag._replace(ms=tag.ms * 2 // 3) if tag.kind == AUDIO else tag


def hollow(tag: Tag) -> Tag:
    """Frames of no size, or whose insides do not add up."""
    if tag.kind != VIDEO or tag.header or tag.key or tag.ms // 50 % 4:
        return tag
    return tag._replace(body=tag.body[:5] + (b"" if tag.ms // 50 % 8 else b"\0\0\0\0" + tag.body[20:]))


BROKEN: dict[str, tuple[Change, set[str]]] = {
    "backwards": (backwards, {"broken-time"}), "hours": (hours, {"broken-time"}), "equal": (equal, {"broken-time"}),
    "composition": (composition, {"broken-time"}), "noise": (noise, {"broken-time"}),
    "hollow": (hollow, {"broken-frames"}), "wrap": (wrap, set()), "apart": (apart, set()),
}  # fmt: skip


class Viewer:
    """Reads each new playlist of a stream and holds it against the rules of HLS."""

    def __init__(self, stand: Stand, stream_id: UUID) -> None:
        self.stand, self.stream_id = stand, stream_id
        self.text = ""
        self.lists = 0
        self._lengths: dict[str, str] = {}
        self._sequence = self._breaks = 0

    async def watch(self) -> None:
        query = ""
        while True:
            status, text = await self.stand.text(self.stream_id, f"live.m3u8{query}")
            if status == 200:
                self.judge(text)
                query = "?_HLS_msn={}&_HLS_part={}".format(*re.findall(r'HINT:.*URI="\w+-(\d+)-(\d+)', text)[0])

    def judge(self, text: str) -> None:
        self.text, self.lists = text, self.lists + 1
        number = lambda name: float(re.findall(rf"{name}[:=]([\d.]+)", text)[0])  # noqa: E731
        target, part_target = number("TARGETDURATION"), number("PART-TARGET")
        lengths = re.findall(r"#EXTINF:([\d.]+),\n(\S+)", text)
        assert all(round(float(length)) <= target for length, _ in lengths), text
        assert all(float(one) <= part_target + 1e-4 for one in re.findall(r"PART:DURATION=([\d.]+)", text)), text
        assert int(number("MEDIA-SEQUENCE")) >= self._sequence
        assert int(number("DISCONTINUITY-SEQUENCE")) >= self._breaks
        self._sequence, self._breaks = int(number("MEDIA-SEQUENCE")), int(number("DISCONTINUITY-SEQUENCE"))
        for length, name in lengths:
            assert self._lengths.setdefault(name, length) == length, "a segment keeps its duration"
        stamps = re.findall(r"DATE-TIME:(\S+)", text)
        assert stamps == sorted(stamps), text
        rest = text.partition("#EXT-X-MAP")[2]
        assert rest.count("#EXT-X-MAP") <= text.count("#EXT-X-DISCONTINUITY\n"), "new tracks come with a break"


async def broadcast(stand: Stand, change: Change, seconds: float = SECONDS, **shape: float) -> tuple[UUID, Viewer]:
    """An encoder that sends what `change` makes of a good film, watched all the while; it stays connected."""
    stream_id, secret = stand.market.add()
    encoder = Encoder(stand.rtmp_port, f"{stream_id}?k={secret}")
    await encoder.open()
    viewer = Viewer(stand, stream_id)
    watching = asyncio.create_task(viewer.watch())
    await encoder.push(film(20, **shape), change, seconds)  # type: ignore[arg-type]
    assert not encoder.closed, encoder.said
    if watching.done():
        watching.result()
    watching.cancel()
    await encoder.close()
    return stream_id, viewer


def pieces(stand: Stand, stream_id: UUID) -> list[fmp4.Found]:
    packager = stand.engine.streams[stream_id].packager
    return [piece for one in packager.segments for part in one.parts for piece in fmp4.scan(part.data)]


def told(stand: Stand, stream_id: UUID) -> list[StreamWarning]:
    """All that its host was ever told."""
    return [one for hook in stand.market.heard("warned", stream_id) for one in hook.warnings]


async def test_whatever_the_timestamps_do_the_show_goes_on_at_its_own_pace(stand: Stand) -> None:
    film(20)
    names = list(BROKEN)
    shows = await asyncio.gather(*(broadcast(stand, BROKEN[name][0]) for name in names))
    for name, (stream_id, viewer) in zip(names, shows, strict=True):
        found = pieces(stand, stream_id)
        assert sum(one.duration for one in found) == pytest.approx(SECONDS, abs=1.5), name
        assert all(b.start >= a.start + a.duration - 1e-4 for a, b in itertools.pairwise(found)), name
        assert viewer.lists > 8, name
        codes = {one.code for one in told(stand, stream_id)}
        assert codes == BROKEN[name][1], name
        size = sum(one.size for one in stand.engine.streams[stream_id].packager.segments)
        assert size < 4 << 20, name


async def test_a_camera_that_dies_leaves_its_last_picture_and_the_sound(stand: Stand) -> None:
    dead = lambda tag: None if tag.kind == VIDEO and not tag.header and 4000 < tag.ms < 9500 else tag  # noqa: E731
    stream_id, viewer = await broadcast(stand, dead, 13)
    found = pieces(stand, stream_id)
    assert sum(one.duration for one in found) == pytest.approx(13, abs=1.5)
    assert viewer.text.count("#EXT-X-DISCONTINUITY\n") == 0, "the same picture needs no break"
    packager = stand.engine.streams[stream_id].packager
    data = packager.inits[0] + b"".join(part.data for one in packager.segments for part in one.parts)
    with av.open(io.BytesIO(data)) as container:
        assert sum(1 for _ in container.decode(audio=0)) > 11 * 46
    with av.open(io.BytesIO(data)) as container:
        times = [float(frame.time or 0) for frame in container.decode(video=0)]
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.6, "something is shown all the time"
    await until(lambda: told(stand, stream_id))
    assert next(one.code for one in told(stand, stream_id)) == "no-picture"
    await until(lambda: stand.market.heard("warned", stream_id)[-1].warnings == [])


async def test_sound_alone_is_carried_with_a_card_until_a_picture_comes(stand: Stand) -> None:
    radio = lambda tag: None if tag.kind == VIDEO and not tag.header and tag.ms < 9000 else tag  # noqa: E731
    stream_id, viewer = await broadcast(stand, radio, 13)
    assert stand.market.heard("published", stream_id), "the show can begin"
    assert "no-picture" in {one.code for one in told(stand, stream_id)}
    assert viewer.text.count("#EXT-X-DISCONTINUITY\n") == 1
    packager = stand.engine.streams[stream_id].packager
    by_init: dict[int, bytes] = dict(packager.inits)
    for segment in packager.segments:
        by_init[segment.init] += b"".join(part.data for part in segment.parts)
    sizes: list[tuple[int, int]] = []
    for data in by_init.values():
        with av.open(io.BytesIO(data)) as container:
            frame = next(container.decode(video=0))
            sizes.append((frame.width, frame.height))
    assert sizes == [(640, 360), (160, 90)]


async def test_rare_keyframes_are_told_and_segments_still_begin_with_them(stand: Stand) -> None:
    stream_id, _ = await broadcast(stand, lambda tag: tag, 15, gop_seconds=7.0)
    segments = stand.engine.streams[stream_id].packager.segments
    begins = [one.parts[0].independent for one in segments]
    second = begins.index(True, 1)
    assert begins[second:] == [True] * (len(segments) - second), "from the second keyframe on"
    assert max(one.duration for one in list(segments)[:second]) < 2.6, "until then it is cut without"
    (warning,) = {one for one in told(stand, stream_id) if one.value == 7.0}
    assert warning.code == "rare-keyframes"


async def refused(stand: Stand, tags: list[Tag], idle: float = 0) -> tuple[UUID, Encoder]:
    stream_id, secret = stand.market.add()
    encoder = Encoder(stand.rtmp_port, f"{stream_id}?k={secret}")
    await encoder.open()
    assert encoder.said[0][0] == "NetStream.Publish.Start"
    for tag in tags:
        encoder.tag(tag)
    await until(lambda: encoder.closed)
    await encoder.close()
    return stream_id, encoder


def config_of(width: int, height: int) -> bytes:
    """An avcC record of a picture so large, in macroblocks of 16 pixels."""

    def ue(value: int) -> str:
        code = f"{value + 1:b}"
        return "0" * (len(code) - 1) + code

    bits = ue(0) + ue(0) + ue(2) + ue(0) + "0" + ue(width // 16 - 1) + ue(height // 16 - 1) + "1000" + "1"
    bits += "0" * (-len(bits) % 8)
    return avc_config(b"\x67\x42\0\x3c" + int(bits, 2).to_bytes(len(bits) // 8, "big"), b"\x68\xce\x3c\x80")


@pytest.mark.parametrize(
    ("body", "code", "detail"),
    [
        (b"\x90hvc1" + b"\0" * 40, "codec", "HEVC"),
        (b"\x90av01" + b"\0" * 40, "codec", "AV1"),
        (b"\x1c\0\0\0\0" + b"\0" * 40, "codec", "HEVC"),
        (b"\x17\0\0\0\0\1\x64\0\x3c\xff\xe1\0\x20" + b"\0" * 9, "bad-stream", "cut short"),
        (b"\x17\0\0\0\0" + config_of(7680, 4320), "bad-stream", "7680 by 4320 pixels is too large"),
    ],
)
async def test_a_picture_that_cannot_be_carried_is_refused_where_the_host_looks(
    stand: Stand, body: bytes, code: str, detail: str
) -> None:
    stream_id, encoder = await refused(stand, [Tag(VIDEO, 0, body)] + [Tag(VIDEO, 40, body)] * 50)
    assert encoder.said[-1][0] == "NetStream.Publish.Rejected"
    assert (detail if code == "bad-stream" else f"{detail}; choose H.264") in encoder.said[-1][1]
    await until(lambda: told(stand, stream_id))
    (warning,) = told(stand, stream_id)
    assert warning.code == code
    assert detail in warning.detail
    assert not stand.market.heard("published", stream_id)


async def test_sound_in_another_codec_and_settings_that_never_rest_are_refused(stand: Stand) -> None:
    stream_id, encoder = await refused(stand, [Tag(AUDIO, 0, b"\x2f" + b"\0" * 50)])
    assert "choose AAC" in encoder.said[-1][1]
    first, other = (next(one for one in film(2, size=size) if one.header) for size in ("160x90", "320x180"))
    flapping = [(first, other)[index % 2]._replace(ms=index * 40) for index in range(60)]
    _, encoder = await refused(stand, flapping)
    assert "all the time" in encoder.said[-1][1]
    await until(lambda: told(stand, stream_id))
    assert told(stand, stream_id) == [StreamWarning("sound-codec", 0.0, "MP3")]


async def test_who_publishes_nothing_or_only_chatter_is_let_go(stand: Stand) -> None:
    chatter = on_data({"width": 1e9, "text": "x" * 5000})
    stream_id, secret = stand.market.add()
    encoder = Encoder(stand.rtmp_port, f"{stream_id}?k={secret}")
    await encoder.open()
    _, (silent_id, silent) = await asyncio.gather(talk(encoder, chatter), refused(stand, []))
    assert encoder.closed
    assert silent.closed
    await until(lambda: told(stand, silent_id) and told(stand, stream_id))
    assert "neither picture nor sound" in told(stand, silent_id)[0].detail


async def talk(encoder: Encoder, body: bytes) -> None:
    """Metadata without end."""
    while not encoder.closed:
        encoder.tag(Tag(DATA, 0, body))
        await asyncio.sleep(0.005)


async def test_another_picture_size_in_the_middle_comes_with_a_break(stand: Stand) -> None:
    small, large = film(20), film(20, size="320x180")
    halves = tuple(one for one in small if one.ms < 4000) + tuple(one for one in large if one.header or one.ms >= 4000)
    stream_id, secret = stand.market.add()
    encoder = Encoder(stand.rtmp_port, f"{stream_id}?k={secret}")
    await encoder.open()
    viewer = Viewer(stand, stream_id)
    watching = asyncio.create_task(viewer.watch())
    await encoder.push(halves, lambda tag: tag, 8)
    if watching.done():
        watching.result()
    watching.cancel()
    assert viewer.text.count("#EXT-X-MAP") == 2
    assert viewer.text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert stand.engine.streams[stream_id].packager.video.height == 180  # type: ignore[union-attr]
    await encoder.close()
