"""The socket server: takes sockets in, hands what they say to their connections, and the answers out."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import msgspec
import picows
import structlog
from picows import WSCloseCode, WSUpgradeRequest

from livestall.base import faults
from livestall.base.errors import Refusal, Unavailable
from livestall.base.http import problem_json
from livestall.base.metrics import Counter
from livestall.live import frames
from livestall.live.channels import Channels
from livestall.live.commands import Heard, Swift
from livestall.live.connection import BYE_SECONDS, Connection
from livestall.live.hub import LOOK_SECONDS, MARK, Edge, Hub, Reader
from livestall.live.model import Command, NotUnderstood, Settings
from livestall.live.tickets import Tickets
from livestall.live.upgrades import Doorstep, listen

log = structlog.get_logger()
COMMANDS = Counter("livestall_socket_commands_total", "Commands that came over sockets", ["command"])
REFUSALS = Counter("livestall_socket_refusals_total", "Commands refused, by the code of the refusal", ["code"])
UNKNOWN = "unknown"
BYE_RETRY_SECONDS_MIN = 0.1
BROKEN_RETRY_SECONDS = 5
READ_SLICE = 128
COME_BACK_SECONDS, COME_BACK_PER_SECOND = 1.0, 2000
"""Whoever is told bye because the process ends comes back within so long, not more than so many a second."""

Route = Callable[[str], UUID | None]
"""The channel that a path names, None for a path that is no socket's."""


class Server:
    """Listens for sockets until closed.

    In a rush the frames of one turn of the loop are all taken in before the first is read, and answers are written
    together: one step for all of them at a time stays in the processor's caches (decision 36).
    """

    def __init__(
        self, hub: Hub, channels: Channels, tickets: Tickets, commands: Mapping[str, Command], settings: Settings,
        route: Route, edge: Callable[[WSUpgradeRequest], Edge],
    ) -> None:  # fmt: skip
        self.hub, self.channels, self.tickets = hub, channels, tickets
        self.commands, self.settings = commands, settings
        self._read = {name: msgspec.json.Decoder(one.form).decode for name, one in commands.items()}
        self.swift = {name: Swift(name, one, self._read[name]) for name, one in commands.items() if one.start}
        self.heard = Heard()
        self._counts = dict.fromkeys((*commands, UNKNOWN), 0)
        self._refused: dict[str, int] = {}
        self.connections: set[Connection] = set()
        self.doorstep = Doorstep(settings, lambda: len(self.connections))
        self._route, self._edge = route, edge
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._came: deque[tuple[Connection, bytes]] = deque()
        self._answers: list[tuple[Reader, bytes]] = []

    async def start(self, host: str, port: int, listener: socket.socket | None = None) -> int:
        """Listen, on `listener` if one is bound already; returns the port, which the system chose if `port` is 0."""
        self._server = await listen(self._accept, self.doorstep, self.settings, host, port, listener)
        self.keep(asyncio.create_task(self._watch()))
        return self._server.sockets[0].getsockname()[1]

    def came(self, connection: Connection, payload: bytes) -> None:
        """A frame, to be read together with the others that came in this turn of the loop."""
        if not self._came:
            asyncio.get_running_loop().call_soon(self._read_all)
        self._came.append((connection, payload))

    def _read_all(self) -> None:
        """In slices, in the order in which they came: while a rush is read, those who came first are decided."""
        came = self._came
        for _ in range(min(len(came), READ_SLICE)):
            connection, payload = came.popleft()
            try:
                connection.read(payload)
            except Exception:
                log.exception("a frame could not be read")
                connection.bye(Unavailable(), WSCloseCode.INTERNAL_ERROR, BROKEN_RETRY_SECONDS)
        if came:
            asyncio.get_running_loop().call_soon(self._read_all)
        for kind, one in self.swift.items():
            self._counts[kind] += one.take_count()
        for kind, count in self._counts.items():
            if count:
                COMMANDS.labels(kind).inc(count)
                self._counts[kind] = 0

    def refuse(self, reader: Reader, command_id: UUID, refusal: Refusal, locale: str) -> None:
        """Answer `reader` with a refusal, together with what others are answered in this turn of the loop."""
        code, refused = refusal.code, self._refused
        refused[code] = refused.get(code, 0) + 1
        if not self._answers:
            asyncio.get_running_loop().call_soon(self.send_answers)
        self._answers.append((reader, frames.refusal(command_id, problem_json(refusal, locale))))

    def answer(self, reader: Reader, payload: bytes) -> None:
        """Send `payload` to `reader`, together with what others are answered in this turn of the loop."""
        if not self._answers:
            asyncio.get_running_loop().call_soon(self.send_answers)
        self._answers.append((reader, reader.edge.render(payload) if MARK in payload else payload))

    def send_answers(self) -> None:
        """Write what waits now; called before a connection says bye, so that its answers come first."""
        answers, self._answers = self._answers, []
        self.hub.send_each(answers)
        for code, count in self._refused.items():
            REFUSALS.labels(code).inc(count)
        self._refused.clear()

    def refused_unheard(self, code: str) -> None:
        """Count a refusal that nobody is left to hear."""
        REFUSALS.labels(code).inc()

    def read_command(self, kind: str, payload: bytes) -> tuple[Callable[..., Awaitable[Any]], Any]:
        """What to await, and the body of the message. Raises NotUnderstood."""
        command = self.commands.get(kind)
        if command is None or command.run is None:
            raise NotUnderstood(reason=f"there is no command {kind[:32]!r}")
        try:
            return command.run, self._read[kind](payload)
        except msgspec.MsgspecError as error:
            raise NotUnderstood(reason=faults.of_error(error)) from error

    def takes(self, kind: str) -> None:
        """Counts a command that is not a swift one."""
        self._counts[kind if kind in self._counts else UNKNOWN] += 1

    def keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _accept(self, request: WSUpgradeRequest) -> Any:
        path, _, query = request.path.decode("latin-1").partition("?")
        if path == "/health":
            return picows.WSUpgradeResponseWithListener(picows.WSUpgradeResponse.create_ok_response(b"ok"), None)
        channel = self._route(path)
        if channel is None:
            return None
        ticket = parse_qs(query, max_num_fields=8).get("ticket", [""])[0]
        locale = request.headers.get("Accept-Language", "en")[:2].lower()
        return Connection(self, channel, ticket, locale, self._edge(request))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            self.hub.cut_off_stuck()
            self.channels.forget_idle()

    def stop_accepting(self) -> None:
        if self._server is not None:
            self._server.close()

    async def close(self, refusal: Refusal) -> None:
        """Stop listening, answer what is under way, say bye to everyone so that they come back spread over a while,
        and wait until they have hung up."""
        self.stop_accepting()
        leaving = list(self.connections)
        spread = max(COME_BACK_SECONDS, len(leaving) / COME_BACK_PER_SECOND) / max(1, len(leaving))
        await asyncio.gather(*(one.leave(refusal, BYE_RETRY_SECONDS_MIN + n * spread) for n, one in enumerate(leaving)))
        for task in self._tasks:
            task.cancel()
        deadline = time.monotonic() + 2 * BYE_SECONDS
        while self.connections and time.monotonic() < deadline:  # noqa: ASYNC110 - no event tells it
            await asyncio.sleep(0.02)
        for channel in self.channels.all():
            channel.tick.close()
