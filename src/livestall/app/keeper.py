"""Keeps one process of a plane up: brought back when it dies, replaced by a fresh one without a refused connection."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import msgspec
import structlog

from livestall.app import handoff
from livestall.base.metrics import Counter

log = structlog.get_logger()
BACKOFF_SECONDS = (0.1, 0.3, 1, 2, 5, 10)
CALM_SECONDS = 30
"""A process that has run this long is no longer counted as failing."""

READY_SECONDS_MAX = 60
CLOSED_SECONDS_MAX = 5
LEAVE_SECONDS = 15
"""What a replaced process has to end in good order, besides the shows that a media process carries to their end."""

DEATHS = Counter("livestall_serve_deaths_total", "Processes that died and were started again", ["plane"])
RELOADS = Counter("livestall_serve_replaced_total", "Processes replaced by fresh ones", ["plane"])


class Plane(msgspec.Struct, frozen=True):
    """One child process: `livestall <name>`, the `number`-th of its plane from 0. `ports` are the (setting, host,
    port) it listens on; `carry_seconds` is how long it may go on with what it carries once it was replaced."""

    name: str
    ports: Sequence[tuple[str, str, int]] = ()
    number: int = 0
    own_ports: bool = False
    """Its ports are told to it, as they are not those of the settings."""
    carry_seconds: float = 0.0


class NotReplaced(RuntimeError):
    """The fresh process did not get ready, and the old one goes on; the message says why."""


class Child:
    """One running process and the line to it."""

    def __init__(self, process: asyncio.subprocess.Process, line: socket.socket) -> None:
        self.process, self._line = process, line
        self.born = time.monotonic()
        self.ready, self.closed = asyncio.Event(), asyncio.Event()
        self.address = ""
        self._listener = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        loop, rest = asyncio.get_running_loop(), b""
        while data := await _receive(loop, self._line):
            *words, rest = (rest + data).split(b"\n")
            for word in words:
                verb, _, what = word.decode().partition(" ")
                if verb == "ready":
                    self.ready.set()
                elif verb == "closed":
                    self.address = what
                    self.closed.set()
        self.closed.set()

    def say(self, word: str) -> None:
        with suppress(OSError):  # it is gone, which its keeper sees by itself
            self._line.send(f"{word}\n".encode())

    async def ended(self) -> int:
        """Wait for its end, then for that of whatever it started; returns the exit code."""
        code = await self.process.wait()
        end_group(self.process.pid)
        self._listener.cancel()
        self._line.close()
        return code


async def _receive(loop: asyncio.AbstractEventLoop, line: socket.socket) -> bytes:
    try:
        return await loop.sock_recv(line, handoff.READ_BYTES)
    except OSError:
        return b""


class Keeper:
    """Runs one plane for ever. `environment()` is asked at each start; the listening sockets stay ours for good."""

    def __init__(self, plane: Plane, environment: Callable[[], Mapping[str, str]]) -> None:
        self.plane = plane
        self._environment = environment
        DEATHS.labels(plane.name)  # from 0, so that the first death is an increase
        RELOADS.labels(plane.name)
        self._sockets = {_name(setting): handoff.bind(host, port) for setting, host, port in plane.ports}
        self._current: Child | None = None
        self._elders: list[Child] = []
        self._replacing, self._replaced = asyncio.Lock(), asyncio.Event()
        self._farewells: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Run it, again after it dies, later each time it dies young."""
        deaths = 0
        while True:
            child = await self._spawn()
            child.say(self._go())
            self._current = child
            code = await self._end_of_the_line()
            deaths = 0 if time.monotonic() - self._current.born > CALM_SECONDS else deaths
            delay = BACKOFF_SECONDS[min(deaths, len(BACKOFF_SECONDS) - 1)]
            deaths += 1
            DEATHS.labels(self.plane.name).inc()
            log.error("plane died and is started again", plane=self.plane.name, exit_code=code, after_seconds=delay)
            await asyncio.sleep(delay)

    async def _end_of_the_line(self) -> int:
        """Wait for the end of the child whose place nobody took; returns its exit code."""
        while True:
            self._replaced.clear()
            child = self._current
            assert child is not None
            ended, replaced = asyncio.create_task(child.ended()), asyncio.create_task(self._replaced.wait())
            try:
                await asyncio.wait([ended, replaced], return_when=asyncio.FIRST_COMPLETED)
                async with self._replacing:
                    if ended.done() and self._current is child:
                        return ended.result()
            finally:
                ended.cancel()
                replaced.cancel()

    async def replace(self) -> None:
        """Start a fresh process, and once it is ready let it take the old one's place. Raises NotReplaced."""
        async with self._replacing:
            old = self._current
            if old is None:
                raise NotReplaced(f"{self.plane.name} is not running")
            fresh = await self._spawn()
            if not await _first(fresh.ready, fresh.process, READY_SECONDS_MAX):
                end_group(fresh.process.pid)
                await fresh.ended()
                raise NotReplaced(f"the new {self.plane.name} process did not get ready; the old one goes on")
            self._current = fresh
            self._replaced.set()
            self._elders.append(old)
            old.say("leave")
            await _first(old.closed, old.process, CLOSED_SECONDS_MAX)
            fresh.say(self._go())
            RELOADS.labels(self.plane.name).inc()
            farewell = asyncio.create_task(self._farewell(old))
            self._farewells.add(farewell)
            farewell.add_done_callback(self._farewells.discard)

    async def _farewell(self, old: Child) -> None:
        """Give a replaced process its time, then end it."""
        ended = asyncio.create_task(old.ended())
        for seconds, number in (
            (self.plane.carry_seconds + LEAVE_SECONDS, signal.SIGTERM),
            (LEAVE_SECONDS, signal.SIGKILL),
        ):
            await asyncio.wait([ended], timeout=seconds)
            if ended.done():
                break
            with suppress(ProcessLookupError):
                old.process.send_signal(number)
        await ended
        self._elders.remove(old)

    def _go(self) -> str:
        addresses = [one.address for one in self._elders if one.address and one.process.returncode is None]
        return " ".join(["go", *addresses])

    async def _spawn(self) -> Child:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        descriptors = {name: one.fileno() for name, one in self._sockets.items()}
        own = {setting: str(port) for setting, _, port in self.plane.ports} if self.plane.own_ports else {}
        with theirs:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "livestall.app.cli", self.plane.name,
                env={
                    **self._environment(), **own, handoff.NUMBER: str(self.plane.number),
                    handoff.LINE: str(theirs.fileno()),
                    handoff.SOCKETS: ",".join(f"{name}={one}" for name, one in descriptors.items()),
                },
                stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
                pass_fds=[theirs.fileno(), *descriptors.values()],
            )  # fmt: skip
        return Child(process, ours)

    @property
    def is_ready(self) -> bool:
        return self._current is not None and self._current.ready.is_set()

    def children(self) -> list[Child]:
        """Every process of this keeper, also those that were replaced and still carry something."""
        return [*self._elders, *([self._current] if self._current is not None else [])]

    def close(self) -> None:
        for farewell in self._farewells:
            farewell.cancel()
        for one in self._sockets.values():
            one.close()


def _name(setting: str) -> str:
    """LIVESTALL_MEDIA__RTMP_PORT → media.rtmp_port: how a child asks for the socket."""
    return setting.partition("_")[2].lower().replace("__", ".")


async def _first(event: asyncio.Event, process: asyncio.subprocess.Process, seconds: float) -> bool:
    """Wait for `event`, for the end of `process`, or for so long; True if it was the event."""
    waits = [asyncio.create_task(event.wait()), asyncio.create_task(process.wait())]
    await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for one in waits:
        one.cancel()
    return event.is_set() and process.returncode is None


def end_group(pid: int) -> None:
    """Kill what is left of a child's process group (its own children)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
