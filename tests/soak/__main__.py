"""`make soak`: a show that sells for half an hour while everything is killed that can be killed. Before it come twenty
thousand who never read.

python tests/soak [seconds]     (or SOAK_SECONDS). Writes docs/soak.md. Exits 1 if an invariant does not hold.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from invariants import Found, check
from network import Line, bad_line
from people import LIMIT, Buyer, Shelf
from report import Run, write
from silent import SETTINGS as FOR_THE_SILENT
from silent import Silence, never_read
from trouble import Camera, Hostile, Killer

from helpers.faults import processes_of
from helpers.market import Cast, Served, free_ports_in_a_row, seed, until
from helpers.redis_server import RedisServer
from helpers.rooms import AWAY, Viewer
from livestall.app import postgres
from livestall.app.demo.client import Door, Refused
from livestall.base.db import Database

DEFAULT_SECONDS = 1800
BUYERS, VIEWERS, FAR = 24, 20, 20
LOSS_PERCENT, DELAY_MS = 2, 120
QUIET_SECONDS = 90
SETTINGS: dict[str, object] = {
    "rooms__grace_seconds": 300, "web__processes": 2, "web__host": "0.0.0.0", "orders__hold_seconds": 60,
    "secret": secrets.token_hex(32), **FOR_THE_SILENT,
}  # fmt: skip


def far_away(line: Line, served: Served, show_id: str) -> subprocess.Popen[str]:
    """Viewers at the other end of the bad line."""
    program = [sys.executable, str(Path(__file__).parent / "far.py"), f"http://{line.host}:{served.web}", show_id]
    ports = [str(one) for one in (served.web, served.live)]
    return subprocess.Popen(
        ["ip", "netns", "exec", line.namespace, *program, str(FAR), str(line.relay_delay_ms), *ports],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def rss_mb(served: Served, plane: str) -> int:
    pages = [int((Path("/proc") / str(pid) / "statm").read_text().split()[1]) for pid in processes_of(served, plane)]
    return max(pages, default=0) * os.sysconf("SC_PAGE_SIZE") // 2**20


class Soak:
    def __init__(self, served: Served, redis: RedisServer, line: Line, seconds: float) -> None:
        self.served, self.redis, self.line, self.seconds = served, redis, line, seconds
        self.memory_mb = 0

    async def run(self) -> bool:
        async with Door(self.served.base) as door:
            cast = await seed(door, self.served.first_run_token, products=3, on_hand=20_000)
            show = await cast.live_show()
            camera = Camera(cast, show["id"], await cast.push(show["id"]))
            await cast.go_live(show["id"])
            try:
                print("soak: twenty thousand who never read", flush=True)
                silence, found = await never_read(self.served, cast, show["id"])
                return await self._storm(cast, show["id"], camera, silence, found)
            finally:
                camera.pusher.stop()

    async def _storm(
        self, cast: Cast, show_id: str, camera: Camera, silence: Silence, found_before: list[Found]
    ) -> bool:
        shelf = Shelf(cast, show_id)
        buyers = [Buyer(await cast.buyer(f"Buyer {n}"), shelf) for n in range(BUYERS)]
        viewers = [Viewer(await cast.buyer(f"Viewer {n}"), show_id).start() for n in range(VIEWERS)]
        far = far_away(self.line, self.served, show_id)
        killer = Killer(self.served, self.redis)
        hostile = Hostile(await cast.buyer("Mallory"), show_id, self.served.live)
        trouble, over = asyncio.Event(), asyncio.Event()
        storm = [asyncio.create_task(one.run(trouble)) for one in (killer, hostile)]
        work = [camera.run(over), shelf.run_sales(trouble), self._talk(viewers, trouble), self._weigh(trouble)]
        storm += [asyncio.create_task(one) for one in work]
        buying = [asyncio.create_task(one.live(trouble)) for one in buyers]
        print(f"soak: {self.seconds:.0f} s of trouble; {self.line.how}", flush=True)
        await self._wait(killer, buyers)
        trouble.set()
        await asyncio.gather(*buying, *(one for one in storm[:2]))
        acknowledged = [order for buyer in buyers for order in buyer.acknowledged]
        found, heard = await self._settle(cast, show_id, viewers, far, acknowledged)
        over.set()
        await asyncio.gather(*storm)
        await asyncio.gather(*(one.stop() for one in viewers))
        run = Run(
            seconds=round(self.seconds), line=self.line.how, kills=dict(killer.kills), hostile=dict(hostile.done),
            orders=len(acknowledged), paid=sum(one.paid for one in buyers),
            cancelled=sum(one.cancelled for one in buyers), retries=sum(one.retries for one in buyers),
            refused=dict(sum((one.refused for one in (*buyers, shelf)), start=Counter())), sales=shelf.sales,
            camera_reconnects=camera.reconnects, viewers=VIEWERS, far=FAR, gateway_mb=self.memory_mb,
            longest_near_seconds=max(one.longest_seconds for one in viewers),
            longest_far_seconds=max(one["longest_seconds"] for one in heard[VIEWERS:]),
            comebacks=sum(one["comebacks"] for one in heard),
        )  # fmt: skip
        return write(run, silence, [*found_before, *found])

    async def _wait(self, killer: Killer, buyers: list[Buyer]) -> None:
        until_at = time.monotonic() + self.seconds
        while time.monotonic() < until_at:
            await asyncio.sleep(min(30.0, max(0.1, until_at - time.monotonic())))
            count = sum(len(one.acknowledged) for one in buyers)
            left = max(0, round(until_at - time.monotonic()))
            print(f"soak: {left} s left, {count} orders, {sum(killer.kills.values())} kills", flush=True)

    async def _talk(self, viewers: list[Viewer], over: asyncio.Event) -> None:
        number = 0
        while not over.is_set():
            number += 1
            socket = viewers[number % len(viewers)].socket
            try:
                if socket is not None:
                    await socket.chat(f"line {number}")
            except (*AWAY, Refused):
                pass
            await asyncio.sleep(0.2)

    async def _weigh(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with suppress(OSError, IndexError):  # killed while it was weighed
                self.memory_mb = max(self.memory_mb, rss_mb(self.served, "live"))
            await asyncio.sleep(1)

    async def _settle(
        self, cast: Cast, show_id: str, viewers: list[Viewer], far: subprocess.Popen[str], acknowledged: list[str]
    ) -> tuple[list[Found], list[Any]]:
        """Calm: everything comes back by itself, the outbox empties, every viewer has the last number."""

        async def well() -> bool:
            try:
                health = await cast.operator.get("/api/operator/health")
            except (*AWAY, Refused):
                return False
            return all(one["state"] == "up" for one in health["planes"])

        await until(well, QUIET_SECONDS, "health")
        db = Database(postgres.dsn_of_running(self.served.folder / "data" / "postgres"))
        try:
            await until(lambda: quiet(db), QUIET_SECONDS, "calm: nothing waits to be handled")

            async def caught_up() -> bool:
                last = await last_event(db, UUID(show_id))
                return all(one.seq == last for one in viewers)

            await until(caught_up, QUIET_SECONDS, "every viewer hearing the last event")
            await asyncio.sleep(10)  # the far end of a bad line has its time, too
            said, _ = await asyncio.to_thread(far.communicate)
            heard = [msgspec.to_builtins(view(one)) for one in viewers] + msgspec.json.decode(said.splitlines()[-1])
            return await check(db, UUID(show_id), acknowledged, heard, LIMIT), heard
        finally:
            await db.close()


def view(one: Viewer) -> dict[str, Any]:
    return {"seq": one.seq, "gaps": one.gaps, "comebacks": one.comebacks, "longest_seconds": one.longest_seconds}


async def last_event(db: Database, show_id: UUID) -> int:
    async with db.read() as read:
        return await read.fetchval("select coalesce(max(seq), 0) from live_event where channel = $1", show_id)


async def quiet(db: Database) -> bool:
    """No order waits for its sweep, no notice for its settling, and nothing more is said in any room."""
    async with db.read() as read:
        due = await read.fetchval("select count(*) from orders where state = 'placed' and release_at < now()")
        waiting = await read.fetchval("select count(*) from payment_notice where settled_at is null")
        before = await read.fetchval("select count(*) from live_event")
        await asyncio.sleep(2)
        after = await read.fetchval("select count(*) from live_event")
    return not due and not waiting and before == after


def main() -> int:
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SOAK_SECONDS", DEFAULT_SECONDS))
    with ExitStack() as stack:
        line = stack.enter_context(bad_line(LOSS_PERCENT, DELAY_MS))
        redis = RedisServer().start()
        stack.callback(redis.kill)
        served = Served(bus_url=redis.url, watch__port=free_ports_in_a_row(100), **SETTINGS)
        stack.callback(served.remove)
        stack.callback(served.stop)
        served.start()
        good = asyncio.run(Soak(served, redis, line, seconds).run())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
