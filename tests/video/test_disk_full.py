"""A real small disk for the recordings fills up, turns read-only and comes back, in the middle of a show."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from tests.video.conftest import MarketStand, Pushers, Stand, serve
from tests.video.test_recording import replayed

from helpers.patience import PATIENCE_SECONDS, until
from livestall.video.embedded import recorder
from livestall.video.model import StreamWarning


def mount(*arguments: str) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    return subprocess.run(["mount", *arguments], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Eight megabytes."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)):
        pytest.skip("only root may mount a small disk")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
async def small(market: MarketStand, small_disk: Path, megabytes: tuple[int, int]) -> AsyncIterator[Stand]:
    """A media server on the small disk; `megabytes` are those below which it warns, and that it leaves free."""
    warn, reserve = megabytes
    async with serve(market, small_disk / "media", disk_warn_mb=warn, disk_reserve_mb=reserve) as one:
        yield one


async def health_of(stand: Stand) -> dict[str, object]:
    async with stand.client.get(f"{stand.base}/healthz") as answer:
        return await answer.json()


def heard(stand: Stand) -> list[StreamWarning]:
    return [one for hook in stand.market.told for one in hook.warnings]


@pytest.mark.parametrize("megabytes", [(0, 0)])
async def test_a_disk_that_fills_up_costs_the_recording_a_gap_and_the_show_nothing(
    small: Stand, small_disk: Path, push: Pushers
) -> None:
    stream_id, secret = small.market.add()
    push(small.address(stream_id, secret))
    await until(lambda: (one := small.engine.streams.get(stream_id)) and one.packager.next_number >= 2)
    packager = small.engine.streams[stream_id].packager
    assert packager.recorder is not None
    ballast = small_disk / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    await until(lambda: packager.recorder and packager.recorder.paused == "disk-full")
    number = packager.next_number
    await until(lambda: packager.next_number >= number + 2)
    status, text = await small.text(stream_id)
    assert status == 200, "the show goes on"
    assert len(await small.bytes(stream_id, re.findall(r"^\S+\.m4s$", text, re.MULTILINE)[-1])) > 1000
    await until(lambda: StreamWarning("recording-paused", 0.0, "disk-full") in heard(small))
    health = await health_of(small)
    assert (health["paused"], health["reason"]) == (1, "disk-full")
    assert isinstance(health["missing_seconds"], float)
    assert health["missing_seconds"] >= 3
    ballast.unlink()
    await until(lambda: packager.recorder and packager.recorder.paused is None)
    number = packager.next_number
    await until(lambda: packager.next_number >= number + 1)
    recording = await small.engine.finish(stream_id)
    await told_of_the_gap(small, stream_id, recording)


async def told_of_the_gap(stand: Stand, stream_id: object, recording: object) -> None:
    """The gap is in the record and in the replay, and what is there can be watched."""
    assert recording is not None
    (gap,) = recording.gaps  # type: ignore[attr-defined]
    assert gap.reason == "disk-full"
    missing = (gap.ended_at - gap.started_at).total_seconds()
    assert missing >= 3.9
    assert datetime.now(UTC) > gap.ended_at > gap.started_at > recording.started_at  # type: ignore[attr-defined]
    base = f"{stand.base}/media/{stream_id}"
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        text = (await client.get(f"{base}/replay.m3u8")).text
        seconds, count = await replayed(client, base)
    assert f"DURATION={missing:.3f}" in text
    assert text.index("#EXT-X-DATERANGE") < text.index("#EXT-X-DISCONTINUITY\n")
    assert text.count("#EXT-X-DISCONTINUITY\n") == 1
    assert count == pytest.approx(seconds * 20, abs=3)


@pytest.mark.parametrize("megabytes", [(6, 3)])
async def test_the_reserve_is_left_to_others_and_little_space_is_told_before(
    small: Stand, small_disk: Path, push: Pushers
) -> None:
    await until(lambda: small.engine.disk.free is not None)
    assert (await health_of(small))["disk"] == "good"
    (small_disk / "ballast").write_bytes(b"\0" * 3_000_000)
    await until(lambda: small.engine.disk.state == "low")
    assert (await health_of(small))["disk"] == "low"
    (small_disk / "more").write_bytes(b"\0" * 3_000_000)
    await until(lambda: small.engine.disk.state == "full")
    stream_id, secret = small.market.add()
    push(small.address(stream_id, secret))
    await until(lambda: (one := small.engine.streams.get(stream_id)) and one.packager.next_number >= 1)
    packager = small.engine.streams[stream_id].packager
    await until(lambda: packager.recorder and packager.recorder.paused == "disk-full")
    assert not (small_disk / "media" / str(stream_id) / recorder.MEDIA_FILE).exists()
    (small_disk / "more").unlink()
    await until(lambda: packager.recorder and packager.recorder.paused is None)
    recording = await small.engine.finish(stream_id)
    assert recording is not None
    assert [one.reason for one in recording.gaps] == ["disk-full"]


@pytest.mark.parametrize("megabytes", [(0, 0)])
async def test_a_folder_nobody_may_write_to_carries_shows_all_the_same(
    small: Stand, small_disk: Path, push: Pushers
) -> None:
    assert mount("-o", "remount,ro", str(small_disk))
    stream_id, secret = small.market.add()
    push(small.address(stream_id, secret))
    await until(lambda: small.market.heard("published", stream_id))
    packager = small.engine.streams[stream_id].packager
    await until(lambda: packager.recorder and packager.recorder.paused == "read-only")
    assert (await small.text(stream_id))[0] == 200
    assert mount("-o", "remount,rw", str(small_disk))
    await until(lambda: packager.recorder and packager.recorder.paused is None)
    recording = await small.engine.finish(stream_id)
    assert recording is not None
    assert [one.reason for one in recording.gaps] == ["read-only"]


async def test_an_error_of_the_disk_and_short_writes_spoil_no_byte_of_the_rest(
    stand: Stand, push: Pushers, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, write = False, os.write

    def flaky(file: int, data: memoryview) -> int:
        if broken:
            raise OSError(errno.EIO, "Input/output error")
        return write(file, data[: max(1, len(data) // 2)])

    monkeypatch.setattr(recorder.os, "write", flaky)
    stream_id, secret = stand.market.add()
    push(stand.address(stream_id, secret))
    await until(lambda: (one := stand.engine.streams.get(stream_id)) and one.packager.next_number >= 2)
    packager = stand.engine.streams[stream_id].packager
    broken = True
    await until(lambda: packager.recorder and packager.recorder.paused == "disk-error")
    broken = False
    await until(lambda: packager.recorder and packager.recorder.paused is None)
    recording = await stand.engine.finish(stream_id)
    assert recording is not None
    assert [one.reason for one in recording.gaps] == ["disk-error"]
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        seconds, count = await replayed(client, f"{stand.base}/media/{stream_id}")
    assert count == pytest.approx(seconds * 20, abs=3)


async def test_a_gap_that_never_closed_is_in_the_record_too(stand: Stand, push: Pushers) -> None:
    stream_id, secret = stand.market.add()
    push(stand.address(stream_id, secret))
    await until(lambda: (one := stand.engine.streams.get(stream_id)) and one.packager.next_number >= 2)
    stand.engine.disk.state = "full"
    stand.engine.disk.look = lambda: None  # type: ignore[method-assign]
    packager = stand.engine.streams[stream_id].packager
    await until(lambda: packager.recorder and packager.recorder.paused)

    async def ended() -> bool:
        recording = await stand.engine.finish(stream_id)
        return recording is not None and [one.reason for one in recording.gaps] == ["disk-full"]

    await until(ended)
    assert await ended(), "also from the disk alone"
