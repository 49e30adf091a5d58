"""The live process: sockets, and what they ask for. Any number of them serve the same rooms (see `live.bus`)."""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import socket
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
import structlog
import uvloop
from msgspec import Meta
from picows import WSUpgradeRequest

from livestall import chat, live
from livestall.app import clocks, settings, wiring
from livestall.app.addresses import addresses_of, marks
from livestall.app.audience import Audience
from livestall.app.buying import Buying
from livestall.app.handoff import Handoff
from livestall.app.projector import Projector
from livestall.app.snapshot import ShowSource
from livestall.app.watch import Watch, database_answers
from livestall.base import config, ids, trace
from livestall.base import log as logs
from livestall.base.db import Database
from livestall.base.errors import Refusal, Unauthenticated, Unavailable
from livestall.live import Caller, Command

log = structlog.get_logger()
STOP_SECONDS = 3.0
EDGES_MAX = 64
SLOW_TOTALS = ("viewers", "likes")
GROWING_TOTALS = ("likes",)
SAMPLED_KINDS = ("chat.said",)
PATH = re.compile(r"/api/shows/([0-9a-fA-F-]{36})/live")


class ChatCommand(msgspec.Struct, frozen=True):
    text: Annotated[str, Meta(max_length=2000)]


class LikeCommand(msgspec.Struct, frozen=True):
    count: Annotated[int, Meta(ge=1, le=50)] = 1


class Nothing(msgspec.Struct, frozen=True):
    pass


class Gateway:
    """Everything of one live process."""

    def __init__(self, db: Database, *, bus_url: str = "") -> None:
        options = config.of(live.Settings)
        self.db = db
        self.peers = live.Peers(ids.new())
        self.bus: live.Bus = live.RedisBus(bus_url, self.peers.own) if bus_url else live.LocalBus()
        self.hub = live.Hub(options)
        self.channels = live.Channels(
            ShowSource(db), self.hub, options, slow=SLOW_TOTALS, sampled=SAMPLED_KINDS, growing=GROWING_TOTALS
        )
        self.projector = Projector(db, self.bus, wiring.LIVE_EVENTS, lambda: not self.bus.is_up or self.peers.leads)
        self.audience = Audience(db, self.channels, self.bus, self.peers)
        self.buying = Buying(db, self.channels)
        self.bus.subscribe(self.channels.hear, self._on_gossip)
        self._chat: live.Lane[chat.Message, chat.ChatMessage] = live.Lane(self._say)
        self._edges: OrderedDict[tuple[str, bool], live.Edge] = OrderedDict()
        self._tasks: list[asyncio.Task[None]] = []
        self.server = live.Server(
            self.hub, self.channels, live.Tickets(), self._commands(), options, channel_of, self._edge
        )

    def _commands(self) -> dict[str, Command]:
        own = {
            "chat": Command(ChatCommand, self._on_chat),
            "like": Command(LikeCommand, self._on_like),
            "ping": Command(Nothing, _on_ping),
        }
        return own | {name: make(self.db, self.projector.wake_for_totals) for name, make in wiring.COMMANDS.items()}

    async def _say(self, messages: Sequence[chat.Message]) -> Sequence[chat.ChatMessage | Refusal]:
        answers = await self.db.run(lambda tx: chat.say(tx, messages))
        self.projector.wake()
        return answers

    async def _on_chat(self, caller: Caller, command_id: UUID, body: ChatCommand) -> chat.ChatMessage:
        if caller.person is None:
            raise Unauthenticated
        return await self._chat.add(chat.Message(command_id, caller.channel, caller.person, caller.name, body.text))

    async def _on_like(self, caller: Caller, command_id: UUID, body: LikeCommand) -> dict[str, int]:
        return {"likes": await self.audience.like(caller.channel, command_id, body.count)}

    def _edge(self, request: WSUpgradeRequest) -> live.Edge:
        host = request.headers.get("Host", "")[:300]
        secure = request.headers.get("X-Forwarded-Proto", "") in {"https", "wss"}
        known = self._edges.get((host, secure))
        if known is None:
            known = self._edges[host, secure] = live.Edge(marks(addresses_of(host, secure=secure)))
            if len(self._edges) > EDGES_MAX:
                self._edges.popitem(last=False)
        return known

    async def start(self, host: str, port: int, listener: socket.socket | None = None) -> int:
        """Serve, on `listener` if one is bound already; returns the port."""
        port = await self.server.start(host, port, listener)
        await self.bus.start()
        gaps = self.channels.gaps.run(self._hears_all)
        for work in (self.projector.run(), self.audience.run(), gaps, self.buying.run()):
            self._tasks.append(asyncio.create_task(work))
        return port

    def _hears_all(self) -> bool:
        """Whether everything that other gateways say arrives here by itself."""
        return self.bus.is_up and self.peers.all_heard

    def _on_gossip(self, told: live.Present | live.Nudge) -> None:
        if isinstance(told, live.Present):
            self.peers.hear(told)
        else:
            self.projector.nudged()

    async def step_aside(self) -> None:
        """Accept nobody more and project nothing more: from now on the process that follows does both."""
        self.server.stop_accepting()
        self.projector.stop()
        await asyncio.wait(self._tasks[:1], timeout=STOP_SECONDS)

    async def close(self) -> None:
        """Answer what is under way, say bye, take this gateway off the list, stop."""
        for task in self._tasks:
            task.cancel()
        await self.server.close(Unavailable())
        for command in self.server.commands.values():
            if command.close is not None:
                await command.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.channels.gaps.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.audience.leave()
        except TimeoutError:
            log.warning("the last counts were not kept")
        await self.bus.close()


def channel_of(path: str) -> UUID | None:
    """The show that a socket's path names."""
    match = PATH.fullmatch(path)
    try:
        return None if match is None else UUID(match[1])
    except ValueError:
        return None


async def _on_ping(_caller: Caller, _command_id: UUID, _body: Nothing) -> dict[str, float]:
    return {"at": time.time()}


async def serve(db: Database, host: str, port: int, stop: asyncio.Event, *, bus_url: str = "") -> None:
    """Run a gateway until `stop` is set."""
    gateway = Gateway(db, bus_url=bus_url)
    watch, handoff = Watch("live", [database_answers(db)]), Handoff(stop.set)
    listener = handoff.listener("live.port", host, port)
    await handoff.go()
    await gateway.start(host, port, listener)
    watch.start()
    comparing = asyncio.create_task(clocks.keep_comparing(db, "live"), name="clock")
    log.info("live gateway listens", host=host, port=port)
    await stop.wait()
    watch.leave()
    comparing.cancel()
    await gateway.step_aside()
    handoff.closed()
    await gateway.close()


async def _main(core: settings.Core) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    db = Database(core.database_url, minimum=2, maximum=10)
    try:
        await serve(db, config.of(settings.Web).host, config.of(settings.Live).port, stop, bus_url=core.bus_url)
    finally:
        await db.close()


def run() -> None:
    """The entry of `livestall live`."""
    core = settings.load_for_plane()
    options = config.of(settings.Logs)
    logs.set_up("live", as_json=options.as_json, level=options.level)
    trace.set_up("live")
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvloop.run(_main(core))
