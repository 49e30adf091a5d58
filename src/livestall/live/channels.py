"""Channels: who reads what, and how a reader gets from what it knows to what is.

A channel is opened by its first reader: its snapshot, its totals and its last events are loaded once, whoever comes
meanwhile waits for the same load. After that, newcomers are served from memory: the snapshot as it was built, then the
events since, then the totals of now. When much has happened since, the snapshot is built anew, again once for all.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog

from livestall.base.errors import NotFound, Refusal, Unavailable
from livestall.live import frames
from livestall.live.bus import Said
from livestall.live.hub import Hub, Reader
from livestall.live.model import MISSED_MAX, LiveEvent, Settings, Total
from livestall.live.tick import Tick

log = structlog.get_logger()
SNAPSHOT_EVENTS_MAX = 100
SNAPSHOT_BYTES_MAX = 65_536
"""Events, and their bytes, after which a snapshot in memory is built anew for the next newcomer."""
SNAPSHOT_SECONDS_MAX = 30.0
CATCH_UP_BYTES = 32_768
"""What was missed is sent as events up to this size, beyond it as a snapshot."""
IDLE_SECONDS = 60.0
MUST_DO_SECONDS = 2.0
"""While the database is away the snapshot in memory serves on, looked at again after so long."""
RETRY_SECONDS = 0.5


class Loaded(msgspec.Struct, frozen=True):
    """A channel as the database has it: `body` is the snapshot as a JSON object (without type and server_time) that
    holds at least the effects of all events up to `seq`; `recent` are the events before and up to `seq`."""

    seq: int
    body: bytes
    totals: Mapping[str, Any]
    recent: Sequence[LiveEvent] = ()


class Source(Protocol):
    """Where snapshots come from. Raises NotFound, Unavailable."""

    async def load(self, channel: UUID) -> Loaded: ...


class Channel:
    """One open channel in this process."""

    def __init__(self, channel: UUID, hub: Hub, tick: Tick) -> None:
        self.id = channel
        self.readers: dict[Reader, None] = {}
        self.tick = tick
        self.totals: dict[str, Any] = {}
        self.recent: deque[tuple[int, bytes]] = deque(maxlen=MISSED_MAX)
        self.last = 0
        self.snapshot_seq = 0
        self.snapshot_body = b""
        self.loaded_at = 0.0
        self.must_do_until = 0.0
        self.bytes_since = 0
        self.is_open = False
        self.early: list[LiveEvent] = []
        self.early_totals: list[Total] = []
        self.loading: asyncio.Task[None] | None = None
        self.idle_since: float | None = time.monotonic()
        self._hub = hub

    def take(self, event: LiveEvent) -> bool:
        """Say a numbered event. False if events before it are missing here; those already said are ignored."""
        if event.seq <= self.last:
            return True
        if event.seq != self.last + 1:
            return False
        encoded = frames.event(event)
        self.last = event.seq
        self.bytes_since += len(encoded)
        self.recent.append((event.seq, encoded))
        self.tick.event(event.seq, event.kind, encoded)
        return True

    def set_total(self, slot: str, value: Any, key: str | None = None) -> None:
        if key is None:
            if self.totals.get(slot) == value:
                return
            self.totals[slot] = value
        else:
            known = self.totals.setdefault(slot, {})
            if known.get(key) == value:
                return
            known[key] = value
        self.tick.total(slot, value, key)

    def between(self, seq: int, until: int) -> list[bytes] | None:
        """The events after `seq` up to `until`; None if memory does not reach back so far."""
        if seq >= until:
            return []
        if not self.recent or self.recent[0][0] > seq + 1:
            return None
        return [encoded for number, encoded in self.recent if seq < number <= until]

    def is_fresh(self) -> bool:
        now = time.monotonic()
        young = now - self.loaded_at < SNAPSHOT_SECONDS_MAX and self.bytes_since <= SNAPSHOT_BYTES_MAX
        young = young and self.last - self.snapshot_seq <= SNAPSHOT_EVENTS_MAX
        return (young or now < self.must_do_until) and self.between(self.snapshot_seq, self.last) is not None

    def missed(self, seq: int) -> bytes | None:
        """One message that brings a reader who has everything up to `seq` to the last flush; None if only a snapshot
        can."""
        flushed = self.tick.flushed
        encoded = self.between(seq, flushed) if seq <= flushed else None
        if encoded is None:
            return None
        first, last = (seq + 1, flushed) if encoded else (None, None)
        return frames.events(first, last, encoded, self.totals)

    def send_snapshot(self, reader: Reader, role: str) -> None:
        """The snapshot as it was built, the events since then that were already flushed, and the totals of now."""
        self._hub.send(reader, frames.snapshot(_with_role(self.snapshot_body, role)))
        since = self.missed(min(self.snapshot_seq, self.tick.flushed))
        if since is not None:
            self._hub.send(reader, since)


def _with_role(body: bytes, role: str) -> bytes:
    """Shared snapshots are a viewer's; for anyone else the first role in it, which is the reader's own, is changed."""
    return body if role == "viewer" else body.replace(b'"role":"viewer"', b'"role":' + frames.encode(role), 1)


class Channels:
    """All open channels of a gateway."""

    def __init__(
        self, source: Source, hub: Hub, settings: Settings, *, slow: Iterable[str] = (), sampled: Iterable[str] = ()
    ) -> None:
        self._source, self._hub, self._settings = source, hub, settings
        self._slow, self._sampled = frozenset(slow), frozenset(sampled)
        self._open: dict[UUID, Channel] = {}

    def all(self) -> list[Channel]:
        return list(self._open.values())

    def get(self, channel: UUID) -> Channel | None:
        return self._open.get(channel)

    def interval(self) -> float:
        """The tick in seconds: longer when this gateway has more readers than it could serve at the usual tick."""
        return max(self._settings.tick_ms / 1000, self._hub.readers / self._settings.deliveries_per_second)

    def _channel(self, channel: UUID) -> Channel:
        found = self._open.get(channel)
        if found is None:

            def say(payload: bytes, before: int) -> None:
                self._hub.broadcast(opened.readers, payload, before)

            tick = Tick(self._settings, say, self.interval, self._slow, self._sampled)
            opened = self._open[channel] = Channel(channel, self._hub, tick)
            return opened
        return found

    async def join(self, channel_id: UUID, reader: Reader, last_seq: int | None, role: str) -> None:
        """Bring the reader up to date and let it take part. Waits while the database is away. Raises NotFound."""
        channel = self._channel(channel_id)
        channel.idle_since = None
        while not reader.closed:
            if channel.is_open and last_seq is not None and (message := channel.missed(last_seq)) is not None:
                self._hub.send(reader, message)
                break
            if channel.is_open and channel.is_fresh():
                channel.send_snapshot(reader, role)
                break
            await self._load(channel)
        if reader.closed:
            return
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
        channel.set_total("viewers", len(channel.readers))

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
            channel.last = loaded.seq
            channel.tick.start(loaded.seq)
            channel.recent.extend((event.seq, frames.event(event)) for event in loaded.recent)
            channel.totals = {slot: dict(v) if isinstance(v, Mapping) else v for slot, v in loaded.totals.items()}
            channel.is_open = True
        channel.snapshot_seq, channel.snapshot_body = loaded.seq, loaded.body
        channel.loaded_at = time.monotonic()
        channel.bytes_since = 0
        early, channel.early = channel.early, []
        early_totals, channel.early_totals = channel.early_totals, []
        for event in early:
            channel.take(event)
        for total in early_totals:
            channel.set_total(total.slot, total.value, total.key)

    def hear(self, said: Said) -> None:
        """What was said on the bus: pass it to the channels that are open here."""
        gaps: set[UUID] = set()
        for channel_id, event in said.events:
            channel = self._open.get(channel_id)
            if channel is None:
                continue
            if not channel.is_open:
                channel.early.append(event)
            elif not channel.take(event):
                gaps.add(channel_id)
        for total in said.totals:
            channel = self._open.get(total.channel)
            if channel is None:
                continue
            if channel.is_open:
                channel.set_total(total.slot, total.value, total.key)
            else:
                channel.early_totals.append(total)
        for channel_id in gaps:
            self.resync(channel_id)

    def resync(self, channel_id: UUID) -> None:
        """Something was lost on the way: everyone on the channel starts again from a fresh snapshot."""
        channel = self._open.pop(channel_id, None)
        if channel is None:
            return
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
