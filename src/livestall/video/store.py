"""SQL of video."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from livestall.base.db import Read, Tx
from livestall.video.model import NewStream, Publishing, Recording, Stopping, Stream

COLUMNS = """id, subject, mode, key_version, opened_at, closed_at, session_id, protocol, online_since, finished_at,
             recording_started_at, recording_ms"""


def _stream(row: Any) -> Stream:
    return msgspec.convert(dict(row), Stream)


async def streams(read: Read, stream_ids: Sequence[UUID]) -> dict[UUID, Stream]:
    rows = await read.fetch(f"select {COLUMNS} from stream where id = any($1)", list(stream_ids))
    return {row["id"]: _stream(row) for row in rows}


async def locked(tx: Tx, stream_ids: Sequence[UUID]) -> dict[UUID, Stream]:
    """The same, locked in the order of their ids until `tx` ends."""
    rows = await tx.fetch(
        f"select {COLUMNS} from stream where id = any($1) order by id for no key update", list(stream_ids)
    )
    return {row["id"]: _stream(row) for row in rows}


async def insert(tx: Tx, new: Sequence[NewStream]) -> None:
    await tx.execute(
        """insert into stream (id, subject, mode) select * from unnest($1::uuid[], $2::uuid[], $3::text[])
           on conflict (id) do nothing""",
        [one.id for one in new], [one.subject for one in new], [one.mode for one in new],
    )  # fmt: skip


async def set_mode(tx: Tx, stream_id: UUID, mode: str) -> None:
    await tx.execute("update stream set mode = $2 where id = $1 and closed_at is null", stream_id, mode)


async def count_key_up(tx: Tx, stream_id: UUID) -> Stream | None:
    """A new key version; whoever publishes with the old key is marked to be thrown out."""
    row = await tx.fetchrow(
        f"""update stream set key_version = key_version + 1, kick_session_id = session_id
             where id = $1 and closed_at is null returning {COLUMNS}""",
        stream_id,
    )
    return None if row is None else _stream(row)


async def insert_session(tx: Tx, one: Publishing) -> bool:
    """False when this session is known already."""
    return bool(
        await tx.execute(
            """insert into stream_session (id, stream_id, protocol, started_at) values ($1, $2, $3, $4)
               on conflict (id) do nothing""",
            one.session_id,
            one.stream_id,
            one.protocol,
            one.at,
        )
    )


async def stop_sessions_before(tx: Tx, one: Publishing) -> None:
    await tx.execute(
        """update stream_session set stopped_at = $3, stop_reason = 'another publisher took over'
            where stream_id = $1 and id <> $2 and stopped_at is null""",
        one.stream_id, one.session_id, one.at,
    )  # fmt: skip


async def stop_session(tx: Tx, one: Stopping) -> None:
    """A stop may be told before its start: then the session is stored as stopped, and the start changes nothing."""
    await tx.execute(
        """insert into stream_session (id, stream_id, protocol, started_at, stopped_at, stop_reason)
           values ($1, $2, $3, $4, $4, $5)
           on conflict (id) do update set stopped_at = excluded.stopped_at, stop_reason = excluded.stop_reason
            where stream_session.stopped_at is null""",
        one.session_id, one.stream_id, one.protocol, one.at, one.reason[:200],
    )  # fmt: skip


async def set_online(tx: Tx, one: Publishing) -> bool:
    return bool(
        await tx.execute(
            """update stream set session_id = $2, protocol = $3, online_since = $4
                where id = $1 and closed_at is null""",
            one.stream_id,
            one.session_id,
            one.protocol,
            one.at,
        )
    )


async def set_offline(tx: Tx, stream_id: UUID, session_id: UUID) -> bool:
    """True when that session was the current one."""
    return bool(
        await tx.execute(
            """update stream set session_id = null, protocol = null, online_since = null, kick_session_id = null
                where id = $1 and session_id = $2""",
            stream_id,
            session_id,
        )
    )


async def close(tx: Tx, stream_ids: Sequence[UUID], at: datetime) -> None:
    await tx.execute("update stream set closed_at = $2 where id = any($1) and closed_at is null", list(stream_ids), at)


async def set_finished(tx: Tx, stream_id: UUID, recording: Recording | None, at: datetime) -> bool:
    """False when it was finished before."""
    return bool(
        await tx.execute(
            """update stream set finished_at = $2, recording_started_at = $3, recording_ms = $4
                where id = $1 and closed_at is not null and finished_at is null""",
            stream_id,
            at,
            None if recording is None else recording.started_at,
            None if recording is None else recording.duration_ms,
        )
    )


async def unfinished(read: Read, limit: int) -> list[UUID]:
    """Closed streams whose recording has not been settled yet."""
    rows = await read.fetch(
        "select id from stream where closed_at is not null and finished_at is null order by closed_at limit $1", limit
    )
    return [row["id"] for row in rows]


async def to_kick(read: Read, limit: int) -> list[tuple[UUID, UUID]]:
    rows = await read.fetch(
        "select id, kick_session_id from stream where kick_session_id is not null order by id limit $1", limit
    )
    return [(row["id"], row["kick_session_id"]) for row in rows]


async def kicked(tx: Tx, stream_id: UUID, session_id: UUID) -> None:
    await tx.execute(
        "update stream set kick_session_id = null where id = $1 and kick_session_id = $2", stream_id, session_id
    )


async def online(read: Read) -> list[Stream]:
    rows = await read.fetch(f"select {COLUMNS} from stream where session_id is not null")
    return [_stream(row) for row in rows]
