"""The hub: one encoded frame, written to every reader of a channel, and no reader waited for.

A reader whose connection does not take what is written falls behind: it is skipped until it has drained, then brought
up to date. What waits for it is bounded; beyond the bound, or after too long without progress, it is cut off.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Any

from livestall.live import frames
from livestall.live.model import Settings

SLICE = 2000
"""Writes after which the loop gets a turn, so that commands do not wait behind a broadcast."""

BEHIND_BYTES = 16_384
"""Bytes waiting in user space from which on a reader counts as behind."""

MARK = b'"livestall-'
"""Stands in frames where each reader needs something of its own (see `Edge`)."""

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
        "behind", "closed", "edge", "last_size", "limit", "missed_from", "on_drained", "on_resync", "since", "stuck",
        "transport",
    )  # fmt: skip

    def __init__(self, transport: asyncio.Transport, edge: Edge, settings: Settings) -> None:
        self.transport = transport
        self.edge = edge
        self.limit = settings.buffer_bytes
        self.behind = False
        self.closed = False
        self.missed_from: int | None = None
        """Number of the last event this reader has, once it was skipped."""
        self.since = 0
        self.stuck = 0.0
        self.last_size = 0
        self.on_drained: Callable[[], None] | None = None
        self.on_resync: Callable[[], None] | None = None
        transport.set_write_buffer_limits(high=BEHIND_BYTES, low=0)
        connection: socket.socket | None = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, settings.send_buffer_bytes)


class Hub:
    """Writes frames. Counts what it skipped (`dropped`) and whom it cut off (`cut`)."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._work: deque[tuple[int, int, list[Reader], bytes | None, bytes]] = deque()
        self._at = 0
        self._pumping = False
        self._serial = 0
        self._behind: set[Reader] = set()
        self.readers = 0
        self.delivered = 0
        self.dropped = 0
        self.cut = 0

    def join(self, reader: Reader) -> None:
        """From now on the reader takes part: frames broadcast earlier are not for it."""
        reader.since = self._serial

    def broadcast(self, readers: Collection[Reader], payload: bytes, before: int) -> None:
        """Write `payload` to `readers`. `before` is the number of the last event before it, for those who miss it."""
        self._serial += 1
        shared = None if MARK in payload else frames.websocket_text(payload)
        self._work.append((self._serial, before, list(readers), shared, payload))
        if not self._pumping:
            self._pump()

    def _pump(self) -> None:
        budget = SLICE
        while self._work:
            serial, before, readers, shared, payload = self._work[0]
            part = readers[self._at : self._at + budget]
            self._write(part, serial, before, shared, payload)
            self._at += len(part)
            budget -= len(part)
            if self._at >= len(readers):
                self._work.popleft()
                self._at = 0
            if budget <= 0 and self._work:
                self._pumping = True
                asyncio.get_running_loop().call_soon(self._pump)
                return
        self._pumping = False

    def _write(self, readers: list[Reader], serial: int, before: int, shared: bytes | None, payload: bytes) -> None:
        own: dict[int, bytes] = {}
        delivered = 0
        for reader in readers:
            if reader.closed or reader.since >= serial:
                continue
            if reader.behind:
                self._skip(reader, before)
                continue
            frame = shared
            if frame is None:
                key = id(reader.edge)
                frame = own.get(key)
                if frame is None:
                    frame = own[key] = frames.websocket_text(reader.edge.render(payload))
            reader.transport.write(frame)
            delivered += 1
        self.delivered += delivered

    def send(self, reader: Reader, payload: bytes) -> None:
        """Write something of the reader's own: an answer, a snapshot. Cuts it off if too much is waiting already."""
        if reader.closed:
            return
        if reader.behind and reader.transport.get_write_buffer_size() > reader.limit:
            self.cut_off(reader)
            return
        frame = frames.websocket_text(reader.edge.render(payload))
        if not reader.behind:  # a frame may be larger than the bound; what may wait behind it is not
            reader.limit = self._settings.buffer_bytes + len(frame)
        reader.transport.write(frame)

    def _skip(self, reader: Reader, before: int) -> None:
        self.dropped += 1
        if reader.missed_from is None:
            reader.missed_from = before
        if reader.transport.get_write_buffer_size() > reader.limit:
            self.cut_off(reader)

    def paused(self, reader: Reader) -> None:
        """The connection does not take more at the moment."""
        reader.behind = True
        reader.stuck = time.monotonic()
        reader.last_size = reader.transport.get_write_buffer_size()
        self._behind.add(reader)

    def resumed(self, reader: Reader) -> None:
        """Everything written has left; whoever missed something is now brought up to date."""
        reader.behind = False
        reader.limit = self._settings.buffer_bytes
        self._behind.discard(reader)
        if reader.missed_from is not None and reader.on_drained is not None and not reader.closed:
            reader.on_drained()

    def cut_off(self, reader: Reader) -> None:
        """Drop the connection at once: RST, so that the kernel frees what it still holds for it."""
        if reader.closed:
            return
        self.cut += 1
        self.left(reader)
        connection: Any = reader.transport.get_extra_info("socket")
        if connection is not None:
            with suppress(OSError):  # the other side was quicker
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        reader.transport.abort()

    def left(self, reader: Reader) -> None:
        reader.closed = True
        self._behind.discard(reader)

    def cut_off_stuck(self) -> None:
        """Called every second: cut off whoever took nothing for too long."""
        now = time.monotonic()
        for reader in list(self._behind):
            size = reader.transport.get_write_buffer_size()
            if size < reader.last_size:
                reader.stuck = now
            reader.last_size = size
            if now - reader.stuck > self._settings.stalled_seconds:
                self.cut_off(reader)
