"""`make soak`: a show that sells for half an hour while everything is killed that can be killed. Before it come twenty
thousand who never read.

python tests/soak [seconds]     (or SOAK_SECONDS). Writes docs/soak.md. Exits 1 if an invariant does not hold.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from invariants import Found, check, enough
from network import Line, bad_line
from people import LIMIT, Customer, Shelf
from report import Run, write
from silent import Silence, market, never_read, rss_bytes
from trouble import HARM, PLANES, Camera, Hostile, Killer

from helpers.buying import acknowledged_by
from helpers.market import AWAY, Cast, Served, seed, until
from helpers.redis_server import RedisServer
from helpers.rooms import Viewer
from livestall.app.demo.client import Door, Refused
from livestall.base.db import Database

DEFAULT_SECONDS = 1800
BUYERS, VIEWERS, FAR = 24, 20, 20
LOSS_PERCENT, DELAY_MS = 2, 120
QUIET_SECONDS = 90
SETTINGS: dict[str, object] = {
    "rooms__grace_seconds": 300, "web__processes": 2, "web__host": "0.0.0.0", "orders__hold_seconds": 60,
}  # fmt: skip


def far_away(line: Line, served: Served, show_id: str) -> subprocess.Popen[str]:
    """Viewers at the other end of the bad line."""
    program = [sys.executable, str(Path(__file__).parent / "far.py"), f"http://{line.host}:{served.web}", show_id]
    ports = [str(one) for one in (served.web, served.live)]
    return subprocess.Popen(
        ["ip", "netns", "exec", line.namespace, *program, str(FAR), str(line.relay_delay_ms), *ports],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


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
        buyers = [Customer(await cast.buyer(f"Buyer {n}"), shelf) for n in range(BUYERS)]
        viewers = [Viewer(await cast.buyer(f"Viewer {n}"), show_id).start() for n in range(VIEWERS)]
        killer = Killer(self.served, self.redis)
        hostile = Hostile(await cast.buyer("Mallory"), show_id, self.served.live)
        far = far_away(self.line, self.served, show_id)
        trouble, over = asyncio.Event(), asyncio.Event()
        storm = [asyncio.create_task(one.run(trouble)) for one in (killer, hostile)]
        work = [camera.run(over), shelf.run_sales(trouble), self._talk(viewers, trouble), self._weigh(trouble)]
        storm += [asyncio.create_task(one) for one in work]
        buying = [asyncio.create_task(one.live(trouble)) for one in buyers]
        print(f"soak: {self.seconds:.0f} s of trouble; {self.line.how}", flush=True)
        try:
            await self._wait(killer, buyers, storm)
            trouble.set()
            unanswered = await self._last_answers(buying)
            await asyncio.gather(*storm[:2])
            acknowledged = acknowledged_by(buyers)
            found, heard = await self._settle(cast, show_id, viewers, far, acknowledged)
            over.set()
            await asyncio.gather(*storm)
            await asyncio.gather(*(one.stop() for one in viewers))
        finally:
            far.kill()
            far.wait()
        found += enough(
            {name: killer.kills[name] for name in PLANES}, {name: hostile.done[name] for name in HARM},
            unanswered, {"orders": len(acknowledged), "paid": sum(one.paid for one in buyers), "sales": shelf.sales,
                         "comebacks": sum(one["comebacks"] for one in heard) - len(heard)},
        )  # fmt: skip
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

    async def _last_answers(self, buying: list[asyncio.Task[None]]) -> int:
        """Wait until everybody has the answer to their last order; returns how many never got one."""
        _, waiting = await asyncio.wait(buying, timeout=QUIET_SECONDS)
        for one in waiting:
            one.cancel()
        answered = await asyncio.gather(*buying, return_exceptions=True)
        wrong = [one for one in answered if isinstance(one, Exception)]
        if wrong:
            raise wrong[0]
        return len(waiting)

    async def _wait(self, killer: Killer, buyers: list[Customer], storm: list[asyncio.Task[None]]) -> None:
        """Raises what one of `storm` has raised."""
        until_at = time.monotonic() + self.seconds
        while time.monotonic() < until_at:
            seconds = min(30.0, max(0.1, until_at - time.monotonic()))
            ended, _ = await asyncio.wait(storm, timeout=seconds, return_when=asyncio.FIRST_EXCEPTION)
            for one in ended:
                one.result()
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
                self.memory_mb = max(self.memory_mb, max(rss_bytes(self.served, "live"), default=0) // 2**20)
            await asyncio.sleep(1)

    async def _settle(
        self, cast: Cast, show_id: str, viewers: list[Viewer], far: subprocess.Popen[str], acknowledged: list[str]
    ) -> tuple[list[Found], list[Any]]:
        """Calm: everything comes back by itself, the outbox empties, every viewer has the last number."""

        await until(cast.all_is_well, QUIET_SECONDS, "health")
        db = Database(self.served.dsn)
        try:
            await until(lambda: quiet(db), QUIET_SECONDS, "calm: nothing waits to be handled")
            last = await last_event(db, UUID(show_id))
            await until(
                lambda: all((one.seq or 0) >= last for one in viewers), QUIET_SECONDS, "every viewer hearing the last"
            )
            said, _ = await asyncio.to_thread(far.communicate, f"{last}\n")
            heard = [one.report() for one in viewers] + msgspec.json.decode(said.splitlines()[-1])
            return await check(db, UUID(show_id), acknowledged, heard, LIMIT), heard
        finally:
            await db.close()


async def last_event(db: Database, show_id: UUID) -> int:
    async with db.read() as read:
        return await read.fetchval("select coalesce(max(seq), 0) from live_event where channel = $1", show_id)


async def quiet(db: Database) -> bool:
    """No order waits for its sweep, no notice for its settling, no sale runs, and nothing more is said in any room."""
    async with db.read() as read:
        due = await read.fetchval("select count(*) from orders where state = 'placed' and release_at < now()")
        waiting = await read.fetchval("select count(*) from payment_notice where settled_at is null")
        running = await read.fetchval("select count(*) from deal where state in ('countdown', 'running')")
        before = await read.fetchval("select count(*) from live_event")
        await asyncio.sleep(2)
        after = await read.fetchval("select count(*) from live_event")
    return not due and not waiting and not running and before == after


def main() -> int:
    seconds = float(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("SOAK_SECONDS", DEFAULT_SECONDS))
    with bad_line(LOSS_PERCENT, DELAY_MS) as line, market(**SETTINGS) as (served, redis):
        good = asyncio.run(Soak(served, redis, line, seconds).run())
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
