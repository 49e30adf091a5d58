"""The hub: one encoded frame, written to every reader of a channel, and no reader waited for.

A reader whose connection does not take what is written falls behind: it is skipped until it has drained, then brought
up to date. What waits for it is bounded; beyond the bound, or after too long without progress, it is cut off.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from livestall.base import metrics
from livestall.live import frames
from livestall.live.model import Settings

DELIVERED = Counter("livestall_live_delivered_total", "Frames written to readers")
SKIPPED = Counter(
    "livestall_live_skipped_total", "Frames that readers who were behind did not get; they catch up later"
)
CUT = Counter("livestall_live_cut_total", "Readers cut off because they did not read")
BROADCAST = Histogram(
    "livestall_live_broadcast_seconds", "From a broadcast to the last of its readers", buckets=metrics.SECONDS
)
BEHIND = Gauge("livestall_live_behind_readers", "Readers whose connection does not take more at the moment")
WAITING = Gauge("livestall_live_waiting_bytes", "Bytes that wait in this process for readers who are behind")
QUEUED = Gauge("livestall_live_queued_broadcasts", "Broadcasts of which not all readers have been served")

SLICE = 2000
"""Writes after which the loop gets a turn, so that commands do not wait behind a broadcast."""

BEHIND_BYTES = 16_384
"""Bytes waiting in user space from which on a reader counts as behind."""

UNSENT_BYTES = 16_384
"""Bytes that the kernel takes in for a reader who makes no room for them. What is on its way to an honest reader does
not count, so its line stays as wide as `send_buffer_bytes`; who reads nothing holds a fraction of that. Twenty thousand
of the silent would otherwise reach the kernel's limit for all of TCP (net.ipv4.tcp_mem), and everybody would wait."""

MARK = b'"livestall-'
"""Stands in frames where each reader needs something of its own (see `Edge`)."""

HELD = 1 << 62
"""Stands for a broadcast that never comes: a reader that takes part from there on is written nothing."""

LOOK_SECONDS = 1.0
"""How often it is looked whether somebody who is behind has taken anything."""

RESET = struct.pack("ii", 1, 0)


class Edge:
    """How a group of readers reaches us: replaces marks in a frame by what holds for them."""

    def __init__(self, replacements: dict[bytes, bytes]) -> None:
        self._replacements = replacements

    def render(self, payload: bytes) -> bytes:
        if MARK in payload:
            for mark, value in self._replacements.items():
                payload = payload.replace(mark, value)
        return payload


class Reader:
    """One connection, as the hub sees it."""

    __slots__ = (
        "behind", "closed", "edge", "joined", "last_size", "limit", "missed_from", "on_drained", "on_resync", "since",
        "stuck", "transport", "write",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, edge: Edge, settings: Settings) -> None:
        self.transport = transport
        self.write = transport.write
        self.edge = edge
        self.limit = settings.buffer_bytes
        self.behind = False
        self.closed = False
        self.missed_from: int | None = None
        """Number of the last event this reader has, once it was skipped."""
        self.joined = 0
        """Number of the last broadcast that is not for this reader."""
        self.since = 0
        """`joined` while the reader is written to, HELD while it is behind or gone: all that a broadcast looks at."""
        self.stuck = 0.0
        self.last_size = 0
        self.on_drained: Callable[[], None] | None = None
        self.on_resync: Callable[[], None] | None = None
        transport.set_write_buffer_limits(high=BEHIND_BYTES, low=0)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)
            if connection.family != socket.AF_UNIX and hasattr(socket, "TCP_NOTSENT_LOWAT"):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


class Broadcast:
    """A frame on its way to readers: `shared` for all of them, or made for each edge from `payload`."""

    __slots__ = ("at", "before", "begun", "payload", "readers", "serial", "shared")

    def __init__(self, serial: int, before: int, readers: list[Reader], payload: bytes) -> None:
        self.serial, self.before, self.readers, self.payload = serial, before, readers, payload
        self.shared = None if MARK in payload else frames.websocket_text(payload)
        self.at = 0
        self.begun = time.monotonic()


class Hub:
    """Writes frames. Counts what it skipped (`dropped`) and whom it cut off (`cut`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work: deque[Broadcast] = deque()
        self._pumping = False
        self._serial = 0
        self._behind: set[Reader] = set()
        self._took = 0.0
        self._looked = time.monotonic()
        self.readers = 0
        self.delivered = 0
        self.dropped = 0
        self.cut = 0
        HUBS.add(self)

    def join(self, reader: Reader) -> None:
        """From now on the reader takes part: frames broadcast earlier are not for it."""
        reader.joined = self._serial
        if not (reader.behind or reader.closed):
            reader.since = reader.joined

    def broadcast(self, readers: Collection[Reader], payload: bytes, before: int) -> None:
        """Write `payload` to `readers`. `before` is the number of the last event before it, for those who miss it."""
        self._serial += 1
        self._work.append(Broadcast(self._serial, before, list(readers), payload))
        if not self._pumping:
            self._pump()

    def lag(self) -> float:
        """Seconds that a broadcast takes at the moment, from its beginning to its last reader."""
        return max(self._took, time.monotonic() - self._work[0].begun) if self._work else self._took

    def _pump(self) -> None:
        budget = SLICE
        while self._work:
            work = self._work[0]
            part = work.readers[work.at : work.at + budget]
            self._write(part, work)
            work.at += len(part)
            budget -= len(part)
            if work.at >= len(work.readers):
                self._work.popleft()
                self._took = time.monotonic() - work.begun
                BROADCAST.observe(self._took)
            if budget <= 0 and self._work:
                self._pumping = True
                asyncio.get_running_loop().call_soon(self._pump)
                return
        self._pumping = False

    def _write(self, readers: list[Reader], work: Broadcast) -> None:
        serial, shared, skipped = work.serial, work.shared, 0
        own: dict[int, bytes] = {}
        for reader in readers:
            if reader.since >= serial:
                self._pass_over(reader, work)
                skipped += 1
            elif shared is not None:
                reader.write(shared)
            else:
                frame = own.get(id(reader.edge))
                if frame is None:
                    frame = own[id(reader.edge)] = frames.websocket_text(reader.edge.render(work.payload))
                reader.write(frame)
        self.delivered += len(readers) - skipped
        DELIVERED.inc(len(readers) - skipped)

    def _pass_over(self, reader: Reader, work: Broadcast) -> None:
        """A reader that is not written to: gone, come later, or behind."""
        if reader.closed or not reader.behind or reader.joined >= work.serial:
            return
        self.dropped += 1
        SKIPPED.inc()
        if reader.missed_from is None:
            reader.missed_from = work.before
        if reader.transport.get_write_buffer_size() > reader.limit:
            self.cut_off(reader)

    def send(self, reader: Reader, payload: bytes) -> None:
        """Write something of the reader's own: an answer, a snapshot. Cuts it off if too much is waiting already."""
        self.send_each([(reader, reader.edge.render(payload))])

    def send_each(self, answers: Iterable[tuple[Reader, bytes]]) -> None:
        """`send` to many, what is rendered already."""
        limit = self._settings.buffer_bytes
        for reader, payload in answers:
            if reader.closed:
                continue
            if not reader.behind:
                frame = frames.websocket_text(payload)
                reader.limit = limit + len(frame)  # it may be larger than the bound; what may wait behind it is not
                reader.write(frame)
            elif reader.transport.get_write_buffer_size() > reader.limit:
                self.cut_off(reader)
            else:
                reader.write(frames.websocket_text(payload))

    def paused(self, reader: Reader) -> None:
        """The connection does not take more at the moment."""
        reader.behind = True
        reader.since = HELD
        reader.stuck = time.monotonic()
        reader.last_size = reader.transport.get_write_buffer_size()
        self._behind.add(reader)

    def resumed(self, reader: Reader) -> None:
        """Everything written has left; whoever missed something is now brought up to date."""
        reader.behind = False
        reader.since = HELD if reader.closed else reader.joined
        reader.limit = self._settings.buffer_bytes
        self._behind.discard(reader)
        if reader.missed_from is not None and reader.on_drained is not None and not reader.closed:
            reader.on_drained()

    def cut_off(self, reader: Reader) -> None:
        """Drop the connection at once: RST, so that the kernel frees what it still holds for it."""
        if reader.closed:
            return
        self.cut += 1
        CUT.inc()
        self.left(reader)
        connection: Any = reader.transport.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):  # the other side was quicker
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        reader.transport.abort()

    def left(self, reader: Reader) -> None:
        reader.closed = True
        reader.since = HELD
        self._behind.discard(reader)

    def cut_off_stuck(self) -> None:
        """Called every second: cut off whoever took nothing for too long, not counting time in which we stood still."""
        now = time.monotonic()
        still, self._looked = max(0.0, now - self._looked - LOOK_SECONDS), now
        for reader in list(self._behind):
            if still > LOOK_SECONDS:
                reader.stuck = min(now, reader.stuck + still)
            size = reader.transport.get_write_buffer_size()
            if size < reader.last_size:
                reader.stuck = now
            reader.last_size = size
            if now - reader.stuck > self._settings.stalled_seconds:
                self.cut_off(reader)

    def count_behind(self) -> int:
        return len(self._behind)

    def count_queued(self) -> int:
        return len(self._work)

    def waiting_bytes(self) -> int:
        """Bytes that wait in this process for readers who are behind."""
        return sum(reader.transport.get_write_buffer_size() for reader in list(self._behind))


HUBS: weakref.WeakSet[Hub] = weakref.WeakSet()
metrics.sum_of(BEHIND, HUBS, Hub.count_behind)
metrics.sum_of(WAITING, HUBS, Hub.waiting_bytes)
metrics.sum_of(QUEUED, HUBS, Hub.count_queued)
