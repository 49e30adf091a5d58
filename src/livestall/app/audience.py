"""The audience of every room: how many watch on all gateways together, and likes, counted once and before they are
answered.

Each gateway tells the others every second how many watch here, and writes it to the database every two. Whoever cannot
be heard on the bus is known from the database; a gateway that is silent for some seconds no longer counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from livestall import live, rooms
from livestall.base.db import Database
from livestall.base.errors import Refusal, Unavailable
from livestall.live import Peers, Present, Said, Total

log = structlog.get_logger()
TELL_SECONDS = 1.0
KEEP_SECONDS = 2.0
WHOLE_SECONDS = 5.0
"""Counts are told again after so long though nothing changed, for gateways that have just come."""

READERS = Gauge("livestall_live_readers", "Sockets that take part in a room on this gateway")
ROOMS = Gauge("livestall_live_rooms", "Rooms that somebody reads on this gateway")
LIKES = Counter("livestall_live_likes_total", "Like commands that were counted here")


class Audience:
    """The audience of the rooms on one gateway."""

    def __init__(self, db: Database, channels: live.Channels, bus: live.Bus, peers: Peers) -> None:
        self._db, self._channels, self._bus, self._peers = db, channels, bus, peers
        self._peaks: dict[UUID, int] = {}
        self._liked: dict[UUID, int] = {}
        self._told: dict[UUID, int] = {}
        self._told_at = float("-inf")
        self._lane: live.Lane[rooms.Like, int] = live.Lane(self._like, batch=1000, waiting=20_000)

    async def like(self, show_id: UUID, command_id: UUID, count: int) -> int:
        """Count likes, once per command id on whatever gateway; returns the show's likes. Raises Unavailable while the
        database is away: what is answered is kept."""
        total = await self._lane.add(rooms.Like(command_id, show_id, count))
        LIKES.inc()
        self._liked[show_id] = max(total, self._liked.get(show_id, 0))
        return total

    async def _like(self, likes: Sequence[rooms.Like]) -> Sequence[int | Refusal]:
        return await self._db.run(lambda tx: rooms.add_likes(tx, likes))

    async def run(self) -> None:
        """Tell every second, keep every two seconds."""
        slept = 0.0
        while True:
            await asyncio.sleep(TELL_SECONDS)
            await self.tell()
            slept += TELL_SECONDS
            if slept >= KEEP_SECONDS:
                slept = 0.0
                await self.keep()

    async def tell(self) -> None:
        """Say to the other gateways who watches and what was liked here, and count who watches there."""
        readers = {one.id: len(one.readers) for one in self._channels.all() if one.readers}
        READERS.set(sum(readers.values()))
        ROOMS.set(len(readers))
        changed = readers != self._told or time.monotonic() - self._told_at > WHOLE_SECONDS
        self._bus.tell(Present(self._peers.own, readers if changed else None))
        if changed:
            self._told, self._told_at = readers, time.monotonic()
        liked, self._liked = self._liked, {}
        if liked:
            await self._bus.publish(Said((), [Total(show_id, "likes", count) for show_id, count in liked.items()]))
        self.count_elsewhere()

    def count_elsewhere(self) -> None:
        self._channels.count_elsewhere(self._peers.elsewhere())
        for channel in self._channels.all():
            here = self._channels.readers(channel)
            if here > self._peaks.get(channel.id, 0):
                self._peaks[channel.id] = here

    async def keep(self) -> None:
        """Write down who watches here, and read who watches elsewhere. What cannot be written now is written later."""
        here = self._channels.all()
        readers = {one.id: len(one.readers) for one in here if one.readers}
        peaks, self._peaks = self._peaks, {}
        try:
            await self._write(readers, peaks)
            async with self._db.read() as read:
                elsewhere = await live.readers_elsewhere(read, [self._peers.own, *self._peers.known()])
                likes = await rooms.likes(read, [one.id for one in here if one.is_open])
        except Unavailable:
            self._peaks = {**peaks, **self._peaks}
            return
        except Exception:
            log.exception("audience not kept")
            return
        self._peers.read(elsewhere)
        self._channels.hear(Said((), [Total(show_id, "likes", count) for show_id, count in likes.items()]))
        self.count_elsewhere()

    async def _write(self, readers: dict[UUID, int], peaks: dict[UUID, int]) -> None:
        peers = self._peers
        async with self._db.write() as tx:
            totals = await live.keep_readers(tx, peers.own, readers, heard=peers.heard(), asked=peaks)
            await rooms.count_audience(
                tx, [rooms.Audience(one, now, max(now, peaks.get(one, 0))) for one, now in sorted(totals.items())]
            )

    async def leave(self) -> None:
        """Nobody watches here any more: tell the others, and take this gateway off the list."""
        self._bus.tell(Present(self._peers.own, is_leaving=True))
        try:
            await self._write({}, self._peaks)
            async with self._db.write() as tx:
                await live.forget_gateway(tx, self._peers.own)
        except Unavailable:
            log.warning("the database is away: this gateway's readers count for some seconds more")
