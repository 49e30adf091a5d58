"""What goes wrong: planes are killed, hostile clients come in, the host's encoder loses its line."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable

from helpers.faults import kill_plane
from helpers.hostile import Bare, frame, request
from helpers.market import AWAY, Cast, Pusher, Served
from helpers.redis_server import RedisServer
from livestall.app.demo.client import Person, Refused
from livestall.base import ids

HARM = ("never_read", "slow", "flood", "garbage", "forged")
PLANES = ("web", "live", "work", "media", "postgres", "redis")
KILL_SECONDS = (3.0, 8.0)
REDIS_AWAY_SECONDS = 2.0
SILENT, SLOW = 150, 60
HELLO = frame(b'{"type":"hello"}')


class Killer:
    """kill -9 of a plane every few seconds; Redis comes back after two."""

    def __init__(self, served: Served, redis: RedisServer) -> None:
        self._served, self._redis = served, redis
        self.kills: Counter[str] = Counter()

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await asyncio.sleep(random.uniform(*KILL_SECONDS))
            plane = min(PLANES, key=lambda one: (self.kills[one], random.random()))
            if random.random() < 0.5:
                plane = random.choice(PLANES)
            if plane == "redis":
                await asyncio.to_thread(self._redis.kill)
                await asyncio.sleep(REDIS_AWAY_SECONDS)
                await asyncio.to_thread(self._redis.start)
                self.kills[plane] += 1
            elif await asyncio.to_thread(kill_plane, self._served, plane):
                self.kills[plane] += 1


class Camera:
    """The host's encoder: connects again whenever it lost its line, as encoders do."""

    def __init__(self, cast: Cast, show_id: str, pusher: Pusher) -> None:
        self._cast, self._show_id, self.pusher = cast, show_id, pusher
        self.reconnects = 0

    async def run(self, over: asyncio.Event) -> None:
        while not over.is_set():
            await asyncio.sleep(1)
            if self.pusher.process.poll() is None:
                continue
            try:
                self.pusher = await self._cast.push(self._show_id)
                self.reconnects += 1
            except (*AWAY, Refused):
                continue


class Hostile:
    """Never-readers, slow upgrades, floods, garbage and forged tickets, again and again."""

    def __init__(self, person: Person, show_id: str, port: int) -> None:
        self._person, self._show_id, self._port = person, show_id, port
        self.done: Counter[str] = Counter()

    async def run(self, over: asyncio.Event) -> None:
        await asyncio.gather(*(self._again(name, getattr(self, f"_{name}"), over) for name in HARM))

    async def _again(self, name: str, work: Callable[[], Awaitable[None]], over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                async with asyncio.timeout(20):
                    await work()
                self.done[name] += 1
            except (*AWAY, Refused):
                pass
            await asyncio.sleep(1)

    async def _inside(self, *, window_bytes: int = 0) -> Bare:
        ticket = (await self._person.post(f"/api/shows/{self._show_id}/ticket"))["ticket"]
        one = await Bare(window_bytes=window_bytes).connect(self._port)
        await one.send(request(f"/api/shows/{self._show_id}/live", ticket))
        await one.read(1)
        await one.send(HELLO)
        return one

    async def _never_read(self) -> None:
        crowd = await asyncio.gather(*(self._inside(window_bytes=4096) for _ in range(SILENT)), return_exceptions=True)
        inside = [one for one in crowd if isinstance(one, Bare)]
        if not inside:
            raise ConnectionResetError("nobody got in")
        await asyncio.sleep(12)
        for one in inside:
            one.close()

    async def _slow(self) -> None:
        crowd = [await Bare().connect(self._port) for _ in range(SLOW)]
        for _ in range(5):
            for one in crowd:
                try:
                    await one.send(b"X-Slow: a\r\n")
                except OSError:
                    continue
            await asyncio.sleep(1)
        for one in crowd:
            one.close()

    async def _flood(self) -> None:
        one = await self._inside()
        reading = asyncio.create_task(one.read_all())
        burst = frame(b'{"type":"like","id":"%s","count":50}' % str(ids.new()).encode()) * 100
        try:
            while not reading.done():
                await one.send(burst)
                await asyncio.sleep(0.01)
        except OSError:
            pass
        finally:
            reading.cancel()
            one.close()

    async def _garbage(self) -> None:
        for data in (
            b"\0" * 5000,
            b"\x81\x05hello",
            frame(b"\xff\xfe"),
            frame(b"x" * 3000, fin=False),
            random.randbytes(4000),
        ):
            one = await self._inside()
            await one.send(data)
            one.close()

    async def _forged(self) -> None:
        for ticket in ("", "a.b.c", "x" * 500):
            one = await Bare().connect(self._port)
            try:
                await one.send(request(f"/api/shows/{self._show_id}/live", ticket) + HELLO)
                got = b""
                while part := await one.read(seconds=4):
                    got += part
                    assert b'"type":"snapshot"' not in got, "a forged ticket opened the room"
            finally:
                one.close()
