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

from helpers.buying import Buyer, acknowledged_by
from helpers.faults import hung
from helpers.market import Served, seed, serving, until
from helpers.patience import soon
from helpers.processes import children_of
from helpers.rooms import Viewer
from livestall import stock
from livestall.app.demo.client import Door
from livestall.app.postgres import Postgres
from livestall.base import ids
from livestall.base.db import Database

BUYERS = 8
PAUSE_SECONDS = (0.02, 0.02)
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
        self.standby = Standby(folder / "two")
        self.url = ""

    def start(self) -> None:
        self.primary.start()
        self.standby.follow(self.primary)
        with psycopg.connect(self.primary.dsn("postgres"), autocommit=True) as connection:
            connection.execute("alter system set synchronous_standby_names = '*'")
            connection.execute("select pg_reload_conf()")
        one, two = (server.dsn().partition("host=")[2] for server in (self.primary, self.standby))
        self.url = f"postgresql://livestall@/livestall?host={one},{two}&target_session_attrs=read-write"

    def receiver(self) -> int:
        """The standby's process that takes in what the primary writes."""
        assert self.standby.process is not None
        for pid in children_of(self.standby.process.pid):
            with suppress(OSError):  # a backend comes and goes with every try to write at this server
                if b"walreceiver" in Path(f"/proc/{pid}/cmdline").read_bytes():
                    return pid
        raise AssertionError("the standby receives nothing")

    def commits_waiting(self) -> int:
        """How many at the primary wait for the standby before they say that they committed."""
        with psycopg.connect(self.primary.dsn("postgres")) as connection:
            found = connection.execute("select count(*) from pg_stat_activity where wait_event = 'SyncRep'").fetchone()
        return found[0] if found else 0

    def kill_primary(self) -> None:
        assert self.primary.process is not None
        for child in children_of(self.primary.process.pid):
            with suppress(ProcessLookupError):  # it has just ended by itself
                os.kill(child, signal.SIGKILL)
        self.primary.process.kill()
        self.primary.process.wait()

    def stop(self) -> None:
        self.standby.stop()
        self.primary.stop()


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    folder = Path(tempfile.mkdtemp(prefix="livestall-pair-"))
    folder.chmod(0o755)
    both = Pair(folder)
    try:
        both.start()
        yield both
    finally:
        both.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def served(pair: Pair) -> Iterator[Served]:
    with serving(database_url=pair.url) as market:
        yield market


async def test_sales_go_on_at_the_standby_and_no_acknowledged_order_is_lost(pair: Pair, served: Served) -> None:
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1, on_hand=5000)
        show = await cast.live_show(planned_at="2030-01-01T20:00:00Z")
        viewer = Viewer(cast.creator, show["id"]).start()
        over = asyncio.Event()
        buyers = [Buyer(await cast.buyer(f"Buyer {n}"), show["id"]) for n in range(BUYERS)]
        buying = [asyncio.create_task(one.buy_until(over, cast.line(), PAUSE_SECONDS)) for one in buyers]

        async def forty_more() -> None:
            before = len(acknowledged_by(buyers))
            await soon(lambda: len(acknowledged_by(buyers)) >= before + 40, GOES_ON_SECONDS, "forty more orders")

        await forty_more()
        with hung(pair.receiver()):  # what the primary alone has written is about to be lost
            await until(lambda: asyncio.to_thread(pair.commits_waiting), what="commits waiting for the standby")
            await asyncio.to_thread(pair.kill_primary)
        await asyncio.to_thread(pair.standby.promote)
        await forty_more()
        over.set()
        await asyncio.gather(*buying)
        await soon(lambda: viewer.is_inside and not viewer.paused, GOES_ON_SECONDS, "the viewer's room")
        await cast.creator.post(f"/api/shows/{show['id']}/chat", {"id": ids.new(), "text": "we go on"})
        await until(lambda: viewer.said("we go on"), what="the viewer hearing what is said at the standby")
        await viewer.stop()
        assert (viewer.gaps, viewer.contradictions) == ([], [])
        assert [one.refused for one in buyers] == [{}] * BUYERS
    db = Database(pair.url)
    async with db.read() as read:
        kept = {str(row["id"]) for row in await read.fetch("select id from orders")}
        _, _, drifting = await stock.audited(read)
    await db.close()
    acknowledged = acknowledged_by(buyers)
    assert len(acknowledged) == len(set(acknowledged))
    assert set(acknowledged) <= kept, "every acknowledged order exists"
    assert drifting == []
