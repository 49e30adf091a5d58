"""Who waits for a lock in the database: how a test knows that somebody has come to it."""

from __future__ import annotations

from livestall.base.db import Database


async def waiting(db: Database, seconds: float = 0.0) -> list[int]:
    """The backends that wait for a lock, with a statement that began at least `seconds` ago."""
    async with db.read() as read:
        rows = await read.fetch(
            """select pid from pg_stat_activity
                where datname = current_database() and wait_event_type = 'Lock'
                  and clock_timestamp() > query_start + $1::float8 * interval '1 second'""",
            seconds,
        )
    return [row["pid"] for row in rows]
