"""What is not well with a publisher reaches its host, and what a recording lacks stays with it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
from tests.video.test_streams import opened, topics

from livestall import video
from livestall.base import clock
from livestall.base.db import Database
from livestall.video import actions
from livestall.video.model import Gap, Ingest, Recording, StreamWarning


async def ingest(db: Database, stream_id: UUID) -> Ingest:
    async with db.read() as read:
        return await video.ingest_of(read, stream_id, media="http://m", rtmp="rtmp://m/live")


async def test_the_host_reads_the_newest_warnings_and_never_older_ones(db: Database) -> None:
    stream_id = await opened(db)
    assert (await ingest(db, stream_id)).warnings == []
    now, rare = clock.now(), StreamWarning("rare-keyframes", 30.0)
    async with db.write() as tx:
        await actions.warned(tx, stream_id, [rare, StreamWarning("no-picture", 6)], now)
    async with db.write() as tx:
        await actions.warned(tx, stream_id, [rare], now + timedelta(seconds=1))
    async with db.write() as tx:
        await actions.warned(tx, stream_id, [], now)
        await actions.warned(tx, stream_id, [], now + timedelta(seconds=1))
    assert (await ingest(db, stream_id)).warnings == [rare]
    assert await topics(db) == ["video.stream-warned"] * 2


async def test_what_a_recording_lacks_is_told_with_the_replay(db: Database) -> None:
    stream_id = await opened(db)
    start = clock.now()
    gap = Gap(start + timedelta(seconds=3), start + timedelta(seconds=7.5), "disk-full")
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])
        await actions.recorded(tx, stream_id, Recording(start, 60_000, [gap]))
    async with db.read() as read:
        stored = await video.stream(read, stream_id)
        playback = await video.playback_of(read, stream_id, media="http://m")
    assert stored.recording_gaps == [gap]
    assert playback.gap_seconds == 4.5
    assert b'"gap_seconds":4.5' in msgspec.json.encode(playback)


def test_the_operator_reads_how_the_recordings_do() -> None:
    assert video.DiskHealth(free_bytes=90_000_000_000).sentence() == ""
    assert "almost full: 4,000 MB free" in video.DiskHealth("low", 4_000_000_000).sentence()
    paused = video.DiskHealth("full", 12_000_000, 2, 61.0, "disk-full").sentence()
    assert paused.startswith("2 running shows are not recorded (disk-full, 12 MB free); 61 s are missing")
