"""Every host's clock against the database's: fair starts, tickets and stream time are told by the host's own.

Each process of web, live and work compares now and then and keeps what it found; a media process, which has no
database, compares with the time that the market's answer to its beat carries.
"""

from __future__ import annotations

import asyncio
import socket
from datetime import timedelta

import msgspec
import structlog

from livestall import video
from livestall.app import settings
from livestall.base import clock, config
from livestall.base.clock import Asking, Reading, best
from livestall.base.db import Database, Read, Tx
from livestall.base.errors import Unavailable

log = structlog.get_logger()
TRIES = 5
EVERY_SECONDS = 30.0
FRESH = timedelta(seconds=100)
HOST = socket.gethostname()
ASK = "select clock_timestamp()"


class HostClock(msgspec.Struct, frozen=True):
    """What a process of `plane` on `host` found."""

    host: str
    plane: str
    reading: Reading

    @property
    def is_off(self) -> bool:
        return abs(self.reading.sure_seconds) > config.of(settings.Watch).clock_skew_seconds_max


async def measure(db: Database) -> Reading:
    """How far this host is ahead of the database. Raises Unavailable."""
    found: list[Reading] = []
    async with db.read() as read:
        for _ in range(TRIES):
            asking = Asking()
            found.append(asking.told(await read.fetchval(ASK)))
    return best(found)


async def note(tx: Tx, mine: HostClock) -> None:
    """Keep what this host found, and forget what has not been heard of for a day."""
    await tx.execute(
        """insert into host_clock (host, plane, skew_seconds, error_seconds, at) values ($1, $2, $3, $4, now())
            on conflict (host, plane) do update set skew_seconds = excluded.skew_seconds,
                error_seconds = excluded.error_seconds, at = excluded.at""",
        mine.host, mine.plane, mine.reading.skew_seconds, mine.reading.error_seconds,
    )  # fmt: skip
    await tx.execute("delete from host_clock where at < now() - interval '1 day'")


async def compare(db: Database, plane: str) -> HostClock:
    """Measure, tell the metric, the log and the market. Raises Unavailable."""
    mine = HostClock(HOST, plane, await measure(db))
    clock.SKEW.set(mine.reading.sure_seconds)
    if mine.is_off:
        log.warning(
            "this host's clock is off: keep it right with NTP", ahead_seconds=round(mine.reading.skew_seconds, 3)
        )
    async with db.write() as tx:
        await note(tx, mine)
    return mine


async def keep_comparing(db: Database, plane: str) -> None:
    """Compare for ever, twice a minute, until cancelled."""
    while True:
        try:
            await compare(db, plane)
        except Unavailable:
            log.debug("the clock is compared when the database is back")
        await asyncio.sleep(EVERY_SECONDS)


async def off(read: Read) -> list[HostClock]:
    """The hosts whose clocks are further off than is allowed, the worst first."""
    rows = await read.fetch(
        "select host, plane, skew_seconds, error_seconds from host_clock where at > now() - $1::interval", FRESH
    )
    known = [
        HostClock(row["host"], row["plane"], Reading(row["skew_seconds"], row["error_seconds"])) for row in rows
    ] + [HostClock(name, "media", one) for name, one in (await video.server_clocks(read, FRESH)).items()]
    return sorted((one for one in known if one.is_off), key=lambda one: -abs(one.reading.skew_seconds))
