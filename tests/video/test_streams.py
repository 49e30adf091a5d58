"""Streams, keys and hooks: who may publish, and what the market hears of it."""

from __future__ import annotations

from uuid import UUID

import msgspec
import pytest

from livestall import video
from livestall.base import clock, ids, keys
from livestall.base.db import Database
from livestall.base.errors import SameIdOtherContents
from livestall.base.outbox import head
from livestall.video import actions, store
from livestall.video.backends.embedded import SIGNATURE, Embedded
from livestall.video.model import (
    BadHook,
    Grant,
    Hook,
    Publishing,
    Recording,
    Stopping,
    StreamClosed,
    WrongStreamKey,
    opens_preview,
    preview_token,
)


async def opened(db: Database) -> UUID:
    stream_id = ids.new()
    async with db.write() as tx:
        await video.open_streams(tx, [video.NewStream(stream_id, ids.new())])
    return stream_id


async def key_of(db: Database, stream_id: UUID) -> str:
    async with db.read() as read:
        ingest = await video.ingest_of(read, stream_id, media="http://m", rtmp="rtmp://m/live")
    name, _, secret = ingest.rtmp_key.partition("?k=")
    assert name == str(stream_id)
    assert ingest.whip_token == secret
    return secret


async def publish(db: Database, stream_id: UUID, session: UUID) -> None:
    async with db.write() as tx:
        await actions.published(tx, [Publishing(stream_id, session, "rtmp", clock.now())])


async def stop(db: Database, stream_id: UUID, session: UUID) -> None:
    async with db.write() as tx:
        await actions.unpublished(tx, [Stopping(stream_id, session, "rtmp", clock.now(), "the test ended it")])


async def topics(db: Database) -> list[str]:
    async with db.read() as read:
        return [row["topic"] for row in await read.fetch("select topic from outbox order by id")]


async def test_the_key_of_the_studio_opens_and_no_other(db: Database) -> None:
    stream_id = await opened(db)
    secret = await key_of(db, stream_id)
    async with db.read() as read:
        assert await actions.authorise(read, stream_id, secret) == Grant(stream_id, "default")
        for wrong in ("", secret[:-1], secret + "a", "x" * 10_000):
            with pytest.raises(WrongStreamKey):
                await actions.authorise(read, stream_id, wrong)
        with pytest.raises(WrongStreamKey):
            await actions.authorise(read, ids.new(), secret)


async def test_a_rotated_key_is_dead_and_its_publisher_marked(db: Database) -> None:
    stream_id, session = await opened(db), ids.new()
    old = await key_of(db, stream_id)
    await publish(db, stream_id, session)
    async with db.write() as tx:
        await video.rotate_key(tx, stream_id)
        assert await store.to_kick(tx, 10) == [store.Unwanted(stream_id, session, None, None)]
        with pytest.raises(WrongStreamKey):
            await actions.authorise(tx, stream_id, old)
    new = await key_of(db, stream_id)
    async with db.read() as read:
        assert await actions.authorise(read, stream_id, new)


async def test_a_closed_stream_lets_nobody_in(db: Database) -> None:
    stream_id = await opened(db)
    secret = await key_of(db, stream_id)
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])
    async with db.read() as read:
        with pytest.raises(StreamClosed):
            await actions.authorise(read, stream_id, secret)
        assert [one.stream_id for one in await store.unfinished(read, 10, clock.now())] == [stream_id]


async def test_a_takeover_starts_again_and_the_late_stop_of_the_old_one_changes_nothing(db: Database) -> None:
    stream_id, first, second = await opened(db), ids.new(), ids.new()
    await publish(db, stream_id, first)
    await publish(db, stream_id, second)
    await stop(db, stream_id, first)
    async with db.read() as read:
        assert (await video.stream(read, stream_id)).session_id == second
    await stop(db, stream_id, second)
    await stop(db, stream_id, second)
    assert await topics(db) == ["video.stream-started", "video.stream-started", "video.stream-stopped"]


async def test_a_stop_told_before_its_start_leaves_the_stream_offline(db: Database) -> None:
    stream_id, session = await opened(db), ids.new()
    await stop(db, stream_id, session)
    await publish(db, stream_id, session)
    async with db.read() as read:
        assert not (await video.stream(read, stream_id)).online
        assert await head(read) == 0


async def test_a_recording_is_told_once(db: Database) -> None:
    stream_id = await opened(db)
    recording = Recording(clock.now(), 61_000)
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])
        await actions.recorded(tx, stream_id, recording)
        await actions.recorded(tx, stream_id, recording)
        playback = await video.playback_of(tx, stream_id, media="http://m", preview=True)
    assert playback.kind == "replay"
    assert playback.hls_url == f"http://m/media/{stream_id}/replay.m3u8"
    assert await topics(db) == ["video.stream-recorded"]


async def test_the_same_id_for_another_subject_is_refused(db: Database) -> None:
    one = video.NewStream(ids.new(), ids.new())
    async with db.write() as tx:
        assert await video.open_streams(tx, [one]) == await video.open_streams(tx, [one])
        with pytest.raises(SameIdOtherContents):
            await video.open_streams(tx, [video.NewStream(one.id, ids.new())])


def test_a_hook_must_be_signed_and_fresh() -> None:
    hook = Hook(kind="published", stream=ids.new(), at=clock.now(), session=ids.new())
    body = msgspec.json.encode(hook)
    server = Embedded()
    assert server.parse_hook({SIGNATURE: keys.stamp("hook", body)}, body) == hook
    stale = f"t=1000000000,v1={keys.sign('hook', b'1000000000.' + body)}"
    for bad in ("", "t=1", "t=١,v1=0", "t=9" * 60, stale, keys.stamp("control", body), keys.stamp("hook", body + b" ")):
        with pytest.raises(BadHook):
            server.parse_hook({SIGNATURE: bad}, body)


def test_a_preview_token_opens_one_stream_for_a_while() -> None:
    mine, other = ids.new(), ids.new()
    token = preview_token(mine, seconds=60)
    assert opens_preview(mine, token)
    assert not opens_preview(other, token)
    assert not opens_preview(mine, "9" + token)
    with clock.travel(61):
        assert not opens_preview(mine, token)
