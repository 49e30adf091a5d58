"""The work process: hands events to their listeners and runs the sweeps. Any number of them may run."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket

import structlog
import uvloop

from livestall.app import health, settings, wiring
from livestall.base import config, jobs
from livestall.base import log as logs
from livestall.base.db import Database
from livestall.base.errors import Unavailable
from livestall.base.outbox import Relay

log = structlog.get_logger()
IDLE_SECONDS = 0.05
LOST_SECONDS = 0.5
WORKER = f"{socket.gethostname()}:{os.getpid()}"


async def relay_forever(relay: Relay) -> None:
    """Step the relay for ever; while nothing happens it looks 20 times a second, which writes nothing."""
    while True:
        moved = 0
        pause = IDLE_SECONDS
        try:
            moved = await relay.step()
        except Unavailable:
            pause = LOST_SECONDS
        except Exception:
            log.exception("relay failed")
            pause = LOST_SECONDS
        if not moved:
            await asyncio.sleep(pause)


async def _beat(db: Database) -> int:
    async with db.write() as tx:
        await health.beat(tx, WORKER)
    return 1


async def work(db: Database) -> None:
    """Do the work of a market over `db` until cancelled."""
    sweeps = [*wiring.SWEEPS, jobs.Sweep("worker.beat", health.BEAT_SECONDS, _beat)]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(relay_forever(Relay(db, wiring.LISTENERS)), name="relay")
            group.create_task(jobs.run_sweeps(db, sweeps), name="sweeps")
    finally:
        try:
            async with asyncio.timeout(2), db.write() as tx:
                await health.leave(tx, WORKER)
        except (Unavailable, TimeoutError):
            pass


async def _main(core: settings.Core) -> None:
    db = Database(core.database_url, minimum=2, maximum=12)
    task = asyncio.create_task(work(db))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    gc.freeze()
    try:
        await task
    except asyncio.CancelledError:
        pass
    finally:
        await db.close()


def run() -> None:
    """The entry of `livestall work`."""
    core = settings.load()
    options = config.of(settings.Logs)
    logs.set_up("work", as_json=options.as_json, level=options.level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(core))
