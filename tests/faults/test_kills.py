"""kill -9 of each process in the middle of a flash sale.

Fifty buyers, some of whom click twice, retry with the same order id until they are answered; ten of them as fast as
they may. After each kill the sale goes on, over HTTP and over sockets. Afterwards every acknowledged order exists
exactly once, nobody is over the limit, held + sold is what the orders say, and all heals.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from helpers.buying import Buyer, Way, acknowledged_by, over_a_socket, over_http, with_a_double_click
from helpers.market import Cast, Served, seed, serving, until
from helpers.patience import PATIENCE_SECONDS, soon
from livestall.app.demo.client import Door, Json
from livestall.base import ids

BUYERS, GREEDY = 50, 10
QUOTA, LIMIT = 1200, 20
"""More than can be sold meanwhile: the sale lasts as long as the kills."""

PAUSE_SECONDS, GREEDY_PAUSE_SECONDS = (1.0, 3.0), (0.05, 0.3)
HTTP: Sequence[Way] = (*(over_http,) * 9, with_a_double_click)
SOCKET: Sequence[Way] = (over_a_socket,)
KILLED = ("web", "live", "postgres", "work", "media", "web", "postgres", "live")
MORE, GOES_ON_SECONDS = 5, 20
"""So many more are sold by either way, and so soon on a quiet machine, after each kill."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(rooms__grace_seconds=60) as market:
        yield market


async def opened(cast: Cast, show_id: str, deal: Json) -> None:
    async def running() -> bool:
        return (await cast.deal(show_id, deal["id"]))["state"] == "running"

    await until(running, what="the sale")


@asynccontextmanager
async def rush(buyers: Sequence[Buyer], deal: Json) -> AsyncGenerator[None]:
    """They buy while the block lasts, and finish what they have begun."""
    line = {name: deal[name] for name in ("variant_id", "listing_id")} | {"deal_id": deal["id"], "quantity": 1}
    over = asyncio.Event()
    tasks = [
        asyncio.create_task(one.buy_until(over, line, GREEDY_PAUSE_SECONDS if number < GREEDY else PAUSE_SECONDS))
        for number, one in enumerate(buyers)
    ]
    yield
    over.set()
    await asyncio.wait_for(asyncio.gather(*tasks), PATIENCE_SECONDS)


async def goes_on(buyers: Sequence[Buyer], after: str) -> None:
    """Some more are sold from now on, by either way."""
    ways = [[one for one in buyers if one.ways == way] for way in (HTTP, SOCKET)]
    before = [len(acknowledged_by(those)) for those in ways]

    def more() -> bool:
        return all(len(acknowledged_by(those)) >= had + MORE for those, had in zip(ways, before, strict=True))

    await soon(more, GOES_ON_SECONDS, f"the sale going on after {after} was killed")


async def check(served: Served, deal: Json, buyers: Sequence[Buyer]) -> None:
    """The books after the storm, read straight from the database."""
    connection = await asyncpg.connect(served.dsn)
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
    assert pool is not None
    placed = Counter(str(row["id"]) for row in rows)
    acknowledged = acknowledged_by(buyers)
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) <= set(placed), "every acknowledged order exists"
    assert set(placed.values()) == {1}, "and exists once"
    per_buyer = Counter(row["buyer_id"] for row in rows if row["state"] in {"placed", "paid"})
    assert max(per_buyer.values()) == LIMIT, "some came to the limit, nobody beyond it"
    assert set(sum((one.refused for one in buyers), Counter())) == {"limit-reached"}
    units = sum(row["quantity"] for row in rows if row["state"] in {"placed", "paid"})
    assert pool["held"] + pool["sold"] == units <= QUOTA


async def test_every_acknowledged_order_exists_once_whatever_is_killed(served: Served):
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1, on_hand=2000)
        async with cast.on_air() as show:
            deal = await cast.flash_sale(show["id"], quota=QUOTA, per_buyer=LIMIT, duration_seconds=1200)
            people = [await cast.buyer(f"Buyer {number}") for number in range(BUYERS)]
            buyers = [Buyer(one, show["id"], SOCKET if number % 2 else HTTP) for number, one in enumerate(people)]
            await opened(cast, show["id"], deal)
            async with rush(buyers, deal):
                for plane in KILLED:
                    await asyncio.sleep(random.uniform(0, 0.3))  # at whatever moment of an order
                    await asyncio.to_thread(served.kill, plane)
                    await goes_on(buyers, plane)
                await until(lambda: any(one.refused for one in buyers), what="somebody coming to the limit")
            await until(lambda: len(served.planes()) == 5, what="all planes up again")
            await until(cast.all_is_well, what="health, and drift 0")
            await check(served, deal, buyers)

            other = cast.products[0]["variants"][1]["id"]
            order = await over_http(people[0], show["id"], ids.new(), {"variant_id": other, "quantity": 1})
            assert order["state"] == "placed", "and the market goes on selling"
