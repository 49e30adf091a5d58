"""A show over four machines, and kill -9 of every process in turn while people watch, talk, like and buy.

At the end everybody was told the same numbered events without a gap, what was acknowledged exists exactly once, the
counts are right, and stock and its holds agree.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from helpers.market import Cast, Pusher, seed, until
from helpers.patience import PATIENCE_SECONDS
from livestall import stock
from livestall.accounts.actions import offer_first_run
from livestall.app.demo.client import Door, Json, Person, Refused
from livestall.base import ids
from livestall.base.db import Database

AWAY = (aiohttp.ClientError, OSError, TimeoutError, WebSocketException)
AGAIN_SECONDS = 0.1
LOST: Json = {"ok": False, "error": {"status": 503, "code": "the connection was lost before the answer"}}
ANSWER_SECONDS = 3.0
KILLS: list[tuple[int, str]] = [
    (2, "web"), (2, "live"), (3, "work"), (1, "redis"), (3, "web"), (3, "live"), (4, "media"), (2, "work"),
    (4, "live"), (1, "postgres"), (2, "live"),
]  # fmt: skip


class Somebody:
    """A person in the room: keeps a socket open at whatever gateway lives, comes back with the number they have, and
    repeats a command under its own id until it is answered."""

    def __init__(self, market: Any, people: list[Person], show_id: str, at: int) -> None:
        self.market, self.people, self.show_id = market, people, show_id
        self.doors = itertools.cycle(market.gateways[at:] + market.gateways[:at])
        self.webs = itertools.cycle(people[at % 2 :] + people[: at % 2])
        self.events: dict[int, Json] = {}
        self.first: int | None = None
        self.seq = 0
        self.totals: Json = {}
        self.jumps = 0
        self.acknowledged: dict[str, list[str]] = {"chat": [], "buy": []}
        self.liked = 0
        self.refused: Counter[str] = Counter()
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._socket: ClientConnection | None = None
        self._there = asyncio.Event()
        self._keeping = asyncio.create_task(self._keep())

    async def _keep(self) -> None:
        while True:
            try:
                ticket = await next(self.webs).post(f"/api/shows/{self.show_id}/ticket")
                path = urlsplit(ticket["url"])
                url = f"{next(self.doors)}{path.path}?{path.query or 'ticket=' + ticket['ticket']}"
                async with connect(url, compression=None, open_timeout=3, ping_interval=2, ping_timeout=3) as socket:
                    hello = {"type": "hello", "last_seq": self.seq if self.first is not None else None}
                    await socket.send(json.dumps(hello))
                    self._socket = socket
                    async for message in socket:
                        self._take(json.loads(message))
            except (*AWAY, Refused):
                await asyncio.sleep(AGAIN_SECONDS)
            finally:
                self._there.clear()
                self._socket = None
                for future in self._waiting.values():
                    if not future.done():
                        future.set_result(LOST)

    def _take(self, frame: Json) -> None:
        if frame["type"] == "answer":
            if (future := self._waiting.get(frame["id"])) is not None and not future.done():
                future.set_result(frame)
            return
        if frame["type"] == "snapshot":
            if self.first is None:
                self.first = frame["seq"]
            elif frame["seq"] > self.seq:
                self.jumps += 1
            self.seq = max(self.seq, frame["seq"])
        for event in frame.get("events", ()) if frame["type"] == "events" else ():
            self.jumps += event["seq"] > self.seq + 1
            if event["seq"] > self.seq:
                self.seq = event["seq"]
                self.events[event["seq"]] = event
        for slot in ("viewers", "likes"):
            if slot in frame.get("totals", {}):
                self.totals[slot] = frame["totals"][slot]
        self._there.set()

    async def ask(self, command: Json) -> Json:
        """The answer to `command`, which is repeated until it comes. Raises Refused for an answer that is final."""
        for _ in range(600):
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    await self._there.wait()
                    if (socket := self._socket) is None:
                        raise ConnectionResetError("lost again before we came to it")
                    future = self._waiting[command["id"]] = asyncio.get_running_loop().create_future()
                    await socket.send(json.dumps(command))
                    answer = await future
            except AWAY:
                answer = LOST
            finally:
                self._waiting.pop(command["id"], None)
            if answer["ok"]:
                return answer["result"]
            if answer["error"]["status"] < 500 and answer["error"]["status"] != 429:
                raise Refused(answer["error"]["status"], answer["error"])
            await asyncio.sleep(AGAIN_SECONDS)
        raise AssertionError("never answered")

    async def live(self, stop: asyncio.Event, line: Json, variant_ids: list[str]) -> None:
        """Talk, like and buy, until told to stop."""
        for turn in itertools.count(random.randrange(3)):
            if stop.is_set():
                return
            command_id = str(ids.new())
            try:
                if turn % 3 == 0:
                    await self.ask({"type": "chat", "id": command_id, "text": f"turn {turn}"})
                    self.acknowledged["chat"].append(command_id)
                elif turn % 3 == 1:
                    count = random.randint(1, 9)
                    await self.ask({"type": "like", "id": command_id, "count": count})
                    self.liked += count
                else:
                    body = {"lines": [{**line, "variant_id": random.choice(variant_ids)}]}
                    await self._buy(command_id, body, by_socket=turn % 2 == 0)
                    self.acknowledged["buy"].append(command_id)
            except Refused as refused:
                self.refused[refused.code] += 1
            await asyncio.sleep(random.uniform(0.2, 0.5))

    async def _buy(self, order_id: str, body: Json, *, by_socket: bool) -> None:
        if by_socket:
            await self.ask({"type": "buy", "id": order_id, **body})
            return
        for _ in range(600):
            try:
                await next(self.webs).post("/api/orders", {"id": order_id, "show_id": self.show_id, **body})
            except AWAY:
                await asyncio.sleep(AGAIN_SECONDS)
            except Refused as refused:
                if refused.status < 500 and refused.status != 429:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return
        raise AssertionError("never answered")

    async def leave(self) -> None:
        self._keeping.cancel()
        await asyncio.gather(self._keeping, return_exceptions=True)


async def pin_now_and_then(stop: asyncio.Event, hosts: list[Person], show_id: str, listings: list[str]) -> int:
    """The host pins one product after the other, at whichever web process answers; returns how often."""
    pinned = 0
    for host, listing_id in zip(itertools.cycle(hosts), itertools.cycle(listings), strict=False):
        if stop.is_set():
            return pinned
        try:
            await host.post(f"/api/shows/{show_id}/pins", {"id": ids.new(), "listing_id": listing_id})
            pinned += 1
        except (*AWAY, Refused):
            pass
        await asyncio.sleep(0.5)
    return pinned


async def kill_all_in_turn(market: Any, push: Any) -> None:
    """kill -9 of each process; an init system starts it again."""
    for number, name in KILLS:
        await asyncio.sleep(random.uniform(0.6, 1.2))
        if name == "redis":
            market.redis.kill()
            await asyncio.sleep(1.0)
            with market.data.inside():
                market.redis.start()
        elif name == "postgres":
            market.postgres.process.kill()
            market.postgres.process.wait()
            with market.data.inside():
                market.postgres.launch()
        else:
            market.restart(number, name)
            if name == "media":
                await push()
    for number, name in market.planes:
        await asyncio.to_thread(market.wait_for, number, name)


async def all_said(db: Database, show_id: str, people: list[Somebody]) -> bool:
    """Whether every acknowledged line has its number: it is given a moment after the line was kept."""
    async with db.read() as read:
        rows = await read.fetch(
            "select body from live_event where channel = $1 and kind = 'chat.said'", ids.parse(show_id)
        )
    said = {row["body"]["id"] for row in rows}
    return all(one_id in said for one in people for one_id in one.acknowledged["chat"])


async def check(db: Database, show_id: str, people: list[Somebody]) -> None:
    """What everyone was told and what was acknowledged, against the database."""
    show = ids.parse(show_id)
    async with db.read() as read:
        rows = await read.fetch("select seq, kind, body from live_event where channel = $1 order by seq", show)
        lines = Counter(str(r["id"]) for r in await read.fetch("select id from chat_message where show_id = $1", show))
        orders = Counter(str(r["id"]) for r in await read.fetch("select id from orders where show_id = $1", show))
        likes = await read.fetchval("select likes from show where id = $1", show)
        assert await stock.drift(read) == 0
    assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
    events = {row["seq"]: (row["kind"], row["body"]) for row in rows}
    said = Counter(row["body"]["id"] for row in rows if row["kind"] == "chat.said")
    for one in people:
        assert one.first is not None
        assert one.jumps == 0, "somebody was told events with a gap"
        heard = {seq: (event["kind"], event["body"]) for seq, event in one.events.items()}
        expected = {seq: event for seq, event in events.items() if seq > one.first}
        assert heard.keys() == expected.keys()
        assert all(heard[seq] == expected[seq] for seq in heard if expected[seq][0] in {"chat.said", "pin.started"})
        assert all(lines[one_id] == said[one_id] == 1 for one_id in one.acknowledged["chat"])
        assert all(orders[one_id] == 1 for one_id in one.acknowledged["buy"])
    assert set(said.values()) == {1}, "no line was numbered twice"
    assert likes == sum(one.liked for one in people), "each like was counted once"


@pytest.mark.usefixtures("outside")
async def test_every_process_of_four_machines_is_killed_and_nothing_acknowledged_is_lost(market):
    db = Database(market.postgres.dsn())
    async with db.write() as tx:
        token = await offer_first_run(tx)
    async with Door(market.webs[0]) as first, Door(market.webs[1]) as second:
        cast = await seed(first, token, products=2, on_hand=5000)
        show_id = (await cast.live_show())["id"]
        pushers: list[Pusher] = [await cast.push(show_id)]
        people: list[Somebody] = []

        async def push() -> None:
            pushers.append(await until(lambda: try_push(cast.at(second), show_id), what="a new picture"))

        try:
            await cast.go_live(show_id)
            tray = await cast.tray(show_id)
            for number in range(9):
                person = await cast.buyer(f"Buyer {number}")
                there = Person(second)
                there.headers = person.headers
                people.append(Somebody(market, [person, there], show_id, number % 3))
            for one in people:
                await asyncio.wait_for(one._there.wait(), PATIENCE_SECONDS)
            await until(lambda: counted(people, len(people)), what="the count of viewers")
            line = {"listing_id": tray[0]["listing_id"], "quantity": 1}
            variants = [one["variant_id"] for one in tray[0]["variants"]]
            stop = asyncio.Event()
            lives = [asyncio.create_task(one.live(stop, line, variants)) for one in people]
            hosts = [cast.creator, cast.at(second).creator]
            pins = asyncio.create_task(pin_now_and_then(stop, hosts, show_id, [one["listing_id"] for one in tray]))
            await kill_all_in_turn(market, push)
            await until(lambda: all(done(people, kind) > 2 * len(people) for kind in ("chat", "buy")), what="going on")
            stop.set()
            await asyncio.wait_for(asyncio.gather(*lives), PATIENCE_SECONDS)
            assert await pins > 3
            await until(lambda: all_said(db, show_id, people), what="the last line's number")
            await until(lambda: all_told(db, show_id, people), what="the last event")
            await until(lambda: counted(people, len(people)), what="the count of viewers")
            await check(db, show_id, people)
        except BaseException:
            print(market.logs())
            raise
        finally:
            for pusher in pushers:
                pusher.stop()
            for one in people:
                await one.leave()
            await db.close()


def done(people: list[Somebody], kind: str) -> int:
    """How much of that kind was acknowledged."""
    return sum(len(one.acknowledged[kind]) for one in people)


async def try_push(cast: Cast, show_id: str) -> Pusher | None:
    try:
        return await cast.push(show_id)
    except (*AWAY, Refused):
        return None


async def counted(people: list[Somebody], viewers: int) -> bool:
    return all(one.totals.get("viewers") == viewers for one in people)


async def all_told(db: Database, show_id: str, people: list[Somebody]) -> bool:
    async with db.read() as read:
        waits = await read.fetchval(
            """select exists (select 1 from outbox o left join outbox_cursor c on c.listener = 'live'
                where (o.xid, o.id) > (coalesce(c.xid, '0'::xid8), coalesce(c.id, 0)))"""
        )
        last = await read.fetchval("select seq from live_channel where channel = $1", ids.parse(show_id))
    return not waits and all(one.seq == last for one in people)
