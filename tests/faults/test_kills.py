"""kill -9 of each process in the middle of a flash sale.

Fifty buyers, some of whom click twice, retry with the same order id until they are answered. Afterwards every
acknowledged order exists exactly once, nobody is over the limit, held + sold is what the orders say, and all heals.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import asyncpg
import pytest

from helpers.market import Cast, Pusher, Served, seed, until
from helpers.patience import PATIENCE_SECONDS
from livestall.app.demo.client import Door, Json, Person, Refused, Socket
from livestall.base import ids

BUYERS = 50
QUOTA = 400
LIMIT = 6
AWAY = (aiohttp.ClientError, ConnectionError, TimeoutError)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    market = Served(rooms__grace_seconds=60)
    market.start()
    yield market
    market.stop()
    market.remove()


class Buyer:
    """Buys until told to stop; keeps what was acknowledged and what was refused."""

    def __init__(self, person: Person, show_id: str, deal: Json, *, by_socket: bool) -> None:
        self.person, self.show_id, self.by_socket = person, show_id, by_socket
        self.line = {
            "variant_id": deal["variant_id"],
            "listing_id": deal["listing_id"],
            "deal_id": deal["id"],
            "quantity": 1,
        }
        self.acknowledged: list[str] = []
        self.refused: Counter[str] = Counter()
        self.retries = 0

    async def buy_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.buy_one(stop)
            await asyncio.sleep(random.uniform(0.05, 0.3))

    async def buy_one(self, stop: asyncio.Event) -> None:
        """One purchase, repeated with its own id until it is answered, whatever is killed meanwhile."""
        order_id = ids.new()
        while True:
            try:
                order = await self._once(order_id)
            except Refused as refused:
                if refused.status < 500 and refused.status != 429:
                    self.refused[refused.code] += 1
                    return
            except AWAY:
                pass
            else:
                assert order["id"] == str(order_id)
                self.acknowledged.append(order["id"])
                return
            self.retries += 1
            await asyncio.sleep(0.1)

    async def _once(self, order_id: Any) -> Json:
        body = {"id": order_id, "show_id": self.show_id, "lines": [self.line]}
        if not self.by_socket:
            if random.random() < 0.1:  # a double click: both get the same answer
                first, second = await asyncio.gather(
                    self.person.post("/api/orders", body), self.person.post("/api/orders", body)
                )
                assert first["id"] == second["id"]
                return first
            return await self.person.post("/api/orders", body)
        socket = await Socket(self.person, self.show_id).open()
        try:
            return await socket.buy(self.line, order_id)
        finally:
            await socket.close()


async def prepare(door: Door, served: Served) -> tuple[Cast, str, Pusher, list[Person]]:
    cast = await seed(door, served.first_run_token, products=1, on_hand=2000)
    show = await cast.live_show()
    pusher = await cast.push(show["id"])
    await cast.go_live(show["id"])
    people = [await cast.buyer(f"Buyer {number}") for number in range(BUYERS)]
    return cast, show["id"], pusher, people


async def flash_sale(cast: Cast, show_id: str) -> Json:
    deal = await cast.flash_sale(show_id, quota=QUOTA, per_buyer=LIMIT)

    async def running() -> bool:
        return (await cast.deal(show_id, deal["id"]))["state"] == "running"

    await until(running, what="the sale")
    return deal


async def check(served: Served, deal: Json, buyers: list[Buyer]) -> None:
    """The books after the storm, read straight from the database."""
    dsn = f"postgresql://livestall@/livestall?host={socket_folder(served)}"
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch(
            """select o.id, o.buyer_id, o.state, l.quantity from orders o join order_line l on l.order_id = o.id
                where l.deal_id = $1""",
            ids.parse(deal["id"]),
        )
        pool = await connection.fetchrow(
            "select held, sold, open from stock_pool where pool_id = $1", ids.parse(deal["id"])
        )
    finally:
        await connection.close()
    placed = Counter(str(row["id"]) for row in rows)
    acknowledged = [one for buyer in buyers for one in buyer.acknowledged]
    assert len(acknowledged) > BUYERS, "the sale went on during the kills"
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) <= set(placed), "every acknowledged order exists"
    assert set(placed.values()) == {1}, "and exists once"
    per_buyer = Counter(row["buyer_id"] for row in rows if row["state"] in {"placed", "paid"})
    assert max(per_buyer.values()) <= LIMIT
    units = sum(row["quantity"] for row in rows if row["state"] in {"placed", "paid"})
    assert pool["held"] + pool["sold"] == units <= QUOTA


def socket_folder(served: Served) -> str:
    """Where the market's own PostgreSQL listens: the third line of its pid file's socket entry."""
    lines = (served.folder / "data" / "postgres" / "data" / "postmaster.pid").read_text().splitlines()
    return lines[4]


async def test_every_acknowledged_order_exists_once_whatever_is_killed(served: Served):
    async with Door(served.base) as door:
        cast, show_id, pusher, people = await prepare(door, served)
        try:
            deal = await flash_sale(cast, show_id)
            stop = asyncio.Event()
            buyers = [Buyer(one, show_id, deal, by_socket=bool(number % 2)) for number, one in enumerate(people)]
            tasks = [asyncio.create_task(buyer.buy_until(stop)) for buyer in buyers]
            for plane in ("web", "live", "postgres", "work", "media", "web", "postgres", "live"):
                await asyncio.sleep(random.uniform(0.5, 1.2))
                await asyncio.to_thread(served.kill, plane)
            await until(lambda: sum(len(one.acknowledged) for one in buyers) > BUYERS, what="the sale going on")
            stop.set()
            await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_SECONDS)
            await until(lambda: asyncio.to_thread(lambda: len(served.planes()) == 5), what="all planes up again")
            await until(lambda: healed(cast), what="health")
            await check(served, deal, buyers)
            assert (await cast.operator.get("/api/operator/health"))["drift"] == 0

            order = await people[0].post("/api/orders", {"id": ids.new(), "show_id": show_id, "lines": [{
                "variant_id": cast.products[0]["variants"][1]["id"], "quantity": 1}]})  # fmt: skip
            assert order["state"] == "placed", "and the market goes on selling"
        finally:
            pusher.stop()


async def healed(cast: Cast) -> bool:
    try:
        return all(one["state"] == "up" for one in (await cast.operator.get("/api/operator/health"))["planes"])
    except (*AWAY, Refused):
        return False
