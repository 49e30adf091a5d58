"""Work that time starts. A sweep is a verb safe to repeat, run every few seconds by any worker that is up.

There is no separate job table: what is waiting is a row of the feature itself (a hold past its expiry, a picture not
fetched yet, a notice not settled), claimed with `for update skip locked`. See docs/decisions.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

import msgspec
import structlog

from livestall.base.db import Database
from livestall.base.errors import Unavailable
from livestall.base.metrics import SECONDS, Counter, Histogram

log = structlog.get_logger()
RUN = Histogram("livestall_sweep_seconds", "One run of a sweep", ["sweep"], buckets=SECONDS)
MOVED = Counter("livestall_sweep_moved_total", "Things that sweeps moved", ["sweep"])
FAILURES = Counter("livestall_sweep_failures_total", "Runs of a sweep that failed", ["sweep"])


class Sweep(msgspec.Struct, frozen=True):
    """`run(db)` returns how many things it moved; it is called every `every_seconds`, and at once again after a full
    batch (a return of at least `batch`)."""

    name: str
    every_seconds: float
    run: Callable[[Database], Awaitable[int]]
    batch: int = 500


async def run_sweep(db: Database, sweep: Sweep, stop: asyncio.Event) -> None:
    """Run one sweep until told to stop. A failure is logged and tried again at the next beat."""
    while not stop.is_set():
        moved = 0
        begin = time.perf_counter()
        try:
            moved = await sweep.run(db)
        except Unavailable:
            FAILURES.labels(sweep.name).inc()
            log.warning("sweep waits for the database", sweep=sweep.name)
        except Exception:
            FAILURES.labels(sweep.name).inc()
            log.exception("sweep failed", sweep=sweep.name)
        RUN.labels(sweep.name).observe(time.perf_counter() - begin)
        MOVED.labels(sweep.name).inc(moved)
        if moved < sweep.batch:
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), sweep.every_seconds)


async def run_sweeps(db: Database, sweeps: Sequence[Sweep], stop: asyncio.Event | None = None) -> None:
    """Run all sweeps side by side until `stop`, or until cancelled."""
    stop = stop or asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for sweep in sweeps:
            group.create_task(run_sweep(db, sweep, stop), name=sweep.name)
