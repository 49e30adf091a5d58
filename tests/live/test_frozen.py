"""A gateway that stands still for longer than its deadlines (SIGSTOP, a frozen machine), then goes on: whoever answered
meanwhile stays, though all of it lay unread in their sockets when the timers woke up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

import pytest

from helpers.hostile import Bare, frame, request
from helpers.patience import PATIENCE_SECONDS

HERE = Path(__file__).resolve().parent
GATEWAY = """
import asyncio, json, signal, sys, time
import uvloop
from conftest import Wire
from livestall.live import Settings
from livestall.live.connection import Connection

async def main():
    settings = json.loads(sys.argv[1])
    busy_seconds, ping = settings.pop("busy_seconds", 0), Connection.send_user_specific_ping
    Connection.send_user_specific_ping = lambda *args: (ping(*args), time.sleep(busy_seconds))
    wire = Wire(Settings(**settings))
    wire.port = await wire.server.start("127.0.0.1", 0)
    channel = wire.open()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, lambda: asyncio.ensure_future(wire.say(channel)))
    print(json.dumps([wire.port, str(channel), wire.ticket(channel)]), flush=True)
    await asyncio.Event().wait()

asyncio.Runner(loop_factory=uvloop.new_event_loop).run(main())
"""
DEADLINE_SECONDS, FROZEN_SECONDS = 3.0, 3.5
"""Each deadline of the gateway that stands still, and for how long it does."""
MANY = 150
"""More than are read in one turn of the gateway's loop."""
PING = b"\x89\x00"


class Frozen:
    """A process that serves one channel, can be stopped, and says something into its room when it is asked to."""

    def __init__(self, process: asyncio.subprocess.Process, port: int, channel: UUID, ticket: str) -> None:
        self._process = process
        self.port, self._channel, self._ticket = port, channel, ticket
        self.clients: list[Bare] = []

    def ticket(self, _channel: UUID) -> str:
        return self._ticket

    def bare(self) -> Bare:
        self.clients.append(Bare())
        return self.clients[-1]

    async def join(self, *, hello: bool = True) -> Bare:
        return await self.bare().join(self, self._channel, hello=hello)

    def request(self) -> bytes:
        return request(f"/{self._channel}", self._ticket)

    def say(self) -> None:
        self._process.send_signal(signal.SIGUSR1)

    @asynccontextmanager
    async def stopped(self) -> AsyncIterator[None]:
        """What is done inside happens while it stands still; it wakes up when every deadline is long over."""
        self._process.send_signal(signal.SIGSTOP)
        yield
        await asyncio.sleep(FROZEN_SECONDS)
        self._process.send_signal(signal.SIGCONT)


@pytest.fixture
async def freezing() -> AsyncIterator[Callable[..., object]]:
    started: list[asyncio.subprocess.Process] = []
    gateways: list[Frozen] = []

    async def start(**settings: float) -> Frozen:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent), *sys.path])}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", GATEWAY, json.dumps(settings), stdout=asyncio.subprocess.PIPE, env=environment
        )
        started.append(process)
        assert process.stdout is not None
        port, channel, ticket = json.loads(await process.stdout.readline())
        gateways.append(Frozen(process, port, UUID(channel), ticket))
        return gateways[-1]

    yield start
    for one in gateways:
        for client in one.clients:
            client.close()
    for process in started:
        process.kill()
        await process.wait()


async def ping_to(one: Bare) -> bytes:
    """All that was said until a ping, and that."""
    heard = b""
    while PING not in heard:
        part = await said_to(one)
        assert part, "let go"
        heard += part
    return heard


async def said_to(one: Bare) -> bytes:
    return await one.read(seconds=PATIENCE_SECONDS)


async def test_hellos_that_waited_in_their_sockets_are_heard(freezing) -> None:
    gateway = await freezing(hello_seconds=DEADLINE_SECONDS)
    late = [await gateway.join(hello=False) for _ in range(MANY)]
    silent = await gateway.join(hello=False)
    async with gateway.stopped():
        for one in late:
            await one.send(frame(b'{"type":"hello"}'))
    first = [await said_to(one) for one in late]
    assert [b'"snapshot"' in answer for answer in first] == [True] * MANY, set(first)
    assert b"say hello first" in await silent.read_all(PATIENCE_SECONDS), "who said nothing is told so"


async def test_a_hello_that_waits_to_be_read_in_a_rush_is_heard(make_wire, get, wait, monkeypatch) -> None:
    wire = await make_wire(hello_seconds=0.2)
    with monkeypatch.context() as rush:
        rush.setattr(wire.server, "_read_all", lambda: None)
        channel = wire.open()
        client = await wire.join(channel)
        await wait(lambda: wire.server._came)
        later = await wire.connect(channel)
        assert (await get(later))["type"] == "bye", "by now the time of the one before is over, too"
    wire.server._read_all()
    assert (await get(client))["type"] == "snapshot"


async def test_requests_that_waited_on_the_doorstep_are_answered(freezing) -> None:
    gateway = await freezing(upgrade_seconds=DEADLINE_SECONDS)
    inside = await gateway.join()
    slow = [await gateway.bare().connect(gateway.port) for _ in range(MANY)]
    silent = await gateway.bare().connect(gateway.port)
    await gateway.join()  # taken in after them, so all of them stand on the doorstep
    async with gateway.stopped():
        for one in slow:
            await one.send(gateway.request())
    first = [await said_to(one) for one in slow]
    assert [answer[:12] for answer in first] == [b"HTTP/1.1 101"] * MANY
    assert await said_to(silent) == b"", "who asked for nothing is hung up on"
    assert await said_to(inside) != b""


async def test_pongs_that_waited_in_their_sockets_are_signs_of_life(freezing) -> None:
    gateway = await freezing(ping_seconds=DEADLINE_SECONDS)
    there, gone = [await gateway.join() for _ in range(5)], await gateway.join()
    for one in (*there, gone):
        await ping_to(one)
    async with gateway.stopped():
        for one in there:
            await one.send(frame(b"", 0xA))
    assert b"no sign of life" in await gone.read_all(PATIENCE_SECONDS), "who did not answer is let go"
    gateway.say()
    for one in there:
        heard = b""
        while not (b'"events"' in heard and PING in heard):
            part = await said_to(one)
            assert part, "dropped, though it answered"
            heard += part


async def test_a_pong_that_is_there_before_its_ping_was_noted_is_a_sign_of_life(freezing) -> None:
    """The gateway is busy for a moment just after it has sent the ping, and somebody near answers meanwhile."""
    gateway = await freezing(ping_seconds=0.5, busy_seconds=0.2)
    near = await gateway.join()
    for _ in range(4):
        await ping_to(near)
        await near.send(frame(b"", 0xA))
