"""The wire of `livestall live` as the fan-out measures it: the real server, channels, tick and hub, without a database.

    python bench/_gateway.py PORT [name=value …]      settings of the section `live`, such as tick_ms=50

The path of a socket names its room: /7 is room 7. Two commands stand for what a room has to say: `say` is a chat line
of about 200 bytes that takes the way of every numbered event (bus, channel, tick), `shout` one frame of 200 bytes
straight through the hub, which is what the broadcaster in C does.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from livestall.base import clock, config, ids, keys
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
)

SECRET = "0" * 64
FREE = {"commands_per_second": 1e9, "commands_burst": 10**9, "commands_waiting": 10**6, "connections": 10**6}
FRAME_BYTES, EVENT_BYTES = 200, 200
TICKET_SECONDS = 3600
"""One ticket opens all sockets of a load, also the last of twenty thousand on a machine that others use."""


class Memory:
    """Rooms of which nothing is kept but how much was said: the bus of one process loses nothing, so nothing is asked
    for again, and who comes later starts from a snapshot at that number."""

    def __init__(self) -> None:
        self.said: Counter[UUID] = Counter()

    async def load(self, channel: UUID) -> Loaded:
        seq = self.said[channel]
        body = b'{"type":"snapshot","seq":%d,"show":{"id":"%s"}}' % (seq, str(channel).encode())
        return Loaded(seq, body, {"viewers": 0})

    async def numbers(self, channels: Sequence[UUID]) -> Mapping[UUID, tuple[int, int]]:
        return {one: (self.said[one], 0) for one in channels}

    async def missed(self, wanted: Mapping[UUID, int], limit: int) -> Mapping[UUID, Sequence[LiveEvent]]:
        raise NotImplementedError(f"at most {limit} of {wanted}: what was said is not kept")

    async def totals(self, channel: UUID) -> tuple[int, Mapping[str, Any]]:
        raise NotImplementedError(f"{channel}: no totals are numbered")


class Nothing(msgspec.Struct, frozen=True):
    pass


class Line(msgspec.Struct, frozen=True):
    text: str


class Room:
    """What the commands do."""

    def __init__(self, settings: Settings) -> None:
        self.hub = Hub(settings)
        self.memory = Memory()
        self.channels = Channels(self.memory, self.hub, settings, slow=["viewers"], sampled=["chat.said"])
        self.bus = LocalBus()
        self.bus.subscribe(self.channels.hear)
        self.person = ids.new()
        head = b'{"type":"events","events":[{"seq":1,"kind":"chat.said","body":{"text":"'
        self.frame = head + b"x" * (FRAME_BYTES - len(head) - 5) + b'"}}]}'

    async def say(self, caller: Caller, command_id: UUID, line: Line) -> None:
        self.memory.said[caller.channel] += 1
        body = {"id": command_id, "person": self.person, "name": "Ann", "text": line.text}
        event = LiveEvent(self.memory.said[caller.channel], "chat.said", clock.now(), None, body)
        await self.bus.publish(Said([(caller.channel, event)]))

    async def shout(self, caller: Caller, _command_id: UUID, _body: Nothing) -> None:
        channel = self.channels.get(caller.channel)
        assert channel is not None
        self.hub.broadcast(channel.readers, self.frame, 0)


def room_id(path: str) -> UUID | None:
    return UUID(int=int(path[1:])) if path[1:].isdigit() else None


def path(room: int) -> str:
    """The path, with a ticket, of a viewer of a room."""
    keys.use(SECRET)
    with config.override(Settings(ticket_seconds=TICKET_SECONDS)):
        ticket, _ = Tickets().issue(Caller(UUID(int=room), None, "", "en", "viewer"))
    return f"/{room}?ticket={ticket}"


async def serve(port: int, settings: Settings) -> None:
    keys.use(SECRET)
    room = Room(settings)
    commands = {"say": Command(Line, room.say), "shout": Command(Nothing, room.shout)}
    edge = Edge({})
    server = Server(room.hub, room.channels, Tickets(), commands, settings, room_id, lambda _: edge)
    await server.start("127.0.0.1", port)
    await asyncio.Event().wait()


def main() -> None:
    given = dict(word.split("=", 1) for word in sys.argv[2:])
    settings: Any = msgspec.convert({**FREE, **given}, Settings, strict=False)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    uvloop.run(serve(int(sys.argv[1]), settings))


if __name__ == "__main__":
    main()
