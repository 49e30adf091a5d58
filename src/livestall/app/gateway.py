"""The live process: sockets, and the projector that turns what happened into numbered events of rooms.

The projector is the outbox's listener "live". In one transaction it takes the next events, asks each feature what the
room hears of them, numbers and stores that, and moves its cursor; after the commit it says it to everyone. A restart
loses nothing: what was numbered but not said is read by clients that come back with the number they have.
"""

from __future__ import annotations

import asyncio
import gc
import re
import signal
import socket
import time
from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Annotated, Any
from uuid import UUID

import msgspec
import structlog
import uvloop
from msgspec import Meta
from picows import WSUpgradeRequest

from livestall import chat, live, rooms
from livestall.app import settings, wiring
from livestall.app.addresses import addresses_of, marks
from livestall.app.handoff import Handoff
from livestall.app.snapshot import ShowSource
from livestall.app.watch import Watch, database_answers
from livestall.base import config
from livestall.base import log as logs
from livestall.base.db import Database, Tx
from livestall.base.errors import Refusal, Unauthenticated, Unavailable
from livestall.base.outbox import Delivered, Event, claim, waiting
from livestall.live import Caller, Command, NewEvent, Said, Total

log = structlog.get_logger()
LISTENER = "live"
IDLE_SECONDS = 0.05
LOST_SECONDS = 0.5
AUDIENCE_SECONDS = 3.0
STOP_SECONDS = 3.0
LIKES_REMEMBERED = 20_000
EDGES_MAX = 64
SLOW_TOTALS = ("viewers", "likes")
SAMPLED_KINDS = ("chat.said",)
PATH = re.compile(r"/api/shows/([0-9a-fA-F-]{36})/live")


class Projector:
    """Tails the outbox. `wake` after a local commit makes it look at once."""

    def __init__(self, db: Database, bus: live.Bus, projections: Mapping[type[Event], Any]) -> None:
        self._db, self._bus = db, bus
        self._projections = projections
        self._topics = [event.topic for event in projections]
        self._woken = asyncio.Event()
        self._stopping = False

    def stop(self) -> None:
        """End `run` after the batch under way."""
        self._stopping = True
        self._woken.set()

    def wake(self) -> None:
        self._woken.set()

    async def run(self) -> None:
        """Project until stopped; while the database is away, wait for it."""
        while not self._stopping:
            pause, moved = IDLE_SECONDS, False
            try:
                moved = await self.step()
            except Unavailable:
                pause = LOST_SECONDS
            except Exception:
                log.exception("projector failed")
                pause = LOST_SECONDS
            if moved:
                continue
            try:
                await asyncio.wait_for(self._woken.wait(), pause)
            except TimeoutError:
                continue
            self._woken.clear()

    async def step(self) -> bool:
        """Project one batch; True if there was something to do."""
        async with self._db.read() as read:
            if LISTENER not in await waiting(read, [LISTENER]):
                return False
        try:
            async with self._db.write() as tx:
                batch = await claim(tx, LISTENER, self._topics)
                said = await self._project(tx, batch or [])
        except Unavailable:
            raise
        except Exception as error:  # one bad event must not stop the others: find it by going one by one
            log.warning("projecting one by one", error=repr(error))
            async with self._db.write() as tx:
                batch = await claim(tx, LISTENER, self._topics)
                said = await self._one_by_one(tx, batch or [])
        if said.events or said.totals:
            await self._bus.publish(said)
        return batch is not None

    async def _project(self, tx: Tx, batch: Sequence[Delivered]) -> Said:
        events: list[NewEvent] = []
        totals: list[Total] = []
        for kind, run in groupby(batch, key=lambda one: type(one.event)):
            for told in await self._projections[kind](tx, list(run)):
                if isinstance(told, NewEvent):
                    events.append(told)
                else:
                    totals.append(told)
        return Said(await live.append(tx, events), totals)

    async def _one_by_one(self, tx: Tx, batch: Sequence[Delivered]) -> Said:
        events: list[tuple[UUID, live.LiveEvent]] = []
        totals: list[Total] = []
        for one in batch:
            try:
                async with tx.savepoint():
                    said = await self._project(tx, [one])
            except Unavailable:
                raise
            except Exception as error:
                log.error("event left out of its room", kind=one.event.topic, id=str(one.event_id), exc_info=error)
                continue
            events += said.events
            totals += said.totals
        return Said(events, totals)


class Audience:
    """Viewers and likes of every room here, counted in memory and kept in the database every few seconds."""

    def __init__(self, db: Database, channels: live.Channels, bus: live.Bus) -> None:
        self._db, self._channels, self._bus = db, channels, bus
        self._likes: dict[UUID, int] = defaultdict(int)
        self._seen: OrderedDict[UUID, None] = OrderedDict()
        self._peaks: dict[UUID, int] = {}
        self._kept: dict[UUID, int] = {}
        self._kept_likes: dict[UUID, int] = {}

    def like(self, show_id: UUID, command_id: UUID, count: int) -> int:
        """Count likes once per command id; returns the total as far as it is known here."""
        if command_id not in self._seen:
            self._seen[command_id] = None
            if len(self._seen) > LIKES_REMEMBERED:
                self._seen.popitem(last=False)
            self._likes[show_id] += count
            self._tell(show_id)
        return self._kept_likes.get(show_id, 0) + self._likes[show_id]

    def _tell(self, show_id: UUID) -> None:
        channel = self._channels.get(show_id)
        if channel is not None and channel.is_open:
            known = self._kept_likes.setdefault(show_id, channel.totals.get("likes", 0))
            channel.set_total("likes", known + self._likes[show_id])

    async def run(self) -> None:
        while True:
            await asyncio.sleep(AUDIENCE_SECONDS)
            await self.keep()

    async def keep(self) -> None:
        """Write down what changed since the last time. What cannot be written now is written later."""
        counts: list[rooms.Audience] = []
        for channel in self._channels.all():
            viewers, new = len(channel.readers), self._likes.get(channel.id, 0)
            if new or viewers or self._kept.get(channel.id):
                counts.append(rooms.Audience(channel.id, viewers, max(viewers, self._peaks.get(channel.id, 0)), new))
        here = {one.show_id for one in counts}
        counts += [
            rooms.Audience(show_id, 0, self._peaks.get(show_id, 0), self._likes.get(show_id, 0))
            for show_id in {*self._kept, *self._likes} - here
            if self._kept.get(show_id) or self._likes.get(show_id)
        ]
        if not counts:
            return
        try:
            async with self._db.write() as tx:
                likes = await rooms.count_audience(tx, counts)
        except Unavailable:
            return
        except Exception:
            log.exception("audience not kept")
            return
        for one in counts:
            self._kept[one.show_id] = one.viewers
            self._likes[one.show_id] -= one.likes
            self._kept_likes[one.show_id] = likes.get(one.show_id, 0)
            self._tell(one.show_id)
            if not self._likes[one.show_id]:
                del self._likes[one.show_id]
            if not one.viewers:
                self._kept.pop(one.show_id, None)
                self._kept_likes.pop(one.show_id, None)
            self._peaks.pop(one.show_id, None)

    def watch_peaks(self) -> None:
        for channel in self._channels.all():
            self._peaks[channel.id] = max(self._peaks.get(channel.id, 0), len(channel.readers))


class ChatCommand(msgspec.Struct, frozen=True):
    text: Annotated[str, Meta(max_length=2000)]


class LikeCommand(msgspec.Struct, frozen=True):
    count: Annotated[int, Meta(ge=1, le=50)] = 1


class Nothing(msgspec.Struct, frozen=True):
    pass


class Gateway:
    """Everything of one live process."""

    def __init__(self, db: Database, *, bus: live.Bus | None = None) -> None:
        options = config.of(live.Settings)
        self.db = db
        self.bus: live.Bus = bus or live.LocalBus()
        self.hub = live.Hub(options)
        self.channels = live.Channels(ShowSource(db), self.hub, options, slow=SLOW_TOTALS, sampled=SAMPLED_KINDS)
        self.bus.subscribe(self.channels.hear)
        self.projector = Projector(db, self.bus, wiring.LIVE_EVENTS)
        self.audience = Audience(db, self.channels, self.bus)
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
        return own | {name: make(self.db, self.projector.wake) for name, make in wiring.COMMANDS.items()}

    async def _say(self, messages: Sequence[chat.Message]) -> Sequence[chat.ChatMessage | Refusal]:
        answers = await self.db.run(lambda tx: chat.say(tx, messages))
        self.projector.wake()
        return answers

    async def _on_chat(self, caller: Caller, command_id: UUID, body: ChatCommand) -> chat.ChatMessage:
        if caller.person is None:
            raise Unauthenticated
        return await self._chat.add(chat.Message(command_id, caller.channel, caller.person, caller.name, body.text))

    async def _on_like(self, caller: Caller, command_id: UUID, body: LikeCommand) -> dict[str, int]:
        return {"likes": self.audience.like(caller.channel, command_id, body.count)}

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
        for work in (self.projector.run(), self.audience.run(), self._every_second()):
            self._tasks.append(asyncio.create_task(work))
        return port

    async def _every_second(self) -> None:
        while True:
            await asyncio.sleep(1)
            self.audience.watch_peaks()

    async def step_aside(self) -> None:
        """Accept nobody more and project nothing more: from now on the process that follows does both."""
        self.server.stop_accepting()
        self.projector.stop()
        await asyncio.wait(self._tasks[:1], timeout=STOP_SECONDS)

    async def close(self) -> None:
        """Answer what is under way, say bye, keep the last counts, stop."""
        for task in self._tasks:
            task.cancel()
        await self.server.close(Unavailable())
        await asyncio.gather(*self._tasks, return_exceptions=True)
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self.audience.keep()
        except TimeoutError:
            log.warning("the last likes were not kept")
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


async def serve(db: Database, host: str, port: int, stop: asyncio.Event) -> None:
    """Run a gateway until `stop` is set."""
    gateway = Gateway(db)
    watch, handoff = Watch("live", [database_answers(db)]), Handoff(stop.set)
    listener = handoff.listener("live.port", host, port)
    await handoff.go()
    await gateway.start(host, port, listener)
    watch.start()
    log.info("live gateway listens", host=host, port=port)
    await stop.wait()
    watch.leave()
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
        await serve(db, config.of(settings.Web).host, config.of(settings.Live).port, stop)
    finally:
        await db.close()


def run() -> None:
    """The entry of `livestall live`."""
    core = settings.load()
    options = config.of(settings.Logs)
    logs.set_up("live", as_json=options.as_json, level=options.level)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvloop.run(_main(core))
