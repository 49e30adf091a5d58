"""Recordings: replay after the end, after kill -9, on a full disk; a restarted process continues the numbers."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from uuid import UUID

import av
import httpx
import msgspec
import pytest
from tests.video.conftest import MarketStand, Pushers, Stand, serve

from helpers.patience import PATIENCE_SECONDS, until
from helpers.ports import free_ports, listens
from helpers.processes import end, end_group
from livestall.app.guard import PARENT
from livestall.base import keys
from livestall.video.backends.embedded import SIGNATURE
from livestall.video.embedded import recorder
from livestall.video.model import Recording

SECRET = "ab" * 32


@pytest.fixture
def shared_secret() -> Iterator[None]:
    """Media runs in a process of its own: both must sign with the same secret."""
    before = dict(keys._state)
    keys.use(SECRET)
    yield
    keys._state.update(before)


class Media:
    """`livestall media` as a process, which runs while the block lasts; nothing of it is left behind."""

    def __init__(self, folder: Path, market: MarketStand) -> None:
        self.http, self.rtmp = free_ports(2)
        self.environment = {
            **os.environ, "LIVESTALL_DATA": str(folder), "LIVESTALL_SECRET": SECRET, "LIVESTALL_WEB__HOST": "127.0.0.1",
            "LIVESTALL_MEDIA__PORT": str(self.http), "LIVESTALL_MEDIA__RTMP_PORT": str(self.rtmp),
            "LIVESTALL_MEDIA__HOOK_URL": market.url, "LIVESTALL_WATCH__PORT": "0", PARENT: str(os.getpid()),
        }  # fmt: skip

    def __enter__(self) -> Media:
        self.start()
        return self

    def __exit__(self, *error: object) -> None:
        end_group(self.process)

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livestall.app.media"], env=self.environment, start_new_session=True
        )

    def kill(self) -> None:
        """kill -9, without a word."""
        end_group(self.process)

    def stream(self, stream_id: UUID) -> str:
        return f"http://127.0.0.1:{self.http}/media/{stream_id}"

    async def control(self, client: httpx.AsyncClient, verb: str, what: object) -> httpx.Response:
        body = msgspec.json.encode(what)
        stamp = keys.stamp("control", verb.encode() + b"." + body)
        return await client.post(
            f"http://127.0.0.1:{self.http}/control/{verb}", content=body, headers={SIGNATURE: stamp}
        )


def pictures(data: bytes) -> int:
    with av.open(io.BytesIO(data)) as container:
        return sum(1 for _ in container.decode(video=0))


async def replayed(client: httpx.AsyncClient, base: str) -> tuple[float, int]:
    """Seconds that the replay's playlist says, and how many pictures its byte ranges decode to."""
    playlist = (await client.get(f"{base}/replay.m3u8")).raise_for_status().text
    assert playlist.endswith("#EXT-X-ENDLIST\n")
    seconds = sum(map(float, re.findall(r"#EXTINF:([\d.]+)", playlist)))
    count, media = 0, b""
    for kind, size, at in re.findall(r'(MAP:URI="recording.mp4",BYTERANGE="|BYTERANGE:)(\d+)@(\d+)', playlist):
        part = await client.get(f"{base}/recording.mp4", headers={"Range": f"bytes={at}-{int(at) + int(size) - 1}"})
        assert part.status_code == 206
        assert len(part.content) == int(size)
        if kind.startswith("MAP"):
            count += pictures(media) if media else 0
            media = b""
        media += part.content
    return seconds, count + pictures(media)


async def test_the_replay_is_there_when_the_stream_is_finished(stand: Stand, push: Pushers) -> None:
    stream_id, secret = stand.market.add()
    push(stand.address(stream_id, secret))
    await until(lambda: (s := stand.engine.streams.get(stream_id)) and s.packager.next_number >= 2)
    base = f"{stand.base}/media/{stream_id}"
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        assert (await client.get(f"{base}/replay.m3u8")).status_code == 404, "still live"
        recording = await stand.engine.finish(stream_id)
        assert recording == await stand.engine.finish(stream_id)
        assert recording is not None
        assert (await stand.text(stream_id))[1].endswith("#EXT-X-ENDLIST\n")
        seconds, count = await replayed(client, base)
    assert seconds == pytest.approx(recording.duration_ms / 1000, abs=0.01)
    assert count == pytest.approx(seconds * 20, abs=2)
    await until(lambda: stand.market.heard("unpublished", stream_id))
    pusher = push(stand.address(stream_id, secret))
    assert await asyncio.to_thread(pusher.wait, PATIENCE_SECONDS) != 0, "a finished stream lets nobody in"


async def test_kill_minus_nine_loses_no_written_part_and_the_numbers_go_on(
    market: MarketStand, tmp_path: Path, push: Pushers, shared_secret: None
) -> None:
    stream_id, secret = market.add()
    with Media(tmp_path, market) as media:
        base = media.stream(stream_id)
        async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
            await until(lambda: listens(media.rtmp) and listens(media.http))
            push(f"rtmp://127.0.0.1:{media.rtmp}/live/{stream_id}?k={secret}")
            playlist = ""
            while playlist.count("#EXTINF") < 2:
                playlist = (await client.get(f"{base}/live.m3u8")).text
            folder = tmp_path / "media" / str(stream_id)
            await until(lambda: written(folder) >= told(playlist) - 0.01, what="on the disk what viewers were told")
            media.kill()
            media.start()
            await until(lambda: listens(media.rtmp) and listens(media.http))
            before, count = await replayed(client, base)
            assert before >= told(playlist) - 0.01
            assert count == pytest.approx(before * 20, abs=2)
            push(f"rtmp://127.0.0.1:{media.rtmp}/live/{stream_id}?k={secret}")
            while (answer := await client.get(f"{base}/live.m3u8")).status_code == 404:
                pass
            after = answer.text
            assert first_number(after) > first_number(playlist)
            assert "#EXT-X-DISCONTINUITY\n" in after
            assert not names(after) & names(playlist)
            done = await media.control(client, "finish", {"stream": stream_id})
            recording = msgspec.json.decode(done.content, type=Recording)
            seconds, _ = await replayed(client, base)
            assert seconds == pytest.approx(recording.duration_ms / 1000, abs=0.01)
            assert seconds > before
        end(media.process)
        assert media.process.returncode == 0


def told(playlist: str) -> float:
    """Seconds of the segments that a live playlist lists, and of the parts behind the last of them."""
    segments, parts = r"#EXTINF:([\d.]+)", r"#EXT-X-PART:DURATION=([\d.]+)"
    behind = playlist[playlist.rindex("#EXTINF") :]
    return sum(map(float, re.findall(segments, playlist) + re.findall(parts, behind)))


def names(playlist: str) -> set[str]:
    return set(re.findall(r"^\S+\.m4s$", playlist, re.MULTILINE))


def first_number(playlist: str) -> int:
    return int(re.findall(r"MEDIA-SEQUENCE:(\d+)", playlist)[0])


def written(folder: Path) -> float:
    """Seconds of the recording that lie on the disk by now."""
    found = recorder.load(folder)
    recording = found.recording() if found is not None else None
    return recording.duration_ms / 1000 if recording is not None else 0.0


async def test_a_full_disk_interrupts_the_recording_not_the_show(
    stand: Stand, push: Pushers, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = True
    write = os.write

    def refuse(file: int, data: bytes) -> int:
        if full and len(data) > 1000:
            write(file, data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    monkeypatch.setattr(recorder.os, "write", refuse)
    stream_id, secret = stand.market.add()
    push(stand.address(stream_id, secret))
    await until(lambda: (s := stand.engine.streams.get(stream_id)) and s.packager.next_number >= 1)
    assert (await stand.text(stream_id))[0] == 200
    full = False
    packager = stand.engine.streams[stream_id].packager
    await until(lambda: packager.next_number >= 3)
    recording = await stand.engine.finish(stream_id)
    assert recording is not None
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        seconds, count = await replayed(client, f"{stand.base}/media/{stream_id}")
    assert seconds == pytest.approx(recording.duration_ms / 1000, abs=0.01)
    assert count == pytest.approx(seconds * 20, abs=2)


async def test_control_calls_must_be_signed(stand: Stand) -> None:
    for verb in ("online", "kick", "finish"):
        async with stand.client.post(f"{stand.base}/control/{verb}", data=b"{}") as answer:
            assert answer.status == 403


async def test_nothing_is_recorded_when_recording_is_off(market: MarketStand, tmp_path: Path, push: Pushers) -> None:
    async with off(market, tmp_path) as stand:
        stream_id, secret = market.add()
        push(stand.address(stream_id, secret))
        await until(stand.engine.online)
        assert await stand.engine.finish(stream_id) is None


def off(market: MarketStand, folder: Path) -> AbstractAsyncContextManager[Stand]:
    return serve(market, folder, record=False)
