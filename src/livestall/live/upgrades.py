"""The doorstep of the socket server. A connection that has not finished its upgrade costs memory and a file, and says
nothing about who it is: there are only so many, each has only so long, and the oldest makes room for the newest.

Whoever dribbles a header byte by byte (or says nothing at all) keeps only its like waiting: an honest browser is
through the door in one round trip.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import aiofastnet
from picows import WSAutoPingStrategy, WSTransport
from picows.picows import WSProtocol  # pyright: ignore[reportAttributeAccessIssue] - compiled, not in its stubs

from livestall.live.model import Settings

READ_BUFFER = 1024
"""Bytes at first; grows for who sends more at once. Most of what comes is a hello, a ping, an order."""
BACKLOG = 4096
OVER_LIMIT = 1024
"""Connections beyond the limit that may be on their way out with a polite answer; further ones are hung up on."""
SECOND_LOOK_SECONDS = 0.1
"""A process that was stopped (SIGSTOP, a frozen machine) wakes up with its timers first: what came meanwhile is read
after them. Whoever seems to be late is looked at once more before they are sent away."""


class Deadline:
    """Calls `late` in `seconds` unless cancelled, but not before what lay in the sockets by then was taken in."""

    __slots__ = ("_handle", "_late")

    def __init__(self, seconds: float, late: Callable[[], None]) -> None:
        self._late = late
        self._handle = asyncio.get_running_loop().call_later(seconds, self._look)

    def _look(self) -> None:
        self._handle = asyncio.get_running_loop().call_later(SECOND_LOOK_SECONDS, self._late)

    def cancel(self) -> None:
        self._handle.cancel()


class Doorstep:
    """Counts who is on the doorstep, and hangs up on the oldest when there are too many."""

    def __init__(self, settings: Settings, inside: Callable[[], int]) -> None:
        self._settings = settings
        self._inside = inside
        self._waiting: OrderedDict[asyncio.Transport, Deadline] = OrderedDict()
        self.hung_up = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def came(self, transport: asyncio.Transport) -> None:
        if self._inside() >= self._settings.connections + OVER_LIMIT:
            self._hang_up(transport)
            return
        self._waiting[transport] = Deadline(self._settings.upgrade_seconds, lambda: self._hang_up(transport))
        if len(self._waiting) > self._settings.upgrades_waiting:
            self._hang_up(next(iter(self._waiting)))

    def left(self, transport: asyncio.Transport) -> None:
        """It is inside now, or gone."""
        deadline = self._waiting.pop(transport, None)
        if deadline is not None:
            deadline.cancel()

    def _hang_up(self, transport: asyncio.Transport) -> None:
        self.left(transport)
        self.hung_up += 1
        transport.abort()


class Visitor(WSProtocol):  # pyright: ignore[reportUntypedBaseClass]
    """picows' protocol that tells the doorstep when it comes and when it goes."""

    __slots__ = ("_raw", "doorstep")

    doorstep: Doorstep

    def connection_made(self, transport: asyncio.Transport) -> None:
        self._raw = transport
        super().connection_made(transport)
        self.doorstep.came(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.doorstep.left(self._raw)
        super().connection_lost(exc)


async def listen(
    accept: Callable[[Any], Any], doorstep: Doorstep, settings: Settings,
    host: str, port: int, listener: socket.socket | None,
) -> asyncio.Server:  # fmt: skip
    """Serve sockets at `host` and `port`, or on a bound `listener`."""
    logger = logging.getLogger("picows.server")

    def visitor() -> Visitor:
        one = Visitor(
            None, None, False, accept, logger, True, None,  # the doorstep's deadline, not picows'
            True, settings.ping_seconds, settings.ping_seconds, WSAutoPingStrategy.PING_WHEN_IDLE,
            # Pongs are sent by the connection, at the pace of its commands: who floods pings and reads nothing
            # would fill our memory with answers.
            False,
            # The frame that is too large by a little gets a sentence from us; picows closes for the far too large.
            2 * settings.frame_bytes, None, READ_BUFFER,
        )  # fmt: skip
        one.doorstep = doorstep
        return one

    # The transport that picows itself would take: a write costs a fifth less than the loop's own (bench/fanout.py).
    loop = asyncio.get_running_loop()
    if listener is not None:
        return await aiofastnet.create_server(loop, visitor, sock=listener, backlog=BACKLOG)
    return await aiofastnet.create_server(loop, visitor, host, port, backlog=BACKLOG)


def forget_upgrade(transport: WSTransport) -> None:
    """Let go of a browser's headers and cookies, which picows would keep with each of thousands of sockets."""
    transport.request.path = b""
    transport.request.headers.clear()
    transport.response.headers.clear()
