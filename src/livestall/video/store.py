"""SQL of video."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from livestall.base.clock import Reading
from livestall.base.db import Read, Tx
from livestall.video.backends.port import KnownServer, Server
from livestall.video.model import NewStream, Publishing, Recording, Stopping, Stream, StreamWarning

COLUMNS = """id, subject, mode, key_version, opened_at, closed_at, session_id, protocol, online_since, finished_at,
             recording_started_at, recording_ms, recording_gaps, warnings, server_id, client_id, moved_at"""


def _stream(row: Any) -> Stream:
    return msgspec.convert(dict(row), Stream)


class Closed(msgspec.Struct, frozen=True):
    """A stream that has ended; `server_ids` are all that carried it."""

    stream_id: UUID
    closed_at: datetime
    server_ids: list[str]


class Unwanted(msgspec.Struct, frozen=True):
    """A publisher to throw out."""

    stream_id: UUID
    session_id: UUID
    server_id: str | None
    client_id: str | None


async def set_warnings(tx: Tx, stream_id: UUID, warnings: Sequence[StreamWarning], at: datetime) -> bool:
    """The whole list as of `at`; False when a later one is known already, or it is the same."""
    return bool(
        await tx.execute(
            """update stream set warnings = $2, warned_at = $3
                where id = $1 and (warned_at is null or warned_at < $3)""",
            stream_id, msgspec.to_builtins(list(warnings)), at,
        )
    )  # fmt: skip


async def streams(read: Read, stream_ids: Sequence[UUID]) -> dict[UUID, Stream]:
    rows = await read.fetch(f"select {COLUMNS} from stream where id = any($1)", list(stream_ids))
    return {row["id"]: _stream(row) for row in rows}


async def locked(tx: Tx, stream_ids: Sequence[UUID]) -> dict[UUID, Stream]:
    """The same, locked in the order of their ids until `tx` ends."""
    rows = await tx.fetch(
        f"select {COLUMNS} from stream where id = any($1) order by id for no key update", list(stream_ids)
    )
    return {row["id"]: _stream(row) for row in rows}


async def insert(tx: Tx, new: Sequence[NewStream], server_id: str | None) -> None:
    await tx.execute(
        """insert into stream (id, subject, mode, server_id)
           select *, $4::text from unnest($1::uuid[], $2::uuid[], $3::text[]) on conflict (id) do nothing""",
        [one.id for one in new], [one.subject for one in new], [one.mode for one in new], server_id,
    )  # fmt: skip


async def set_mode(tx: Tx, stream_id: UUID, mode: str) -> None:
    await tx.execute("update stream set mode = $2 where id = $1 and closed_at is null", stream_id, mode)


async def count_key_up(tx: Tx, stream_id: UUID) -> Stream | None:
    """A new key version; whoever publishes with the old key is marked to be thrown out."""
    row = await tx.fetchrow(
        f"""update stream set key_version = key_version + 1, kick_session_id = session_id, kick_server_id = server_id,
                              kick_client_id = client_id
             where id = $1 and closed_at is null returning {COLUMNS}""",
        stream_id,
    )
    return None if row is None else _stream(row)


async def insert_session(tx: Tx, one: Publishing, reopen_before: datetime | None) -> bool:
    """False when this session is known already. One that was stopped before `reopen_before` is opened again."""
    return bool(
        await tx.execute(
            """insert into stream_session (id, stream_id, protocol, started_at, server_id, client_id)
               values ($1, $2, $3, $4, $5, $6)
               on conflict (id) do update set stopped_at = null, stop_reason = null
                where stream_session.stopped_at < $7""",
            one.session_id, one.stream_id, one.protocol, one.at, one.server_id, one.client_id, reopen_before,
        )
    )  # fmt: skip


async def stop_sessions_before(tx: Tx, one: Publishing) -> None:
    await tx.execute(
        """update stream_session set stopped_at = $3, stop_reason = 'another publisher took over'
            where stream_id = $1 and id <> $2 and stopped_at is null""",
        one.stream_id, one.session_id, one.at,
    )  # fmt: skip


async def stop_session(tx: Tx, one: Stopping) -> None:
    """A stop may be told before its start: then the session is stored as stopped, and the start changes nothing."""
    await tx.execute(
        """insert into stream_session (id, stream_id, protocol, started_at, stopped_at, stop_reason, server_id)
           values ($1, $2, $3, $4, $4, $5, $6)
           on conflict (id) do update set stopped_at = excluded.stopped_at, stop_reason = excluded.stop_reason
            where stream_session.stopped_at is null""",
        one.session_id, one.stream_id, one.protocol, one.at, one.reason[:200], one.server_id,
    )  # fmt: skip


async def set_online(tx: Tx, one: Publishing) -> bool:
    """The stream is where its newest publisher is; one that is left on another server is marked to be thrown out."""
    return bool(
        await tx.execute(
            """update stream set
                 kick_session_id = case when left_there then session_id else kick_session_id end,
                 kick_server_id  = case when left_there then known.server_id else kick_server_id end,
                 kick_client_id  = case when left_there then known.client_id else kick_client_id end,
                 session_id = $2, protocol = $3, online_since = $4, server_id = coalesce($5, known.server_id),
                 client_id = $6, moved_at = null
                 from (select id, server_id, client_id,
                              session_id is not null and server_id is not null and server_id <> $5 as left_there
                         from stream where id = $1) as known
                where stream.id = known.id and closed_at is null""",
            one.stream_id, one.session_id, one.protocol, one.at, one.server_id, one.client_id,
        )
    )  # fmt: skip


async def set_offline(tx: Tx, stream_id: UUID, session_id: UUID) -> bool:
    """True when that session was the current one."""
    return bool(
        await tx.execute(
            """update stream set session_id = null, protocol = null, online_since = null, client_id = null,
                                 kick_session_id = nullif(kick_session_id, $2)
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
            """update stream set finished_at = $2, recording_started_at = $3, recording_ms = $4, recording_gaps = $5
                where id = $1 and closed_at is not null and finished_at is null""",
            stream_id,
            at,
            None if recording is None else recording.started_at,
            None if recording is None else recording.duration_ms,
            [] if recording is None else msgspec.to_builtins(recording.gaps),
        )
    )


async def unfinished(read: Read, limit: int, alive_since: datetime) -> list[Closed]:
    """Closed streams whose recording has not been settled yet; those on servers that answer come first."""
    rows = await read.fetch(
        """select s.id, s.closed_at,
                  array(select distinct t.server_id from stream_session t
                         where t.stream_id = s.id and t.server_id is not null) as served, s.server_id
             from stream s left join media_server m on m.id = s.server_id
            where s.closed_at is not null and s.finished_at is null
            order by m.seen_at is not null and m.seen_at < $2, s.closed_at limit $1""",
        limit, alive_since,
    )  # fmt: skip
    return [
        Closed(row["id"], row["closed_at"], sorted({*row["served"], *([row["server_id"]] if row["server_id"] else [])}))
        for row in rows
    ]


async def to_kick(read: Read, limit: int) -> list[Unwanted]:
    rows = await read.fetch(
        """select id, kick_session_id, kick_server_id, kick_client_id from stream
            where kick_session_id is not null order by id limit $1""",
        limit,
    )
    return [Unwanted(*row.values()) for row in rows]


async def kicked(tx: Tx, stream_id: UUID, session_id: UUID) -> None:
    await tx.execute(
        """update stream set kick_session_id = null, kick_server_id = null, kick_client_id = null
            where id = $1 and kick_session_id = $2""",
        stream_id, session_id,
    )  # fmt: skip


async def online(read: Read) -> list[Stream]:
    rows = await read.fetch(f"select {COLUMNS} from stream where session_id is not null")
    return [_stream(row) for row in rows]


# ------------------------------------------------------------- servers

SERVER = ", ".join(KnownServer.__struct_fields__)


async def servers(read: Read) -> dict[str, KnownServer]:
    """Every media server the market has ever seen, by name."""
    rows = await read.fetch(f"select {SERVER} from media_server")
    return {row["id"]: msgspec.convert(dict(row), KnownServer) for row in rows}


async def media_addresses(read: Read, alive_since: datetime) -> list[str]:
    """Where browsers reach the servers seen since then, as these say it themselves."""
    rows = await read.fetch(
        """select distinct url from media_server, unnest(array[hls_url, whip_url, whep_url]) url
            where url <> '' and seen_at >= $1 order by url""",
        alive_since,
    )
    return [row["url"] for row in rows]


async def own_servers(read: Read, seen_since: datetime) -> list[KnownServer]:
    """Media processes of ours that were seen since then."""
    rows = await read.fetch(
        f"select {SERVER} from media_server where kind = 'embedded' and seen_at >= $1 order by id", seen_since
    )
    return [msgspec.convert(dict(row), KnownServer) for row in rows]


async def servers_beside(read: Read, server_ids: Sequence[str]) -> list[KnownServer]:
    """Those servers, and the ones that share a folder of recordings with one of them."""
    rows = await read.fetch(
        f"""select {SERVER} from media_server where id = any($1) or (kind = 'embedded' and folder <> '' and folder in
                (select folder from media_server where id = any($1) and kind = 'embedded')) order by id""",
        list(server_ids),
    )
    return [msgspec.convert(dict(row), KnownServer) for row in rows]


async def saw_server(tx: Tx, server: Server, at: datetime) -> None:
    """It said so itself, or answered; what it says of itself is kept."""
    fields = msgspec.structs.asdict(server)
    names = ", ".join(fields)
    values = ", ".join(f"${number}" for number in range(2, len(fields) + 2))
    changes = ", ".join(f"{name} = excluded.{name}" for name in fields if name != "id")
    await tx.execute(
        f"""insert into media_server (seen_at, {names}) values ($1, {values})
            on conflict (id) do update set seen_at = greatest(media_server.seen_at, excluded.seen_at), {changes}""",
        at, *fields.values(),
    )  # fmt: skip


async def database_time(read: Read) -> datetime:
    return await read.fetchval("select clock_timestamp()")


async def server_clocks(read: Read, age_max: timedelta) -> dict[str, Reading]:
    rows = await read.fetch(
        """select id, clock_skew_seconds, clock_error_seconds from media_server
            where clock_skew_seconds is not null and seen_at > now() - $1::interval""",
        age_max,
    )
    return {row["id"]: Reading(row["clock_skew_seconds"], row["clock_error_seconds"] or 0.0) for row in rows}


async def touch_server(tx: Tx, server_id: str, publishers: int, at: datetime) -> None:
    await tx.execute(
        """update media_server set seen_at = greatest(seen_at, $3), publishers = $2 where id = $1""",
        server_id, publishers, at,
    )  # fmt: skip


async def emptiest(read: Read, alive_since: datetime) -> str | None:
    """The server seen since then that carries the fewest live streams, and the fewest that may go live; None if the
    market knows none."""
    return await read.fetchval(
        """select m.id from media_server m left join stream s on s.server_id = m.id and s.closed_at is null
            where m.accepts and m.seen_at >= $1
            group by m.id order by count(s.session_id), count(s.id), m.id limit 1""",
        alive_since,
    )


async def stranded(tx: Tx, server_ids: Sequence[str], limit: int) -> list[UUID]:
    """Open streams on those servers, locked."""
    rows = await tx.fetch(
        """select id from stream where server_id = any($1) and closed_at is null order by id limit $2
              for no key update""",
        list(server_ids), limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def move(tx: Tx, stream_id: UUID, server_id: str, at: datetime) -> None:
    await tx.execute("update stream set server_id = $2, moved_at = $3 where id = $1", stream_id, server_id, at)


async def keep_replay_at(tx: Tx, stream_id: UUID, server_id: str | None) -> None:
    await tx.execute("update stream set server_id = $2 where id = $1", stream_id, server_id)
