"""A process and the supervisor that started it: its number, the sockets it inherits, and how it takes over.

The supervisor keeps the listening sockets of every process and hands them down, so connections wait in the kernel
while one process follows another, and none is refused. On a line of its own the child says "ready", hears "go" when it
may accept, hears "leave" when another is to take its place, and says "closed" once it accepts nothing more; "closed"
may carry an address where what it still carries is reached. Started by hand a process binds its own sockets, so that
several may share a port, and goes at once.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Sequence

NUMBER = "LIVESTALL_NUMBER"
"""Environment variable: which of its plane's processes this is, from 0."""

LINE = "LIVESTALL_LINE"
"""Environment variable: the file descriptor of the line to the supervisor."""

SOCKETS = "LIVESTALL_SOCKETS"
"""Environment variable: inherited listening sockets, "name=descriptor" by comma."""

READ_BYTES = 65_536


def bind(host: str, port: int) -> socket.socket:
    """A bound TCP socket that does not listen yet. Several may be bound to one port: the kernel shares out. Raises
    OSError when another program has the port."""
    family, kind, proto, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    bound = socket.socket(family, kind, proto)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(where)
    except OSError:
        bound.close()
        raise
    bound.setblocking(False)
    return bound


def number() -> int:
    """Which of its plane's processes this is, from 0."""
    told = os.environ.get(NUMBER, "")
    return int(told) if told.isdigit() else 0


class Handoff:
    """The child's end. `on_leave` is called once when another process is to take this one's place."""

    def __init__(self, on_leave: Callable[[], None]) -> None:
        self._on_leave = on_leave
        told = os.environ.get(LINE, "")
        self._line = socket.socket(fileno=int(told)) if told.isdigit() else None
        pairs = (one.partition("=") for one in os.environ.get(SOCKETS, "").split(",") if one)
        self._inherited = {name: int(descriptor) for name, _, descriptor in pairs}
        self._heard = asyncio.Event()
        self._reader: asyncio.Task[None] | None = None
        self.elders: Sequence[str] = ()
        """Where processes that leave this one's place still carry something."""
        if self._line is not None:
            self._line.setblocking(False)

    def listener(self, name: str, host: str, port: int) -> socket.socket:
        """The socket to accept on: inherited, or bound now. Raises OSError when the port is taken."""
        descriptor = self._inherited.get(name)
        if descriptor is None:
            return bind(host, port)
        inherited = socket.socket(fileno=descriptor)
        inherited.setblocking(False)
        return inherited

    async def go(self) -> None:
        """Say that this process can take over, and return when it may accept."""
        if self._line is None:
            return
        self._say("ready")
        self._reader = asyncio.create_task(self._read(self._line), name="handoff")
        await self._heard.wait()

    def closed(self, address: str = "") -> None:
        """Say that this process accepts nothing more; at `address` it still answers for what it carries."""
        self._say(f"closed {address}".strip())

    def _say(self, word: str) -> None:
        if self._line is not None:
            try:
                self._line.send(f"{word}\n".encode())
            except OSError:
                return  # the supervisor is gone, and so are we in a moment

    async def _read(self, line: socket.socket) -> None:
        loop, rest = asyncio.get_running_loop(), b""
        while True:
            data = await loop.sock_recv(line, READ_BYTES)
            if not data:
                self._heard.set()
                return
            *words, rest = (rest + data).split(b"\n")
            for word in words:
                verb, _, what = word.decode().partition(" ")
                if verb == "go":
                    self.elders = tuple(what.split())
                    self._heard.set()
                elif verb == "leave":
                    self._on_leave()
