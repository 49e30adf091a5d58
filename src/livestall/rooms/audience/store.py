"""SQL of the audience."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from livestall.base.db import Read, Tx
from livestall.rooms.audience.model import Audience, Like, Minute


async def count(tx: Tx, counts: Sequence[Audience], minute: datetime) -> None:
    """Write counts to the shows and to this minute, where they say something new."""
    arrays = (
        [one.show_id for one in counts], [one.viewers for one in counts], [one.viewers_peak for one in counts],
    )  # fmt: skip
    rows = "unnest($1::uuid[], $2::int[], $3::int[]) as c(show_id, viewers, peak)"
    await tx.execute(
        f"""with news as (
              select s.id, c.viewers, c.peak from {rows} join show s on s.id = c.show_id
               where s.viewers <> c.viewers or s.viewers_peak < greatest(c.peak, c.viewers)
               order by s.id for no key update of s)
            update show s set viewers = n.viewers, viewers_peak = greatest(s.viewers_peak, n.peak, n.viewers)
              from news n where s.id = n.id""",
        *arrays,
    )
    await tx.execute(
        f"""insert into show_minute (show_id, minute, viewers, likes)
            select c.show_id, $4, greatest(c.peak, c.viewers), 0 from {rows}
              join show s on s.id = c.show_id and s.state in ('live', 'interrupted') order by c.show_id
            on conflict (show_id, minute) do update set viewers = excluded.viewers
             where show_minute.viewers < excluded.viewers""",
        *arrays, minute,
    )  # fmt: skip


async def likes(read: Read, show_ids: Sequence[UUID]) -> dict[UUID, int]:
    """The likes of each show that exists."""
    if not show_ids:
        return {}
    rows = await read.fetch("select id, likes from show where id = any($1)", list(show_ids))
    return {row["id"]: row["likes"] for row in rows}


async def insert_likes(tx: Tx, likes: Sequence[Like], at: datetime) -> set[UUID]:
    """Note the ids of likes of shows that exist; returns those that were new."""
    ordered = sorted(likes, key=lambda one: one.id)
    rows = await tx.fetch(
        """insert into show_like (id, show_id, count, at)
           select l.id, l.show_id, l.count, $4 from unnest($1::uuid[], $2::uuid[], $3::int[]) as l(id, show_id, count)
             join show s on s.id = l.show_id order by l.id
           on conflict (id) do nothing returning id""",
        [one.id for one in ordered], [one.show_id for one in ordered], [one.count for one in ordered], at,
    )  # fmt: skip
    return {row["id"] for row in rows}


async def known_likes(read: Read, ids: Sequence[UUID]) -> dict[UUID, Like]:
    rows = await read.fetch("select id, show_id, count from show_like where id = any($1)", list(ids))
    return {row["id"]: Like(row["id"], row["show_id"], row["count"]) for row in rows}


async def add_likes(tx: Tx, given: Mapping[UUID, int], minute: datetime) -> dict[UUID, int]:
    """Add likes to the shows and to this minute; returns the likes of each show. Locks the shows, in order."""
    if not given:
        return {}
    arrays = list(given), list(given.values())
    rows = await tx.fetch(
        """with locked as (select id from show where id = any($1) order by id for no key update)
           update show s set likes = s.likes + g.likes
             from unnest($1::uuid[], $2::bigint[]) as g(show_id, likes) join locked l on l.id = g.show_id
            where s.id = l.id returning s.id, s.likes""",
        *arrays,
    )
    await tx.execute(
        """insert into show_minute (show_id, minute, viewers, likes)
           select g.show_id, $3, 0, g.likes from unnest($1::uuid[], $2::bigint[]) as g(show_id, likes)
             join show s on s.id = g.show_id and s.state in ('live', 'interrupted') order by g.show_id
           on conflict (show_id, minute) do update set likes = show_minute.likes + excluded.likes""",
        *arrays, minute,
    )  # fmt: skip
    return {row["id"]: row["likes"] for row in rows}


async def forget_likes(tx: Tx, before: datetime, limit: int) -> int:
    return await tx.execute(
        "delete from show_like where id in (select id from show_like where at < $1 order by at limit $2)", before, limit
    )


async def minutes(read: Read, show_id: UUID) -> list[Minute]:
    rows = await read.fetch(
        "select minute, viewers, likes from show_minute where show_id = $1 order by minute", show_id
    )
    return [Minute(row["minute"], row["viewers"], row["likes"]) for row in rows]
