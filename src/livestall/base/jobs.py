"""Work that time starts. A sweep is a verb safe to repeat, run every few seconds by any worker that is up.

There is no separate job table: what is waiting is a row of the feature itself (a hold past its expiry, a picture not
fetched yet, a notice not settled), claimed with `for update skip locked`. See docs/decisions.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec
import structlog

from livestall.base.db import Database
from livestall.base.errors import Unavailable

log = structlog.get_logger()


class Sweep(msgspec.Struct, frozen=True):
    """`run(db)` returns how many things it moved; it is called every `every_seconds`, and at once again after a full
    batch (a return of at least `batch`)."""

    name: str
    every_seconds: float
    run: Callable[[Database], Awaitable[int]]
    batch: int = 500


async def run_sweep(db: Database, sweep: Sweep) -> None:
    """Run one sweep for ever. A failure is logged and tried again at the next beat."""
    while True:
        moved = 0
        try:
            moved = await sweep.run(db)
        except Unavailable:
            log.warning("sweep waits for the database", sweep=sweep.name)
        except Exception:
            log.exception("sweep failed", sweep=sweep.name)
        if moved < sweep.batch:
            await asyncio.sleep(sweep.every_seconds)


async def run_sweeps(db: Database, sweeps: Sequence[Sweep]) -> None:
    """Run all sweeps side by side until cancelled."""
    async with asyncio.TaskGroup() as group:
        for sweep in sweeps:
            group.create_task(run_sweep(db, sweep), name=sweep.name)
