"""PostgreSQL fails over to its standby: the market's URL names both servers, and whichever writes is the one it uses.
Nothing that was acknowledged is lost, since the primary waits for its standby before it says that it committed.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from helpers.market import Served, seed, until
from helpers.patience import slowness
from helpers.rooms import AWAY, Viewer
from livestall import stock
from livestall.app.demo.client import Door, Person, Refused
from livestall.app.postgres import Postgres
from livestall.base import ids
from livestall.base.db import Database

BUYERS = 8
GOES_ON_SECONDS = 15
"""On a quiet machine."""


class Standby(Postgres):
    """A copy of a running server that follows it."""

    def follow(self, primary: Postgres) -> None:
        self.folder.mkdir(parents=True)
        self._make_reachable()
        source, target = primary.dsn("postgres"), str(self.data)
        command = self._command("pg_basebackup", "-d", source, "-D", target, "-R", "-X", "stream", "-c", "fast")
        done = subprocess.run(command, capture_output=True, check=False, **self._run_as())
        assert done.returncode == 0, done.stderr.decode()
        self.start()

    def promote(self) -> None:
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            assert connection.execute("select pg_promote(true, 30)").fetchone() == (True,)


class Pair:
    """Two servers, and the URL that names both."""

    def __init__(self, folder: Path) -> None:
        self.primary = Postgres(folder / "one", settings="wal_level = replica\n")
        self.primary.start()
        self.standby = Standby(folder / "two")
        self.standby.follow(self.primary)
        with psycopg.connect(self.primary.dsn("postgres"), autocommit=True) as connection:
            connection.execute("alter system set synchronous_standby_names = '*'")
            connection.execute("select pg_reload_conf()")
        one, two = (server.dsn().partition("host=")[2] for server in (self.primary, self.standby))
        self.url = f"postgresql://livestall@/livestall?host={one},{two}&target_session_attrs=read-write"

    def kill_primary(self) -> None:
        assert self.primary.process is not None
        for child in children(self.primary.process.pid):
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(child, signal.SIGKILL)
        self.primary.process.kill()
        self.primary.process.wait()

    def stop(self) -> None:
        self.standby.stop()
        self.primary.stop()


def children(pid: int) -> list[int]:
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="livestall-pair-"))
    folder.chmod(0o755)
    both = Pair(folder)
    yield both
    both.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def served(pair: Pair) -> Iterator[Served]:
    market = Served(database_url=pair.url)
    try:
        market.start()
        yield market
    finally:
        market.stop()
        market.remove()


async def buy_until(over: asyncio.Event, buyer: Person, line: dict[str, object], acknowledged: list[str]) -> None:
    """One order after the other, each repeated under its own id until it is answered."""
    order_id = ids.new()
    while not over.is_set():
        try:
            order = await buyer.post("/api/orders", {"id": order_id, "lines": [line]})
        except (*AWAY, Refused):
            await asyncio.sleep(0.2)
            continue
        if "id" not in order:  # a place in line: asked again under the same id
            await asyncio.sleep(0.2)
            continue
        assert order["id"] == str(order_id)
        acknowledged.append(order["id"])
        order_id = ids.new()
        await asyncio.sleep(0.02)


async def test_sales_go_on_at_the_standby_and_no_acknowledged_order_is_lost(pair: Pair, served: Served) -> None:
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1, on_hand=5000)
        show = await cast.live_show()
        viewer = Viewer(cast.creator, show["id"]).start()
        line: dict[str, object] = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
        over, acknowledged = asyncio.Event(), list[str]()
        buyers = [await cast.buyer(f"Buyer {n}") for n in range(BUYERS)]
        buying = [asyncio.create_task(buy_until(over, one, line, acknowledged)) for one in buyers]

        async def sold(more: int) -> bool:
            return len(acknowledged) >= more

        await until(lambda: sold(40), what="forty orders")
        await asyncio.to_thread(pair.kill_primary)
        before = len(acknowledged)
        await asyncio.to_thread(pair.standby.promote)
        await until(lambda: sold(before + 40), GOES_ON_SECONDS * slowness(), "forty more orders at the standby")
        over.set()
        await asyncio.gather(*buying)

        async def inside() -> bool:
            return viewer.is_inside and not viewer.paused

        await until(inside, GOES_ON_SECONDS * slowness(), "the viewer being told that buying goes on")
        await viewer.stop()
        assert viewer.gaps == []
    db = Database(pair.url)
    async with db.read() as read:
        rows = await read.fetch("select id from orders")
        _, _, drifting = await stock.audited(read)
    await db.close()
    kept = [str(row["id"]) for row in rows]
    assert set(acknowledged) <= set(kept), "every acknowledged order exists"
    assert len(kept) == len(set(kept))
    assert drifting == []
