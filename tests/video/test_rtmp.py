"""RTMP in, LL-HLS out, pushed by a real ffmpeg."""

from __future__ import annotations

import asyncio
import io
import re
import time
from datetime import datetime
from uuid import UUID

import av
import pytest
from tests.video.conftest import MarketStand, Pushers, Stand

from helpers.patience import PATIENCE_SECONDS, until
from livestall.video.model import Settings

PDT = re.compile(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)")


async def live(stand: Stand, stream_id: UUID) -> str:
    status, text = await stand.text(stream_id)
    assert status == 200, text
    return text


async def decoded(stand: Stand, stream_id: UUID, playlist: str) -> int:
    """How many pictures the listed segments of the last init section decode to."""
    init = re.findall(r'EXT-X-MAP:URI="([^"]+)"', playlist)[-1]
    names = re.findall(r"^(\S+\.m4s)$", playlist.rpartition("#EXT-X-MAP")[2], re.MULTILINE)
    data = await stand.bytes(stream_id, init)
    for name in names:
        data += await stand.bytes(stream_id, name)
    with av.open(io.BytesIO(data)) as container:
        assert {stream.type for stream in container.streams} == {"video", "audio"}
        return sum(1 for _ in container.decode(video=0))


async def test_a_pushed_stream_can_be_watched(stand: Stand, push: Pushers) -> None:
    stream_id, secret = stand.market.add()
    began = time.time()
    push(stand.address(stream_id, secret))
    await until(lambda: stand.market.heard("published", stream_id))
    text = await live(stand, stream_id)
    assert "#EXT-X-PART-INF:PART-TARGET=0.500" in text
    assert "PART-HOLD-BACK=1.500" in text
    assert await decoded(stand, stream_id, text) >= 10
    stamps = [datetime.fromisoformat(one).timestamp() for one in PDT.findall(text)]
    assert stamps == sorted(stamps)
    assert began - 1 < stamps[0] < time.time(), "it says when it was, give or take what an encoder sends ahead"
    hint = re.findall(r'PRELOAD-HINT:TYPE=PART,URI="([^"]+)"', text)[0]
    assert await stand.bytes(stream_id, hint), "a hinted part is waited for"
    await until(lambda: stand.engine.streams[stream_id].poster)
    assert (await stand.bytes(stream_id, "poster.jpg"))[:2] == b"\xff\xd8"


async def test_the_playlist_request_waits_for_the_part_it_names_and_gives_up_in_time(
    stand: Stand, push: Pushers
) -> None:
    stream_id, secret = stand.market.add()
    pusher = push(stand.address(stream_id, secret))
    text = await live(stand, stream_id)
    number, part = re.findall(r'PRELOAD-HINT:TYPE=PART,URI="\w+-(\d+)-(\d+)', text)[0]
    status, newer = await stand.text(stream_id, f"live.m3u8?_HLS_msn={number}&_HLS_part={part}")
    assert status == 200
    assert f"-{number}-{part}.m4s" in newer
    pusher.kill()
    await until(lambda: stand.market.heard("unpublished", stream_id))
    stand.engine.settings = Settings(block_seconds=0.3)
    following = stand.engine.streams[stream_id].packager.next_number + 1
    status, _ = await stand.text(stream_id, f"live.m3u8?_HLS_msn={following}")
    assert status == 503
    assert (await stand.text(stream_id, "live.m3u8?_HLS_msn=99999"))[0] == 400
    assert (await stand.text(stream_id, "live.m3u8?_HLS_msn=x"))[0] == 400


@pytest.mark.parametrize("wrong", ["key", "app", "stream"])
async def test_who_has_no_right_is_refused_before_any_media(stand: Stand, push: Pushers, wrong: str) -> None:
    stream_id, secret = stand.market.add()
    address = {
        "key": stand.address(stream_id, "wrong"),
        "app": stand.address(stream_id, secret, app="vod"),
        "stream": stand.address("not-an-id", secret),
    }[wrong]
    pusher = push(address)
    assert await asyncio.to_thread(pusher.wait, PATIENCE_SECONDS) != 0
    assert stream_id not in stand.engine.streams
    assert not stand.market.told


async def test_a_killed_pusher_comes_back_and_the_list_goes_on(stand: Stand, push: Pushers) -> None:
    stream_id, secret = stand.market.add()
    first = push(stand.address(stream_id, secret))
    before = await live(stand, stream_id)
    first.kill()
    await until(lambda: stand.market.heard("unpublished", stream_id))
    packager = stand.engine.streams[stream_id].packager
    number = packager.next_number
    push(stand.address(stream_id, secret))
    await until(lambda: packager.next_number > number)
    after = await live(stand, stream_id)
    assert "#EXT-X-DISCONTINUITY\n" in after
    assert after.count("#EXT-X-MAP") == 2
    assert re.search(r"MEDIA-SEQUENCE:(\d+)", after)[1] == re.search(r"MEDIA-SEQUENCE:(\d+)", before)[1]  # type: ignore[index]
    assert await decoded(stand, stream_id, after) >= 5
    stamps = [datetime.fromisoformat(one).timestamp() for one in PDT.findall(after)]
    assert stamps == sorted(stamps)


async def test_a_second_publisher_with_the_key_takes_over(stand: Stand, push: Pushers) -> None:
    stream_id, secret = stand.market.add()
    first = push(stand.address(stream_id, secret))
    await until(lambda: stand.market.heard("published", stream_id))
    push(stand.address(stream_id, secret))
    await until(lambda: len(stand.market.heard("published", stream_id)) == 2)
    assert await asyncio.to_thread(first.wait, PATIENCE_SECONDS) != 0
    gone = await until(lambda: stand.market.heard("unpublished", stream_id))
    assert [hook.session for hook in gone] == [stand.market.heard("published", stream_id)[0].session]
    assert "took over" in gone[0].reason
    assert len(stand.engine.online()) == 1


@pytest.mark.parametrize("codec", ["libx265", "flv1"])
async def test_other_codecs_are_refused_with_a_sentence(stand: Stand, push: Pushers, codec: str) -> None:
    stream_id, secret = stand.market.add()
    pusher = push(stand.address(stream_id, secret), codec=("-c:v", codec), sound=False)
    assert await asyncio.to_thread(pusher.wait, PATIENCE_SECONDS) != 0
    assert not stand.market.heard("published", stream_id)
    stream = stand.engine.streams.get(stream_id)
    assert stream is None or not stream.packager.segments


@pytest.mark.parametrize(
    "garbage",
    [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00", b"\x03" + b"\0" * 1536 + b"\xff" * 4000, b"\x06" * 10],
)
async def test_garbage_on_the_port_is_cut_off_at_once(stand: Stand, garbage: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.rtmp_port)
    writer.write(garbage)
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            while await reader.read(65536):
                pass
        except ConnectionError:
            pass
    writer.close()


async def test_while_the_market_is_away_only_a_key_it_accepted_before_gets_in(
    stand: Stand, push: Pushers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("livestall.video.embedded.hooks.ASK_DELAYS", (0.0, 0.05))
    known, secret = stand.market.add()
    unknown, other = stand.market.add()
    first = push(stand.address(known, secret))
    await until(lambda: stand.market.heard("published", known))
    stand.market.down = True
    first.kill()
    push(stand.address(known, secret))
    refused = push(stand.address(unknown, other))
    assert await asyncio.to_thread(refused.wait, PATIENCE_SECONDS) != 0
    await until(stand.engine.online)
    stand.market.down = False
    await until(lambda: len(stand.market.heard("published", known)) == 2)


async def test_interactive_mode_cuts_finer(stand: Stand, push: Pushers) -> None:
    stand.market.mode = "interactive"
    stream_id, secret = stand.market.add()
    push(stand.address(stream_id, secret))
    text = await live(stand, stream_id)
    assert "PART-TARGET=0.200" in text
    assert "PART-HOLD-BACK=0.600" in text


async def test_an_unpaced_push_is_slowed_down_not_swallowed(market: MarketStand, push: Pushers, stand: Stand) -> None:
    stream_id, secret = stand.market.add()
    push(stand.address(stream_id, secret), pace=False, size="640x360", seconds=300)
    await until(stand.engine.online)
    packager = stand.engine.streams[stream_id].packager
    start = time.monotonic()
    await until(lambda: len(packager.segments) == 8 or time.monotonic() - start > 2)
    assert sum(one.size for one in packager.segments) < 64 << 20
