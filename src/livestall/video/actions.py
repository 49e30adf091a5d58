"""The verbs of video. All are safe to repeat with the same ids."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from livestall.base import clock, keys
from livestall.base.db import Read, Tx
from livestall.base.errors import NotFound, SameIdOtherContents
from livestall.base.outbox import emit
from livestall.video import store
from livestall.video.backends import server
from livestall.video.model import (
    Grant,
    Ingest,
    Mode,
    NewStream,
    Playback,
    Publishing,
    Recording,
    Stopping,
    Stream,
    StreamClosed,
    StreamRecorded,
    StreamStarted,
    StreamStopped,
    WrongStreamKey,
    secret_of,
)  # fmt: skip

SECRET_LENGTH_MAX = 200


async def open_streams(tx: Tx, new: Sequence[NewStream]) -> list[Stream]:
    """Open streams; the answer is in the order of `new`. Raises SameIdOtherContents."""
    await store.insert(tx, new)
    found = await store.streams(tx, [one.id for one in new])
    for one in new:
        if found[one.id].subject != one.subject:
            raise SameIdOtherContents
    return [found[one.id] for one in new]


async def stream(read: Read, stream_id: UUID) -> Stream:
    """Raises NotFound."""
    found = (await store.streams(read, [stream_id])).get(stream_id)
    if found is None:
        raise NotFound
    return found


async def set_mode(tx: Tx, stream_id: UUID, mode: Mode) -> None:
    """Takes effect with the next publisher."""
    await store.set_mode(tx, stream_id, mode)


async def authorise(read: Read, stream_id: UUID, secret: str) -> Grant:
    """Leave to publish. Raises WrongStreamKey (also for a stream that does not exist), StreamClosed."""
    found = (await store.streams(read, [stream_id])).get(stream_id)
    if found is None or not keys.same(secret[:SECRET_LENGTH_MAX], secret_of(stream_id, found.key_version)):
        raise WrongStreamKey
    if found.closed_at is not None:
        raise StreamClosed
    return Grant(stream_id, found.mode)


async def published(tx: Tx, publishings: Sequence[Publishing]) -> None:
    """A publisher was accepted. Of two, the one told last is the current one."""
    known = await store.locked(tx, [one.stream_id for one in publishings])
    events: list[StreamStarted] = []
    for one in publishings:
        if one.stream_id not in known or not await store.insert_session(tx, one):
            continue
        await store.stop_sessions_before(tx, one)
        if await store.set_online(tx, one):
            subject = known[one.stream_id].subject
            events.append(StreamStarted(subject=subject, stream_id=one.stream_id, protocol=one.protocol, at=one.at))
    await emit(tx, events)


async def unpublished(tx: Tx, stoppings: Sequence[Stopping]) -> None:
    """A publisher is gone; changes the stream only if it was the current one."""
    known = await store.locked(tx, [one.stream_id for one in stoppings])
    events: list[StreamStopped] = []
    for one in stoppings:
        if one.stream_id not in known:
            continue
        await store.stop_session(tx, one)
        if await store.set_offline(tx, one.stream_id, one.session_id):
            subject = known[one.stream_id].subject
            events.append(StreamStopped(subject=subject, stream_id=one.stream_id, at=one.at, reason=one.reason))
    await emit(tx, events)


async def close_streams(tx: Tx, stream_ids: Sequence[UUID]) -> None:
    """No publisher may come any more. The recording is settled within seconds by `jobs.settle`; StreamRecorded says so.

    The publisher that is still there is told off by then; the stream counts as online until it is gone.
    """
    await store.close(tx, stream_ids, clock.now())


async def recorded(tx: Tx, stream_id: UUID, recording: Recording | None) -> None:
    """The stream has ended for good, with this recording (None: there is nothing to watch)."""
    known = await store.locked(tx, [stream_id])
    if stream_id in known and await store.set_finished(tx, stream_id, recording, clock.now()) and recording is not None:
        event = StreamRecorded(
            subject=known[stream_id].subject,
            stream_id=stream_id,
            duration_ms=recording.duration_ms,
            started_at=recording.started_at,
        )
        await emit(tx, [event])


async def rotate_key(tx: Tx, stream_id: UUID) -> Stream:
    """A new secret; whoever publishes with the old one is thrown out within seconds. Raises StreamClosed, NotFound."""
    found = await store.count_key_up(tx, stream_id)
    if found is None:
        await stream(tx, stream_id)
        raise StreamClosed
    return found


async def ingest_of(read: Read, stream_id: UUID, *, media: str, rtmp: str) -> Ingest:
    """Where to send the picture. `media` like "http://host:8002", `rtmp` like "rtmp://host:1935/live". Raises NotFound.
    Whoever gets this may publish: check the person first."""
    return server().ingest(await stream(read, stream_id), media, rtmp)


async def playback_of(read: Read, stream_id: UUID, *, media: str, preview: bool = False) -> Playback:
    """Where to watch: live, or the replay once it was recorded. `preview` adds the host's WHEP address.
    Raises NotFound."""
    return server().playback(await stream(read, stream_id), media, preview=preview)
