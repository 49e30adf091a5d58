"""The limit of `claims.py`: one SQL function that makes a bare sale at once, called in batches over one connection."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg

from livestall.base import ids

WAITING, BATCH, UNITS, SKUS = 2000, 500, 10**8, 1000
SNAPSHOT = '{"title": "Green tea", "variant": "250 g", "price": 1000}'


async def rate(buyer: Callable[[], Awaitable[object]], seconds: float) -> float:
    """Answers per second of `buyer`, called again and again by WAITING people at once."""
    done = 0
    end = time.perf_counter() + seconds

    async def person() -> None:
        nonlocal done
        while time.perf_counter() < end:
            await buyer()
            done += 1

    start = time.perf_counter()
    await asyncio.gather(*(person() for _ in range(WAITING)))
    return done / (time.perf_counter() - start)


class Function:
    """One lane in front of `place_batch`: claims that arrive while it decides are the next batch."""

    SQL = "select outcome, order_id from shop.place_batch(1, $1, $2, $3, $4, $5, $6, $7, $8, $9)"

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self.arrived = asyncio.Event()
        self.buyers = 0

    @classmethod
    async def open(cls, dsn: str) -> Function:
        connection = await asyncpg.connect(dsn)
        await connection.execute((Path(__file__).parent / "place_batch.sql").read_text())
        await connection.execute(
            """insert into shop.sku_stock (seller_id, sku_id, available)
               select 1, s, $1::int from generate_series(1, $2) s""",
            UNITS, SKUS,
        )  # fmt: skip
        await connection.execute("vacuum analyze shop.sku_stock")
        return cls(connection)

    async def buy(self) -> None:
        """One claim on the hot article."""
        await self._claim(1)

    async def buy_any(self) -> None:
        """One claim on one of SKUS articles."""
        await self._claim(random.randint(1, SKUS))

    async def _claim(self, sku: int) -> None:
        self.buyers += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append(((7, self.buyers, ids.new(), sku, 1, 1000, 0, SNAPSHOT), future))
        self.arrived.set()
        await future

    async def run(self) -> None:
        statement = await self.connection.prepare(self.SQL)
        while True:
            if not self.waiting:
                self.arrived.clear()
                await self.arrived.wait()
            await asyncio.sleep(0)
            batch, self.waiting = self.waiting[:BATCH], self.waiting[BATCH:]
            columns = zip(*(claim for claim, _ in batch), strict=True)
            rows = await statement.fetch(*map(list, columns), timedelta(minutes=12))
            for (_, future), row in zip(batch, rows, strict=True):
                future.set_result(row)
