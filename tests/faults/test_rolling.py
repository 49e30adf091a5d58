"""`livestall reload` while a show is on air and people buy: no order is lost, no request fails, the picture goes on."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from helpers.market import Cast, Served, seed, until
from livestall.app.demo.client import Door, Json, Person, Refused, Socket
from livestall.base import ids

BUYERS = 12
BACK_SECONDS_MAX = 3.0
RELOAD_SECONDS_MAX = 120
WAITS = (429, 503)
AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


@pytest.fixture
def served() -> Iterator[Served]:
    market = Served(
        rooms__grace_seconds=60,
        orders__claims_per_second=1000,
        orders__claims_burst=1000,
        orders__device_claims_per_second=10000,
        orders__device_claims_burst=10000,
    )
    market.start()
    yield market
    market.stop()
    market.remove()


class Buying:
    """What buyers saw: acknowledged orders, failed requests, and how long sockets were away."""

    def __init__(self) -> None:
        self.acknowledged: list[str] = []
        self.failed: list[str] = []
        self.away_seconds: list[float] = []
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
        """One order; a client repeats once what found its kept connection closed, as browsers do."""
        try:
            order = await person.post("/api/orders", body)
        except aiohttp.ServerDisconnectedError:
            order = await person.post("/api/orders", body)
        self.acknowledged.append(order["id"])

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
                    lost = lost or time.monotonic()
                    await asyncio.sleep(max(0.0, heard["retry"]))
                    socket = await Socket(person, show_id, hear).open(heard["seq"])
                order = await socket.buy(line, order_id)
                if lost is not None:
                    self.away_seconds.append(time.monotonic() - lost)
                    lost = None
            except AWAY:
                lost = lost or time.monotonic()
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


class Viewer:
    """Asks for the newest part of the picture as a player does, and keeps the longest wait for anything new."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.longest = 0.0
        self.failed: list[str] = []
        self.stop = asyncio.Event()
        self.gaps = 0

    async def watch(self) -> None:
        last, seen, known = "", time.monotonic(), 0
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client:
            while not self.stop.is_set():
                try:
                    async with client.get(self.url) as answer:
                        text = await answer.text()
                        if answer.status != 200:
                            self.failed.append(f"{answer.status}")
                except AWAY as error:
                    self.failed.append(repr(error))
                    text = last
                if text != last and "#EXTINF" in text:
                    now = time.monotonic()
                    self.longest = max(self.longest, now - seen) if last else 0.0
                    last, seen = text, now
                    self.gaps = max(self.gaps, text.count("#EXT-X-DISCONTINUITY\n") - known)
                await asyncio.sleep(0.1)


@pytest.fixture
async def market(served: Served) -> AsyncIterator[tuple[Cast, Json]]:
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1, on_hand=100_000)
        show = await cast.live_show()
        pusher = await cast.push(show["id"])
        try:
            await cast.go_live(show["id"])
            yield cast, show
        finally:
            pusher.stop()


async def reload(served: Served) -> float:
    """Run the command as an operator does; returns its seconds."""
    begin = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livestall.app.cli", "reload", env=served.environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), RELOAD_SECONDS_MAX)
    assert process.returncode == 0, (out + err).decode() + served.log()[-3000:]
    return time.monotonic() - begin


async def test_a_reload_loses_no_order_and_no_show(served: Served, market: tuple[Cast, Json]):
    cast, show = market
    before = served.planes()
    line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
    buying = Buying()
    playback = (await cast.creator.get(f"/api/shows/{show['id']}"))["playback"]
    viewer = Viewer(playback["hls_url"])
    people = [await cast.buyer(f"Buyer {number}") for number in range(BUYERS)]
    tasks = [
        asyncio.create_task((buying.by_socket if number % 2 else buying.by_http)(person, show["id"], line))
        for number, person in enumerate(people)
    ]
    tasks.append(asyncio.create_task(viewer.watch()))
    await until(lambda: _true(len(buying.acknowledged) > 2 * BUYERS), 20, "buying")

    seconds = await reload(served)

    sold = len(buying.acknowledged)
    await until(lambda: _true(len(buying.acknowledged) > sold + 4 * BUYERS), 20, "buying afterwards")
    await until(lambda: _true(len(buying.away_seconds) >= BUYERS // 2), 20, "every socket back")
    buying.stop.set()
    viewer.stop.set()
    await asyncio.gather(*tasks)
    print({
        "reload_seconds": seconds, "orders": len(buying.acknowledged), "failed": len(buying.failed),
        "socket_away_seconds_max": max(buying.away_seconds), "picture_wait_seconds_max": viewer.longest,
        "picture_failures": len(viewer.failed), "picture_gaps": viewer.gaps,
    })  # fmt: skip
    after = served.planes()
    assert {plane for plane in ("web", "live", "work") if before[plane] == after[plane]} == set()
    assert buying.failed == []
    assert max(buying.away_seconds) < BACK_SECONDS_MAX
    assert len(set(buying.acknowledged)) == len(buying.acknowledged)
    await check_orders(served, buying.acknowledged)
    assert viewer.failed == []
    assert viewer.gaps == 0, "a viewer's picture goes on without a cut"
    assert viewer.longest < BACK_SECONDS_MAX
    assert (await cast.creator.get(f"/api/shows/{show['id']}"))["state"] == "live"


async def test_the_elder_hands_its_show_over_when_the_host_comes_back_and_then_ends(
    served: Served, market: tuple[Cast, Json]
):
    cast, show = market
    await reload(served)
    carrying = media_processes(served)
    assert len(carrying) >= 2, "the one before carries the show, the fresh one takes new ones"
    other = await cast.push(show["id"])
    try:

        async def one_left() -> bool:
            return len(media_processes(served)) == 1

        await until(one_left, 30, "the end of the elders")
        playback = (await cast.creator.get(f"/api/shows/{show['id']}"))["playback"]

        async def goes_on() -> bool:
            async with aiohttp.ClientSession() as client, client.get(playback["hls_url"]) as answer:
                return answer.status == 200 and "#EXT-X-DISCONTINUITY" in await answer.text()

        await until(goes_on, 20, "the picture from the fresh process")
        assert (await cast.creator.get(f"/api/shows/{show['id']}"))["state"] == "live"
        ended = await cast.creator.post(f"/api/shows/{show['id']}/end")
        assert ended["state"] == "ended"
    finally:
        other.stop()


def media_processes(served: Served) -> list[int]:
    found: list[int] = []
    for pid in served.descendants():
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[3:4] == [b"media"]:
                found.append(pid)
        except OSError:
            continue
    return found


async def _true(what: bool) -> bool:
    return what


async def check_orders(served: Served, acknowledged: list[str]) -> None:
    """Every acknowledged order is in the database, once, and the stock holds exactly their units."""
    lines = (served.folder / "data" / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    connection = await asyncpg.connect(f"postgresql://livestall@/livestall?host={lines[4]}")
    try:
        placed = {str(row["id"]) for row in await connection.fetch("select id from orders")}
        units = await connection.fetchval("select sum(held + sold) from stock_pool")
    finally:
        await connection.close()
    assert set(acknowledged) <= placed
    assert units == len(placed)


async def test_a_reload_of_nothing_is_told_so(served: Served):
    environment = {**os.environ, **served.environment, "LIVESTALL_DATA": str(served.folder / "elsewhere")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livestall.app.cli", "reload", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"no market runs" in err
