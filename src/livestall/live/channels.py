"""Channels: who reads what, and how a reader gets from what it knows to what is.

A channel is opened by its first reader: its snapshot, its totals and its last events are loaded once, whoever comes
meanwhile waits for the same load. After that, newcomers are served from memory: the snapshot as it was built, then the
events since, then the totals of now. When much has happened since, the snapshot is built anew, again once for all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from prometheus_client import Counter

from livestall.base.errors import NotFound, Refusal, Unavailable
from livestall.live import frames
from livestall.live.bus import Said
from livestall.live.channel import Channel
from livestall.live.gaps import Gaps, Truth
from livestall.live.hub import Hub, Reader
from livestall.live.model import MISSED_MAX, LiveEvent, Settings, Total
from livestall.live.tick import Tick

log = structlog.get_logger()
CATCH_UP_BYTES = 32_768
"""What was missed is sent as events up to this size, beyond it as a snapshot."""
IDLE_SECONDS = 60.0
MUST_DO_SECONDS = 2.0
"""While the database is away the snapshot in memory serves on, looked at again after so long."""
RETRY_SECONDS = 0.5
READERS = "viewers"
"""The total that says how many read a channel, on all gateways together."""

RESYNCS = Counter("livestall_live_resyncs_total", "Channels that started again from a snapshot, having missed too much")


class Loaded(msgspec.Struct, frozen=True):
    """A channel as the database has it: `body` is the snapshot as a JSON object (without type and server_time) that
    holds at least the effects of all events up to `seq`; `recent` are the events before and up to `seq`. `totals` are
    at least as new as the number `mark`."""

    seq: int
    body: bytes
    totals: Mapping[str, Any]
    recent: Sequence[LiveEvent] = ()
    mark: int = 0


LAG_SHARE = 1.5
"""Ticks are longer than a broadcast takes by this factor."""


class Source(Truth, Protocol):
    """Where snapshots come from. Raises NotFound, Unavailable."""

    async def load(self, channel: UUID) -> Loaded: ...


class Channels:
    """All open channels of a gateway."""

    def __init__(
        self, source: Source, hub: Hub, settings: Settings, *, slow: Iterable[str] = (), sampled: Iterable[str] = (),
        growing: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self._source, self._hub, self._settings = source, hub, settings
        self._slow, self._sampled, self._growing = frozenset(slow), frozenset(sampled), frozenset(growing)
        self._open: dict[UUID, Channel] = {}
        self._elsewhere: Mapping[UUID, int] = {}
        self.gaps = Gaps(source, self.all, self.resync)

    def all(self) -> list[Channel]:
        return list(self._open.values())

    def get(self, channel: UUID) -> Channel | None:
        return self._open.get(channel)

    def interval(self) -> float:
        """The tick in seconds: longer when this gateway has more readers than it could serve at the usual tick, or when
        broadcasts take longer than they should, so that commands get their turn and broadcasts do not pile up."""
        by_readers = self._hub.readers / self._settings.deliveries_per_second
        return max(self._settings.tick_ms / 1000, by_readers, LAG_SHARE * self._hub.lag())

    def _channel(self, channel: UUID) -> Channel:
        found = self._open.get(channel)
        if found is None:

            def say(payload: bytes, before: int) -> None:
                self._hub.broadcast(opened.readers, payload, before)

            tick = Tick(self._settings, say, self.interval, self._slow, self._sampled)
            opened = self._open[channel] = Channel(channel, self._hub, tick, self._growing)
            return opened
        return found

    async def join(self, channel_id: UUID, reader: Reader, last_seq: int | None, role: str) -> None:
        """Bring the reader up to date and let it take part. Waits while the database is away. Raises NotFound."""
        while True:
            if reader.closed:
                return
            channel = self._channel(channel_id)  # asked for each time: it may have started again meanwhile
            channel.idle_since = None
            if channel.is_open and last_seq is not None and last_seq > channel.last:
                await self.gaps.look_at(channel)  # told elsewhere already, on its way here
            if channel.is_open and last_seq is not None and (message := channel.missed(last_seq)) is not None:
                self._hub.send(reader, message)
                break
            if channel.is_open and channel.is_fresh():
                channel.send_snapshot(reader, role)
                break
            await self._load(channel)
        self._hub.join(reader)
        reader.missed_from = None
        channel.readers[reader] = None
        self._count(channel)

    def catch_up(self, channel_id: UUID, reader: Reader, role: str) -> asyncio.Task[None] | None:
        """Bring a reader that was skipped up to date: by what it missed if that is little, else by a snapshot."""
        channel = self._open.get(channel_id)
        if channel is None or reader.missed_from is None:
            return None
        message = channel.missed(reader.missed_from)
        if message is not None and len(message) <= CATCH_UP_BYTES:
            reader.missed_from = None
            self._hub.join(reader)
            self._hub.send(reader, message)
            return None
        return asyncio.create_task(self._rejoin(channel_id, reader, role))

    async def _rejoin(self, channel_id: UUID, reader: Reader, role: str) -> None:
        channel = self._open.get(channel_id)
        if channel is not None:
            channel.readers.pop(reader, None)
        try:
            await self.join(channel_id, reader, None, role)
        except Refusal as refusal:
            log.info("a reader could not be brought up to date", channel=str(channel_id), code=refusal.code)
            self._hub.cut_off(reader)

    def leave(self, channel_id: UUID, reader: Reader) -> None:
        channel = self._open.get(channel_id)
        if channel is None:
            return
        channel.readers.pop(reader, None)
        if channel.is_open:
            self._count(channel)
        if not channel.readers:
            channel.idle_since = time.monotonic()

    def _count(self, channel: Channel) -> None:
        channel.set_total(READERS, self.readers(channel))

    def readers(self, channel: Channel) -> int:
        """How many read the channel, here and elsewhere."""
        return len(channel.readers) + self._elsewhere.get(channel.id, 0)

    def count_elsewhere(self, readers: Mapping[UUID, int]) -> None:
        """So many read each channel on other gateways."""
        self._elsewhere = readers
        for channel in self._open.values():
            if channel.is_open:
                self._count(channel)

    async def _load(self, channel: Channel) -> None:
        """Load the channel, once for all who wait for it; while the database is away, try again and again."""
        if channel.loading is None or channel.loading.done():
            channel.loading = asyncio.create_task(self._load_now(channel))
        await asyncio.shield(channel.loading)

    async def _load_now(self, channel: Channel) -> None:
        while True:
            try:
                loaded = await self._source.load(channel.id)
                break
            except Unavailable:
                if channel.is_open and channel.between(channel.snapshot_seq, channel.last) is not None:
                    channel.must_do_until = time.monotonic() + MUST_DO_SECONDS
                    return
                await asyncio.sleep(RETRY_SECONDS)
            except NotFound:
                if self._open.get(channel.id) is channel and not channel.readers:
                    self.forget(channel.id)
                raise
        if not channel.is_open:
            channel.last, channel.mark = loaded.seq, loaded.mark
            channel.heard_of(loaded.seq, loaded.mark)
            channel.tick.start(loaded.seq)
            channel.recent.extend((event.seq, frames.event(event)) for event in loaded.recent)
            channel.totals = {slot: dict(v) if isinstance(v, Mapping) else v for slot, v in loaded.totals.items()}
            channel.is_open = True
        channel.snapshot_seq, channel.snapshot_body = loaded.seq, loaded.body
        channel.loaded_at = time.monotonic()
        channel.bytes_since = 0
        early, channel.early = channel.early, []
        for mark, told in early:
            took = channel.take(told) if isinstance(told, LiveEvent) else channel.take_totals(mark, told)
            if not took:
                self.gaps.suspect(channel)

    def hear(self, said: Said) -> None:
        """What was said on the bus: pass it to the channels that are open here."""
        late: set[Channel] = set()
        for channel_id, event in said.events:
            channel = self._open.get(channel_id)
            if channel is None:
                continue
            if not channel.is_open:
                _keep_early(channel, None, event)
            elif not channel.take(event):
                late.add(channel)
        totals: dict[Channel, list[Total]] = {}
        for total in said.totals:
            channel = self._open.get(total.channel)
            if channel is not None:
                totals.setdefault(channel, []).append(total)
        for channel, told in totals.items():
            mark = said.marks.get(channel.id)
            if not channel.is_open:
                _keep_early(channel, mark, told)
            elif not channel.take_totals(mark, told):
                late.add(channel)
        for channel in late:
            self.gaps.suspect(channel)

    def resync(self, channel_id: UUID) -> None:
        """Something was lost on the way: everyone on the channel starts again from a fresh snapshot."""
        channel = self._open.pop(channel_id, None)
        if channel is None:
            return
        RESYNCS.inc()
        channel.is_open = False
        log.warning("channel starts again from a snapshot", channel=str(channel_id), readers=len(channel.readers))
        channel.tick.close()
        for reader in channel.readers:
            if reader.on_resync is not None:
                reader.on_resync()

    def forget(self, channel_id: UUID) -> None:
        channel = self._open.pop(channel_id, None)
        if channel is not None:
            channel.tick.close()

    def forget_idle(self) -> None:
        """Called every second: close channels that nobody has read for a while."""
        now = time.monotonic()
        for channel in list(self._open.values()):
            if channel.idle_since is not None and now - channel.idle_since > IDLE_SECONDS:
                self.forget(channel.id)


def _keep_early(channel: Channel, mark: int | None, told: LiveEvent | Sequence[Total]) -> None:
    if len(channel.early) < MISSED_MAX:  # beyond it the numbers tell that something is missing
        channel.early.append((mark, told))
