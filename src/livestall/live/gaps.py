"""Gaps: what the bus lost is read from the database, once for each channel however many readers it has.

Three things tell that something is missing: a number that jumps; the last numbers in the database, looked at every
second (ten times a second while other gateways cannot be heard); and the totals' own numbers, as totals are not events.
What is merely on its way gets a moment to arrive before anything is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import structlog
from prometheus_client import Counter

from livestall.base.errors import Unavailable
from livestall.live.channel import Channel
from livestall.live.model import MISSED_MAX, LiveEvent

log = structlog.get_logger()
GRACE_SECONDS = 0.1
LOOK_SECONDS = 1.0
LOOK_SECONDS_ALONE = 0.1
LOOK_CHANNELS_MAX = 1000
READ_CHANNELS_MAX = 50
"""Channels asked for in one query, and channels read up in one."""

READS = Counter("livestall_live_gap_reads_total", "Times that missing events or totals were read from the database")
EVENTS = Counter("livestall_live_gap_events_total", "Events that were missing and read from the database")


class Truth(Protocol):
    """The channels as the database has them. Raises Unavailable."""

    async def numbers(self, channels: Sequence[UUID]) -> Mapping[UUID, tuple[int, int]]:
        """The numbers of the newest event and of the newest totals of each channel."""
        ...

    async def missed(self, wanted: Mapping[UUID, int], limit: int) -> Mapping[UUID, Sequence[LiveEvent]]:
        """At most `limit` events after the number given for each channel, in order."""
        ...

    async def totals(self, channel: UUID) -> tuple[int, Mapping[str, Any]]:
        """A number of totals, and totals at least as new."""
        ...


class Gaps:
    """Watches the channels of one gateway. `start_again` is called for a channel that misses too much to catch up."""

    def __init__(
        self, truth: Truth, channels: Callable[[], Sequence[Channel]], start_again: Callable[[UUID], None]
    ) -> None:
        self._truth, self._channels, self._start_again = truth, channels, start_again
        self._late: dict[UUID, Channel] = {}
        self._reading: asyncio.Task[None] | None = None

    async def run(self, hears_all: Callable[[], bool]) -> None:
        """Look for ever: seldom while `hears_all`, often otherwise, and at once when that changes."""
        heard, slept = True, 0.0
        while True:
            await asyncio.sleep(LOOK_SECONDS_ALONE)
            slept += LOOK_SECONDS_ALONE
            before, heard = heard, hears_all()
            if heard and before and slept < LOOK_SECONDS:
                continue
            slept = 0.0
            try:
                await self.look(patient=heard)
            except Unavailable:
                continue
            except Exception:
                log.exception("looking for gaps failed")

    async def look(self, *, patient: bool = True) -> None:
        """Compare every open channel with the database. Raises Unavailable."""
        channels = {one.id: one for one in self._channels() if one.is_open}
        wanted = list(channels)
        for first in range(0, len(wanted), LOOK_CHANNELS_MAX):
            found = await self._truth.numbers(wanted[first : first + LOOK_CHANNELS_MAX])
            for channel_id, (seq, mark) in found.items():
                channels[channel_id].heard_of(seq, mark)
        late = [one for one in channels.values() if one.is_behind]
        if not late:
            return
        if patient:
            for one in late:
                self.suspect(one)
        else:
            await self._read(late)

    async def look_at(self, channel: Channel) -> None:
        """Compare one channel with the database and read what it misses; while the database is away, nothing."""
        try:
            channel.heard_of(*(await self._truth.numbers([channel.id]))[channel.id])
            if channel.is_open and channel.is_behind:
                await self._read([channel])
        except Unavailable:
            log.info("a reader knows more than this gateway, and the database is away", channel=str(channel.id))

    def suspect(self, channel: Channel) -> None:
        """Something may be missing on `channel`: read it, if it has not arrived in a moment."""
        self._late[channel.id] = channel
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_soon(), name="gaps")

    async def _read_soon(self) -> None:
        while self._late:
            await asyncio.sleep(GRACE_SECONDS)
            late, self._late = [one for one in self._late.values() if one.is_open and one.is_behind], {}
            try:
                await self._read(late)
            except Unavailable:  # the next look finds them again
                return
            except Exception:
                log.exception("a gap could not be read")

    async def _read(self, late: Sequence[Channel]) -> None:
        for first in range(0, len(late), READ_CHANNELS_MAX):
            await self._read_some(late[first : first + READ_CHANNELS_MAX])

    async def _read_some(self, late: Sequence[Channel]) -> None:
        READS.inc()
        wanted = {one.id: one.last for one in late if one.misses_events}
        found = await self._truth.missed(wanted, MISSED_MAX + 1) if wanted else {}
        for one in late:
            events = found.get(one.id, ())
            EVENTS.inc(len(events))
            if len(events) > MISSED_MAX:
                self._start_again(one.id)
                continue
            for event in events:
                one.take(event)
            one.caught_up()
        for one in late:
            if one.is_open and one.misses_totals:
                one.renew(*await self._truth.totals(one.id))

    async def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
