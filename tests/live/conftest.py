"""A gateway's wire without a market behind it: channels whose snapshots are written in the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect

from helpers.patience import PATIENCE_SECONDS, until
from livestall.base import clock, ids
from livestall.base.errors import NotFound, Unavailable
from livestall.live import (
    Caller,
    Channels,
    Command,
    Edge,
    Hub,
    LiveEvent,
    Loaded,
    LocalBus,
    Said,
    Server,
    Settings,
    Tickets,
    Total,
)


class Shelf:
    """A source of snapshots that a test fills, counts, and can take away."""

    def __init__(self) -> None:
        self.channels: dict[UUID, list[LiveEvent]] = {}
        self.marks: dict[UUID, int] = {}
        self.kept: dict[UUID, dict[str, Any]] = {}
        self.loads = 0
        self.reads = 0
        self.is_away = False
        self.padding = ""

    async def load(self, channel: UUID) -> Loaded:
        self.loads += 1
        await asyncio.sleep(0)
        if self.is_away:
            raise Unavailable
        if channel not in self.channels:
            raise NotFound
        said = self.channels[channel]
        body = {"seq": len(said), "show": {"role": "viewer"}, "padding": self.padding, "said": [e.body for e in said]}
        return Loaded(len(said), msgspec.json.encode(body), {"viewers": 0, "likes": 0}, said[-1000:])

    async def numbers(self, channels: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
        if self.is_away:
            raise Unavailable
        return {channel: (len(self.channels.get(channel, ())), self.marks.get(channel, 0)) for channel in channels}

    async def missed(self, wanted: Mapping[UUID, int], limit: int) -> dict[UUID, list[LiveEvent]]:
        if self.is_away:
            raise Unavailable
        self.reads += 1
        return {channel: self.channels[channel][seq : seq + limit] for channel, seq in wanted.items()}

    async def totals(self, channel: UUID) -> tuple[int, dict[str, Any]]:
        self.reads += 1
        return self.marks.get(channel, 0), self.kept.get(channel, {})


class Echo(msgspec.Struct, frozen=True):
    text: str = ""


class Wire:
    """A server over a Shelf, and clients for it."""

    def __init__(self, settings: Settings) -> None:
        self.shelf = Shelf()
        self.hub = Hub(settings)
        self.bus = LocalBus()
        self.channels = Channels(self.shelf, self.hub, settings, slow=("viewers", "likes"), sampled=("line",))
        self.bus.subscribe(self.channels.hear)
        self.settings = settings
        self.ran: list[UUID] = []
        self.hold: asyncio.Event | None = None
        commands = {"echo": Command(Echo, self._echo), "break": Command(Echo, self._break)}
        self.server = Server(
            self.hub, self.channels, Tickets(), commands, settings,
            lambda path: UUID(path[1:]) if len(path) == 37 else None,
            lambda request: Edge({b'"livestall-media:': b'"http://' + request.headers["Host"].encode()}),
        )  # fmt: skip
        self.port = 0
        self._clients: list[ClientConnection] = []

    async def _echo(self, caller: Caller, command_id: UUID, body: Echo) -> dict[str, Any]:
        self.ran.append(command_id)
        if self.hold is not None:
            await self.hold.wait()
        return {"text": body.text, "person": caller.person}

    async def _break(self, _caller: Caller, _id: UUID, _body: Echo) -> None:
        raise RuntimeError("a bug")

    def open(self, *, events: int = 0) -> UUID:
        channel = ids.new()
        self.shelf.channels[channel] = []
        for _ in range(events):
            self._number(channel, "note", {})
        return channel

    def _number(self, channel: UUID, kind: str, body: Any) -> LiveEvent:
        said = self.shelf.channels[channel]
        said.append(LiveEvent(len(said) + 1, kind, clock.now(), None, body))
        return said[-1]

    async def say(self, channel: UUID, body: Any = None, kind: str = "note") -> int:
        event = self._number(channel, kind, body)
        await self.bus.publish(Said([(channel, event)]))
        return event.seq

    async def total(self, channel: UUID, slot: str, value: Any, key: str | None = None) -> None:
        await self.bus.publish(Said((), [Total(channel, slot, value, key)]))

    def ticket(self, channel: UUID, *, person: UUID | None = None, role: str = "viewer") -> str:
        return Tickets().issue(Caller(channel, person, "Ann", "en", role))[0]

    async def connect(self, channel: UUID, ticket: str | None = None, **options: Any) -> ClientConnection:
        ticket = self.ticket(channel) if ticket is None else ticket
        url = f"ws://127.0.0.1:{self.port}/{channel}?ticket={ticket}"
        client = await connect(url, max_size=None, ping_interval=None, compression=None, **options)
        self._clients.append(client)
        return client

    async def join(self, channel: UUID, last_seq: int | None = None, **options: Any) -> ClientConnection:
        client = await self.connect(channel, **options)
        await client.send(json.dumps({"type": "hello", "last_seq": last_seq}))
        return client

    async def close(self) -> None:
        for client in self._clients:
            client.transport.abort()
        await self.server.close(Unavailable())


async def receive(
    client: ClientConnection, wanted: Callable[[dict[str, Any]], bool] = lambda _: True
) -> dict[str, Any]:
    """The next message that is `wanted`."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            message = json.loads(await client.recv())
            if wanted(message):
                return message


@pytest.fixture
async def make_wire() -> AsyncIterator[Callable[..., Awaitable[Wire]]]:
    wires: list[Wire] = []

    async def make(**settings: Any) -> Wire:
        wire = Wire(Settings(**settings))
        wire.port = await wire.server.start("127.0.0.1", 0)
        wires.append(wire)
        return wire

    yield make
    for wire in wires:
        await wire.close()


@pytest.fixture
async def wire(make_wire: Callable[..., Awaitable[Wire]]) -> Wire:
    return await make_wire()


@pytest.fixture
def get() -> Callable[..., Awaitable[dict[str, Any]]]:
    return receive


@pytest.fixture
def wait() -> Callable[..., Awaitable[None]]:
    return until
