"""`livestall reload` in tests: the command, and who must not notice it: people who buy and people who watch."""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import aiohttp
import asyncpg

from helpers.market import Served
from helpers.patience import PATIENCE_SECONDS
from livestall.app.demo.client import Json, Person, Refused, Socket
from livestall.base import ids

RELOAD_SECONDS_MAX = 2 * PATIENCE_SECONDS
WAITS = (429, 503)
AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


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
