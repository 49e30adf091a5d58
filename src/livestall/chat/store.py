"""SQL of chat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from livestall.base.db import Read, Row, Tx
from livestall.chat.model import ChatMessage, ChatMode, Message, Pace

MESSAGE = "id, user_id, name, text, at, stream_at, role"
Person = tuple[UUID, UUID]
"""A show and a person in it."""


def _message(row: Row) -> ChatMessage:
    return ChatMessage(
        row["id"], row["user_id"], row["name"], row["text"], row["at"], row["stream_at"], row["role"]
    )  # fmt: skip


async def lock_paces(tx: Tx, people: Sequence[Person]) -> dict[Person, Pace]:
    """The pace of each person, locked until `tx` ends, so that all doors and processes together keep one limit.

    People who never spoke get a row here, which counts as a whole allowance.
    """
    ordered = sorted(set(people))
    shows, users = [show for show, _ in ordered], [user for _, user in ordered]
    await tx.execute(
        """insert into chat_pace (show_id, user_id, full_at, last_at)
           select p.s, p.u, '-infinity', '-infinity'
             from unnest($1::uuid[], $2::uuid[]) as p(s, u) join show on show.id = p.s
           on conflict do nothing""",
        shows, users,
    )  # fmt: skip
    rows = await tx.fetch(
        """select show_id, user_id, full_at, last_at, last_at = '-infinity' as fresh from chat_pace
            where (show_id, user_id) in (select * from unnest($1::uuid[], $2::uuid[]))
            order by show_id, user_id for update""",
        shows, users,
    )  # fmt: skip
    return {(row["show_id"], row["user_id"]): Pace(row["full_at"], row["last_at"]) for row in rows if not row["fresh"]}


async def write_paces(tx: Tx, paces: Mapping[Person, Pace]) -> None:
    ordered = sorted(paces.items())
    await tx.execute(
        """update chat_pace p set full_at = n.full_at, last_at = n.last_at
             from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[])
                  as n(show_id, user_id, full_at, last_at)
            where (p.show_id, p.user_id) = (n.show_id, n.user_id)""",
        [show for (show, _), _ in ordered], [user for (_, user), _ in ordered],
        [pace.full_at for _, pace in ordered], [pace.last_at for _, pace in ordered],
    )  # fmt: skip


async def muted(read: Read, people: Sequence[Person], now: datetime) -> set[Person]:
    rows = await read.fetch(
        """select show_id, user_id from chat_mute
            where (show_id, user_id) in (select * from unnest($1::uuid[], $2::uuid[])) and until > $3""",
        [show for show, _ in people], [user for _, user in people], now,
    )  # fmt: skip
    return {(row["show_id"], row["user_id"]) for row in rows}


async def modes(read: Read, show_ids: Sequence[UUID]) -> dict[UUID, ChatMode]:
    """The mode of each show; the ordinary one for shows that never changed it."""
    rows = await read.fetch(
        "select show_id, slow_seconds, muted_all, banned_words from chat_mode where show_id = any($1)", list(show_ids)
    )
    found = {row["show_id"]: ChatMode(row["slow_seconds"], row["muted_all"], list(row["banned_words"])) for row in rows}
    return {show_id: found.get(show_id, ChatMode()) for show_id in show_ids}


async def known(read: Read, ids: Sequence[UUID]) -> dict[UUID, tuple[UUID, ChatMessage]]:
    """Messages of these ids with their show, deleted ones too."""
    rows = await read.fetch(f"select show_id, {MESSAGE} from chat_message where id = any($1)", list(ids))
    return {row["id"]: (row["show_id"], _message(row)) for row in rows}


async def insert(tx: Tx, messages: Sequence[tuple[Message, ChatMessage]]) -> set[UUID]:
    """Store new messages; returns the ids that were new."""
    said = [message for _, message in messages]
    rows = await tx.fetch(
        """insert into chat_message (id, show_id, user_id, name, role, text, at, stream_at)
           select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                                $7::timestamptz[], $8::timestamptz[])
           on conflict (id) do nothing returning id""",
        [one.id for one in said], [wanted.show_id for wanted, _ in messages], [one.user_id for one in said],
        [one.name for one in said], [one.role for one in said], [one.text for one in said],
        [one.at for one in said], [one.stream_at for one in said],
    )  # fmt: skip
    return {row["id"] for row in rows}


async def last(read: Read, show_id: UUID, limit: int) -> list[ChatMessage]:
    """The newest messages, oldest first."""
    rows = await read.fetch(
        f"""select {MESSAGE} from chat_message where show_id = $1 and deleted_at is null
             order by stream_at desc, id desc limit $2""",
        show_id, limit,
    )  # fmt: skip
    return [_message(row) for row in reversed(rows)]


async def page(
    read: Read, show_id: UUID, after: tuple[datetime, UUID | None], limit: int
) -> list[ChatMessage]:  # fmt: skip
    """Messages from a stream time on, oldest first; `after` with an id: those behind that message."""
    at, message_id = after
    rows = await read.fetch(
        f"""select {MESSAGE} from chat_message where show_id = $1 and deleted_at is null
               and stream_at >= $2 and ($3::uuid is null or (stream_at, id) > ($2, $3))
             order by stream_at, id limit $4""",
        show_id, at, message_id, limit,
    )  # fmt: skip
    return [_message(row) for row in rows]


async def delete(tx: Tx, show_id: UUID, message_id: UUID, now: datetime) -> UUID | None:
    """Hide a message; its author, or None if it was hidden before or is not in the show."""
    return await tx.fetchval(
        """update chat_message set deleted_at = $3 where id = $2 and show_id = $1 and deleted_at is null
           returning user_id""",
        show_id, message_id, now,
    )  # fmt: skip


async def mute(tx: Tx, show_id: UUID, user_id: UUID, until: datetime | None) -> None:
    await tx.execute(
        """insert into chat_mute (show_id, user_id, until) values ($1, $2, coalesce($3, 'infinity'::timestamptz))
           on conflict (show_id, user_id) do update set until = excluded.until""",
        show_id, user_id, until,
    )  # fmt: skip


async def unmute(tx: Tx, show_id: UUID, user_id: UUID) -> bool:
    return bool(await tx.execute("delete from chat_mute where show_id = $1 and user_id = $2", show_id, user_id))


async def put_mode(tx: Tx, show_id: UUID, mode: ChatMode) -> None:
    await tx.execute(
        """insert into chat_mode (show_id, slow_seconds, muted_all, banned_words) values ($1, $2, $3, $4)
           on conflict (show_id) do update set slow_seconds = excluded.slow_seconds,
              muted_all = excluded.muted_all, banned_words = excluded.banned_words""",
        show_id, mode.slow_seconds, mode.muted_all, mode.banned_words,
    )  # fmt: skip


async def write_act(
    tx: Tx, *, act_id: UUID, show_id: UUID, by_id: UUID, act: str, user_id: UUID | None = None,
    message_id: UUID | None = None, reason: str = "", detail: dict[str, Any] | None = None, at: datetime,
) -> bool:  # fmt: skip
    """Note what a moderator did. False if this act was noted before."""
    return bool(
        await tx.execute(
            """insert into chat_act (id, show_id, by_id, act, about_user, about_message, reason, detail, at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9) on conflict (id) do nothing""",
            act_id, show_id, by_id, act, user_id, message_id, reason, detail or {}, at,
        )
    )  # fmt: skip


async def per_minute(read: Read, show_id: UUID) -> dict[datetime, int]:
    """Messages said in each minute, deleted ones too."""
    rows = await read.fetch(
        """select date_trunc('minute', at) as minute, count(*) as n from chat_message where show_id = $1
            group by 1 order by 1""",
        show_id,
    )
    return {row["minute"]: row["n"] for row in rows}
