"""The verbs of video. All are safe to repeat with the same ids."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from livestall.base import clock, keys
from livestall.base.db import Read, Tx
from livestall.base.errors import NotFound, SameIdOtherContents
from livestall.base.outbox import emit
from livestall.video import store
from livestall.video.backends import HOME, Places, Server, adapter
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
    StreamWarned,
    StreamWarning,
    WrongStreamKey,
    gap_seconds,
    secret_of,
)  # fmt: skip

SECRET_LENGTH_MAX = 200
ALIVE = timedelta(seconds=15)
"""A media server that has not been seen for so long is taken for dead."""
MISSED = timedelta(minutes=10)
"""One that has been silent for so long is no longer missed."""
SAME_START = timedelta(seconds=5)
MOVES_MAX = 200


async def open_streams(tx: Tx, new: Sequence[NewStream]) -> list[Stream]:
    """Open streams on the media server that carries the fewest; the answer is in the order of `new`.
    Raises SameIdOtherContents."""
    await store.insert(tx, new, await store.emptiest(tx, clock.now() - ALIVE))
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


async def published(tx: Tx, publishings: Sequence[Publishing], *, seen: bool = False) -> None:
    """A publisher was accepted. Of two, the one told last is the current one, wherever it is. `seen`: the media server
    lists it now, so a session that was taken for lost some time ago is opened again."""
    await store.locked(tx, [one.stream_id for one in publishings])
    events: list[StreamStarted] = []
    for one in publishings:
        known = (await store.streams(tx, [one.stream_id])).get(one.stream_id)
        if known is None or same_publisher(known, one.server_id, one.client_id, one.at):
            continue
        if not await store.insert_session(tx, one, clock.now() - SAME_START if seen else None):
            continue
        await store.stop_sessions_before(tx, one)
        if await store.set_online(tx, one):
            event = StreamStarted(subject=known.subject, stream_id=one.stream_id, protocol=one.protocol, at=one.at)
            events.append(event)
    await emit(tx, events)


def same_publisher(known: Stream, server_id: str | None, client_id: str | None, since: datetime) -> bool:
    """Whether the stream's publisher is the one that `server_id` calls `client_id`. A number is a counter, which begins
    anew when its server does: then the beginning must fit too."""
    if client_id is None or (known.server_id, known.client_id) != (server_id, client_id) or not known.online_since:
        return False
    return not client_id.isdigit() or abs(known.online_since - since) < SAME_START


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


async def warned(tx: Tx, stream_id: UUID, warnings: Sequence[StreamWarning], at: datetime) -> None:
    """The media server says what is not well with a publisher: the whole list, which takes the place of the one
    before. An older one changes nothing."""
    known = await store.locked(tx, [stream_id])
    if stream_id in known and await store.set_warnings(tx, stream_id, warnings, at):
        subject = known[stream_id].subject
        await emit(tx, [StreamWarned(subject=subject, stream_id=stream_id, at=at, warnings=list(warnings))])


async def left(tx: Tx, stream_id: UUID, server_id: str, client_id: str, reason: str) -> None:
    """`server_id` says that its publisher `client_id` is gone. Says nothing new about one who is not the current."""
    known = (await store.locked(tx, [stream_id])).get(stream_id)
    if known is None or known.session_id is None or (known.server_id, known.client_id) != (server_id, client_id):
        return
    stop = Stopping(stream_id, known.session_id, known.protocol or "rtmp", clock.now(), reason, server_id)
    await unpublished(tx, [stop])


async def rescue(tx: Tx, server_ids: Sequence[str]) -> int:
    """Media servers are gone: open streams on them move to others that are there, if any. Returns how many moved.
    Their publishers must come anew; the studio shows the new addresses."""
    now = clock.now()
    moved = 0
    for stream_id in await store.stranded(tx, server_ids, MOVES_MAX):
        target = await store.emptiest(tx, now - ALIVE)
        if target is None or target in server_ids:
            break
        await store.move(tx, stream_id, target, now)
        moved += 1
    return moved


async def close_streams(tx: Tx, stream_ids: Sequence[UUID]) -> None:
    """No publisher may come any more. The recording is settled within seconds by `jobs.settle`; StreamRecorded says so.

    The publisher that is still there is told off by then; the stream counts as online until it is gone.
    """
    await store.close(tx, stream_ids, clock.now())


async def saw_server(tx: Tx, server: Server) -> None:
    """A media server says that it is there, and where."""
    await store.saw_server(tx, server, clock.now())


async def database_time(read: Read) -> datetime:
    """The clock that all hosts compare theirs with."""
    return await store.database_time(read)


async def server_clocks(read: Read, age_max: timedelta) -> dict[str, clock.Reading]:
    """By the name of each media process of ours heard of within `age_max`: how far its host's clock is ahead of the
    database's."""
    return await store.server_clocks(read, age_max)


async def media_addresses(read: Read) -> list[str]:
    """Where browsers fetch pictures from, and send them to: the addresses of all media servers seen in the last day, as
    these say them themselves (":8003" is that port of the name under which a person reaches the market)."""
    return await store.media_addresses(read, clock.now() - timedelta(days=1))


async def recorded(tx: Tx, stream_id: UUID, recording: Recording | None) -> None:
    """The stream has ended for good, with this recording (None: there is nothing to watch)."""
    known = await store.locked(tx, [stream_id])
    if stream_id in known and await store.set_finished(tx, stream_id, recording, clock.now()) and recording is not None:
        event = StreamRecorded(
            subject=known[stream_id].subject,
            stream_id=stream_id,
            duration_ms=recording.duration_ms,
            started_at=recording.started_at,
            gap_ms=round(gap_seconds(recording.gaps) * 1000),
        )
        await emit(tx, [event])


async def rotate_key(tx: Tx, stream_id: UUID) -> Stream:
    """A new secret; whoever publishes with the old one is thrown out within seconds. Raises StreamClosed, NotFound."""
    found = await store.count_key_up(tx, stream_id)
    if found is None:
        await stream(tx, stream_id)
        raise StreamClosed
    return found


async def _server_of(read: Read, stream: Stream) -> Server:
    """Who carries the stream, or serves its replay: another process with the same folder does that as well."""
    if stream.server_id is None:
        return HOME
    beside = await store.servers_beside(read, [stream.server_id])
    own = next((one for one in beside if one.id == stream.server_id), None)
    if stream.recording_ms is None:
        return own or HOME
    if own is None or own.kind != "embedded":
        return HOME
    alive = clock.now() - ALIVE
    return own if own.seen_at >= alive else next((one for one in beside if one.seen_at >= alive), own)


async def ingest_of(read: Read, stream_id: UUID, *, media: str, rtmp: str) -> Ingest:
    """Where to send the picture. `media` like "http://host:8002", `rtmp` like "rtmp://host:1935/live": for the server
    that has no public addresses of its own. Raises NotFound. Whoever gets this may publish: check the person first."""
    found = await stream(read, stream_id)
    return adapter(await _server_of(read, found)).ingest(found, Places(media, rtmp))


async def playback_of(read: Read, stream_id: UUID, *, media: str, preview: bool = False) -> Playback:
    """Where to watch: live, or the replay once it was recorded. `preview` adds the host's WHEP address.
    Raises NotFound."""
    found = await stream(read, stream_id)
    return adapter(await _server_of(read, found)).playback(found, Places(media), preview=preview)


async def own_servers(read: Read) -> list[tuple[str, bool]]:
    """The media processes of ours, on whatever machine: where each is reached from within (empty: on the machine of the
    web process), and whether it has been heard of a moment ago. Those silent for long are no more."""
    now = clock.now()
    found = await store.own_servers(read, now - MISSED)
    return [(one.control_url, one.seen_at >= now - ALIVE) for one in found]


async def poster_of(read: Read, stream_id: UUID, *, media: str) -> str | None:
    """The newest picture of the stream; None where its media server makes none. Raises NotFound."""
    found = await stream(read, stream_id)
    return adapter(await _server_of(read, found)).poster(found, Places(media))
