"""Claims on one hot article, decided per second: the counter, against one SQL function that does a bare sale at once.

`place_batch.sql` is the limit: order, line, stock and event rows in a single call, nothing else (no payment, no title,
no address, no deal, no names). Both are driven the same way in the same run: 2,000 buyers who always wait, at most 500
a batch, one connection. House rule: the counter keeps at least half of the function's rate.
`claims.hot_socket_per_s` is the same sale through the door: a real `livestall live` process, SOCKETS buyers on sockets
in another process, each buying again when answered.

    python bench/claims.py [runs] [seconds]
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

HERE = Path(__file__).parent
sys.path.append(str(HERE.parent / "tests" / "orders"))

from shop import Article, Shop, draft  # noqa: E402  # pyright: ignore[reportMissingImports]

from livestall.app.migrate import migrate  # noqa: E402
from livestall.app.postgres import Postgres  # noqa: E402
from livestall.base import ids  # noqa: E402
from livestall.base.db import Database  # noqa: E402
from livestall.orders import Counter  # noqa: E402

WAITING, SOCKETS, BATCH, UNITS = 2000, 200, 500, 10**8
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
    """The limit: one lane in front of `place_batch`."""

    SQL = "select outcome, order_id from shop.place_batch(1, $1, $2, $3, $4, $5, $6, $7, $8, $9)"

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.waiting: list[tuple[tuple[Any, ...], asyncio.Future[Any]]] = []
        self.arrived = asyncio.Event()
        self.buyers = 0

    @classmethod
    async def open(cls, dsn: str) -> Function:
        connection = await asyncpg.connect(dsn)
        await connection.execute((HERE / "place_batch.sql").read_text())
        await connection.execute("insert into shop.sku_stock (seller_id, sku_id, available) values (1, 1, $1)", UNITS)
        return cls(connection)

    async def buy(self) -> None:
        self.buyers += 1
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.waiting.append(((7, self.buyers, ids.new(), 1, 1, 1000, 0, SNAPSHOT), future))
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


async def measure(dsn: str, runs: int, seconds: float) -> None:
    db = Database(dsn)
    shop = await Shop.open(db)
    tea = await shop.product(UNITS)
    counter = Counter(db, lanes=1, batch_max=BATCH)
    line = tea.line()

    async def buy() -> None:
        await counter.place(draft(line, show=shop.show))

    function = await Function.open(dsn)
    lane = asyncio.create_task(function.run())
    ours, sockets, limits = [], [], []
    await rate(buy, 1)
    await rate(function.buy, 1)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with gateway(dsn) as (port, environment):
        for _ in range(runs):
            sockets.append(await through_the_door(port, environment, shop, tea, seconds))
            ours.append(await rate(buy, seconds))
            limits.append(await rate(function.buy, seconds))
    lane.cancel()
    with suppress(asyncio.CancelledError):
        await lane
    await counter.close()
    await function.connection.close()
    await db.close()
    limit = statistics.median(limits)
    for name, values in (("claims.hot_socket_per_s", sockets), ("claims.counter_per_s", ours)):
        value = statistics.median(values)
        result = {
            "name": name, "value": round(value), "unit": "orders/s", "limit": round(limit),
            "ratio": round(value / limit, 3), "runs": [round(one) for one in values],
        }  # fmt: skip
        print(json.dumps(result))


@contextmanager
def gateway(dsn: str) -> Generator[tuple[int, dict[str, str]]]:
    """A `livestall live` process: its port, and the environment that signs tickets for it."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ, "LIVESTALL_DATABASE_URL": dsn, "LIVESTALL_SECRET": secrets.token_hex(32),
            "LIVESTALL_DATA": folder, "LIVESTALL_LIVE__PORT": str(port), "LIVESTALL_WEB__HOST": "127.0.0.1",
            "LIVESTALL_LIVE__COMMANDS_PER_SECOND": "1000000", "LIVESTALL_LIVE__COMMANDS_BURST": "1000000",
            "LIVESTALL_LOGS__LEVEL": "warning",
        }  # fmt: skip
        process = subprocess.Popen([sys.executable, "-m", "livestall.app.cli", "live"], env=environment)
        try:
            wait_for(port)
            yield port, environment
        finally:
            process.terminate()
            process.wait(10)


def wait_for(port: int) -> None:
    end = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return


async def through_the_door(port: int, environment: dict[str, str], shop: Shop, tea: Article, seconds: float) -> float:
    """Orders per second that the buyers' process saw answered."""
    client = await asyncio.create_subprocess_exec(
        sys.executable, str(HERE / "_claims_client.py"), f"ws://127.0.0.1:{port}", str(shop.show), str(tea.variant),
        str(tea.listing), str(SOCKETS), str(seconds), env=environment, stdout=subprocess.PIPE,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(client.communicate(), 60)
    answer = json.loads(said)
    if answer["refused"]:
        raise SystemExit(f"{answer['refused']} buyers were refused")
    return answer["per_s"]


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        server.start()
        try:
            migrate(server.dsn())
            uvloop.run(measure(server.dsn(), runs, seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
