"""Claims decided per second, through the doors of a real market, beside one SQL function that makes a bare sale.

`place_batch.sql` is the limit: order, line, stock and event rows in a single call, nothing else (no title, no address,
no deal, no names, nobody who is told). It is called in batches of at most 500 for 2,000 who always wait. The subjects
sell in a real `livestall live` and a real `livestall web` process to buyers written in C. Servers and the caller of the
function share one core; PostgreSQL and the buyers share the other. Limit and subjects take turns.

    python bench/claims.py [runs] [seconds]
"""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import tempfile
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import uvloop

from _claims_limit import Function, rate
from _claims_market import BUYERS_CORE, SERVER_CORE, Market, pin
from _harness import RUNS, report, say, turns_awaited
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres

BUYERS, BURST = 1000, 2000


async def measure(dsn: str, folder: Path, runs: int, seconds: float) -> None:
    with ExitStack() as stack:
        market = await Market.open(dsn, folder, stack)
        function = await Function.open(dsn)
        lane = asyncio.create_task(function.run())
        gc.freeze()
        gc.set_threshold(50_000, 20, 20)

        async def sold(wishes: list[str], by: str = "socket", buyers: int = BUYERS) -> float:
            seen = await market.sell(wishes, by=by, buyers=buyers, seconds=seconds)
            if seen["refused"]:
                raise RuntimeError(f"{seen['refused']} buyers were refused")
            return seen["per_s"]

        async def refused() -> float:
            seen = await market.sell(market.gone, buyers=BUYERS, seconds=seconds)
            if seen["orders"]:
                raise RuntimeError(f"{seen['orders']} orders for what is sold out")
            return seen["per_s"]

        async def burst() -> float:
            seen = await market.sell(market.hot, buyers=BURST, seconds=0)
            if seen["orders"] != BURST:
                raise RuntimeError(f"of {BURST} buyers {seen['orders']} were sold to, {seen['refused']} refused")
            return seen["p99_ms"]

        await sold(market.hot)  # everything is warm: plans, pools, caches
        found: dict[str, list[float]] = await turns_awaited(
            {
                "limit": lambda: rate(function.buy, seconds),
                "hot": lambda: sold(market.hot),
                "gone": refused,
                "burst": burst,
                "limit of many": lambda: rate(function.buy_any, seconds),
                "many": lambda: sold(market.many),
                "http": lambda: sold(market.hot, "http", BUYERS),
            },
            runs,
        )
        lane.cancel()
        with suppress(asyncio.CancelledError):
            await lane
        await function.connection.close()
        await market.close()
    tell(found)


def tell(found: dict[str, list[Any]]) -> None:
    limit = found["limit"]
    report("claims.hot_socket_per_s", "orders/s", found["hot"], limit=limit, aim="ratio >= 0.5",
           note=f"{BUYERS} sockets, one variant")  # fmt: skip
    report("claims.many_socket_per_s", "orders/s", found["many"], limit=found["limit of many"], aim="ratio >= 0.5",
           note=f"{BUYERS} sockets, 1,000 variants drawn evenly")  # fmt: skip
    report("claims.hot_http_per_s", "orders/s", found["http"], limit=limit, aim="ratio >= 0.2",
           note=f"{BUYERS} connections")  # fmt: skip
    report("claims.burst_p99_ms", "ms", found["burst"], limit=300, aim="max <= 300",
           note=f"{BURST} buyers at one moment, every one sold to")  # fmt: skip
    report("claims.soldout_per_s", "answers/s", found["gone"], limit=found["hot"], aim="ratio >= 2",
           note="held against the rate of sales by socket")  # fmt: skip


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 3.0
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        server.start()
        try:
            assert server.process is not None
            pin(os.getpid(), SERVER_CORE)  # with all that it started, so that PostgreSQL comes after
            pin(server.process.pid, BUYERS_CORE)
            migrate(server.dsn())
            say("claims: seven subjects take turns")
            uvloop.run(measure(server.dsn(), Path(folder), runs, seconds))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
