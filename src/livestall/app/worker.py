"""The work process: hands events to their listeners and runs the sweeps. Any number of them may run."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket

import structlog
import uvloop

from livestall.app import clocks, health, settings, wiring
from livestall.app.handoff import Handoff
from livestall.app.watch import Check, Refresh, Watch, database_answers
from livestall.base import config, jobs, outbox, trace
from livestall.base import log as logs
from livestall.base.db import Database
from livestall.base.errors import Unavailable
from livestall.base.outbox import Relay
from livestall.payments import jobs as payments_jobs

log = structlog.get_logger()
IDLE_SECONDS = 0.05
LOST_SECONDS = 0.5
STOP_SECONDS = 4.0
WORKER = f"{socket.gethostname()}:{os.getpid()}"


async def relay_until(relay: Relay, stop: asyncio.Event) -> None:
    """Step the relay until told to stop; while nothing happens it looks 20 times a second, which writes nothing."""
    while not stop.is_set():
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


def beats(db: Database) -> Check:
    """This worker's own beat is fresh: its sweeps run and reach the database."""

    async def check() -> str:
        try:
            fresh = await health.is_fresh(db, WORKER)
        except Unavailable:
            return "the beat cannot be read"
        return "" if fresh else "the sweeps have not reported for a while"

    return check


def measuring(db: Database) -> Refresh:
    """Numbers that stand in the database: the outbox, and notices of payment that wait."""

    async def refresh() -> None:
        async with db.read() as read:
            await outbox.measure(read)
            await payments_jobs.measure(read)

    return refresh


async def _beat(db: Database) -> int:
    async with db.write() as tx:
        await health.beat(tx, WORKER)
    return 1


async def _compare_clock(db: Database) -> int:
    await clocks.compare(db, "work")
    return 1


async def work(db: Database, stop: asyncio.Event | None = None) -> None:
    """Do the work of a market over `db` until `stop`, when what is under way is finished, or until cancelled."""
    stop = stop or asyncio.Event()
    sweeps = [
        *wiring.SWEEPS,
        jobs.Sweep("worker.beat", health.BEAT_SECONDS, _beat),
        jobs.Sweep("worker.clock", clocks.EVERY_SECONDS, _compare_clock),
    ]
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(relay_until(Relay(db, wiring.LISTENERS), stop), name="relay")
            group.create_task(jobs.run_sweeps(db, sweeps, stop), name="sweeps")
    finally:
        try:
            async with asyncio.timeout(2), db.write() as tx:
                await health.leave(tx, WORKER)
        except (Unavailable, TimeoutError):
            pass


async def _main(core: settings.Core) -> None:
    db = Database(core.database_url, minimum=2, maximum=12)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    handoff, watch = Handoff(stop.set), Watch("work", [database_answers(db), beats(db)], [measuring(db)])
    gc.freeze()
    await handoff.go()
    watch.start()
    task = asyncio.create_task(work(db, stop))
    try:
        await asyncio.wait([task, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
        watch.leave()
        await asyncio.wait([task], timeout=STOP_SECONDS)
    finally:
        handoff.closed()
        task.cancel()
        await asyncio.wait([task])
        await db.close()
    if not task.cancelled():
        task.result()


def run() -> None:
    """The entry of `livestall work`."""
    core = settings.load_for_plane()
    options = config.of(settings.Logs)
    logs.set_up("work", as_json=options.as_json, level=options.level)
    trace.set_up("work")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_main(core))
