"""`livestall reload` in tests: the command, and who must not notice it: people who buy and people who watch."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

import aiohttp
import asyncpg

from helpers.market import AWAY, Served, until
from livestall.app.demo.client import Json, Person, Refused, Socket
from livestall.base import ids

WAITS = (429, 503)
CLOSED = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionResetError)
AGAIN_MAX = 2
"""Another one that is kept may have been closed in the same moment."""


class Noticed(NamedTuple):
    """What could be noticed of a reload, in seconds: how long the command took, the longest that a socket was away and
    that a picture stood still. (bench/reload.py holds them against what is promised.)"""

    took_seconds: float
    away_seconds: float
    still_seconds: float


async def post(person: Person, path: str, body: Json) -> Json:
    """Ask once; a client repeats what found its kept connection closed, as browsers do. A connection that nobody takes
    is no such thing."""
    for _ in range(AGAIN_MAX):
        try:
            return await person.post(path, body)
        except aiohttp.ClientConnectorError:
            raise
        except CLOSED:
            continue
    return await person.post(path, body)


class Buying:
    """What buyers saw: acknowledged orders, failed requests, and how long sockets were away. `outside` are those whose
    socket is away now: from when they noticed until their next order."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self.away_seconds: list[float] = []
        self.came_back: set[Person] = set()
        self.outside: set[Person] = set()
        self.stop = asyncio.Event()

    async def by_http(self, person: Person, show_id: str, line: Json) -> None:
        while not self.stop.is_set():
            order_id = ids.new()
            body = {"id": order_id, "show_id": show_id, "lines": [line]}
            try:
                await self._place(person, body)
            except (*AWAY, Refused) as error:
                self.failed.append(repr(error))
            await asyncio.sleep(0.05)

    async def _place(self, person: Person, body: Json) -> None:
        self.acknowledged.append((await post(person, "/api/orders", body))["id"])

    async def by_socket(self, person: Person, show_id: str, line: Json) -> None:
        heard: dict[str, Any] = {"seq": None, "retry": 0.1}

        def hear(frame: Json) -> None:
            heard["seq"] = frame.get("to") or frame.get("seq") or heard["seq"]
            if frame["type"] == "bye":
                heard["retry"] = frame["retry_seconds"]

        socket = await Socket(person, show_id, hear).open()
        order_id = ids.new()
        lost: float | None = None
        while not self.stop.is_set():
            try:
                if socket.closed:
                    lost = lost or self._leaves(person)
                    await asyncio.sleep(max(0.0, heard["retry"]))
                    socket = await Socket(person, show_id, hear).open(heard["seq"])
                order = await socket.buy(line, order_id)
                if lost is not None:
                    self._is_back(person, lost)
                    lost = None
            except AWAY:
                lost = lost or self._leaves(person)
                await socket.close()
                continue
            except Refused as error:
                if error.status not in WAITS:
                    self.failed.append(repr(error))
            else:
                self.acknowledged.append(order["id"])
            order_id = ids.new()
            await asyncio.sleep(0.05)
        await socket.close()

    def _leaves(self, person: Person) -> float:
        self.outside.add(person)
        return time.monotonic()

    def _is_back(self, person: Person, lost: float) -> None:
        self.away_seconds.append(time.monotonic() - lost)
        self.outside.discard(person)
        self.came_back.add(person)


class Player:
    """Asks for the newest part of a picture as a player does. `news` is how often something new came, `longest` the
    longest time in which nothing did, in seconds; `gaps` the cuts it was told of."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.longest = 0.0
        self.news = 0
        self.failed: list[str] = []
        self.stop = asyncio.Event()
        self.gaps = 0

    async def watch(self) -> None:
        last, seen = "", time.monotonic()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client:
            while not self.stop.is_set():
                text = await self._look(client)
                self.longest = max(self.longest, time.monotonic() - seen)
                if text != last and "#EXTINF" in text:
                    last, seen = text, time.monotonic()
                    self.news += 1
                    self.gaps = max(self.gaps, text.count("#EXT-X-DISCONTINUITY\n"))
                await asyncio.sleep(0.1)

    async def _look(self, client: aiohttp.ClientSession) -> str:
        try:
            async with client.get(self.url) as answer:
                if answer.status != 200:
                    self.failed.append(f"{answer.status}")
                return await answer.text()
        except AWAY as error:
            self.failed.append(repr(error))
            return ""

    def check(self) -> None:
        """The picture went on without a failure or a cut."""
        assert self.failed == []
        assert self.gaps == 0, "a viewer's picture goes on without a cut"


async def reload(served: Served) -> float:
    """Run the command as an operator does; returns its seconds."""
    begin = time.monotonic()
    done = await asyncio.to_thread(served.cli, "reload")
    assert done.returncode == 0, done.stdout + done.stderr + served.log()[-3000:]
    return time.monotonic() - begin


async def nobody_notices_a_reload(
    served: Served, people: Sequence[tuple[Person, str]], line: Json, pictures: Sequence[str]
) -> Noticed:
    """Each of `people` buys in the show beside their name, every other one over a socket, and players watch `pictures`,
    while every process is replaced. No order is lost, no request fails, sockets come back, the pictures go on."""
    buying, players = Buying(), [Player(url) for url in pictures]
    tasks = [
        asyncio.create_task((buying.by_socket if number % 2 else buying.by_http)(person, show_id, line))
        for number, (person, show_id) in enumerate(people)
    ] + [asyncio.create_task(one.watch()) for one in players]
    await until(lambda: len(buying.acknowledged) > 2 * len(people), what="buying")

    seconds = await reload(served)

    news = [one.news for one in players]
    sold, sockets = len(buying.acknowledged), {person for person, _ in people[1::2]}
    await until(lambda: buying.came_back == sockets and not buying.outside, what="every socket back")
    await until(lambda: len(buying.acknowledged) > sold + 4 * len(people), what="buying afterwards")
    await until(lambda: all(one.news > had for one, had in zip(players, news, strict=True)), what="the pictures")
    for one in (buying, *players):
        one.stop.set()
    await asyncio.gather(*tasks)
    noticed = Noticed(seconds, max(buying.away_seconds), max(one.longest for one in players))
    print(noticed)
    assert buying.failed == []
    await check_orders(served, buying.acknowledged)
    for one in players:
        one.check()
    return noticed


async def check_orders(served: Served, acknowledged: Sequence[str]) -> None:
    """Every acknowledged order is in the database, none was told of twice, and the stock holds exactly their units."""
    connection = await asyncpg.connect(served.dsn)
    try:
        placed = {str(row["id"]) for row in await connection.fetch("select id from orders")}
        units = await connection.fetchval("select sum(held + sold) from stock_pool")
    finally:
        await connection.close()
    assert len(set(acknowledged)) == len(acknowledged)
    assert set(acknowledged) <= placed
    assert units == len(placed)
