"""The projector: turns what happened into numbered events of rooms.

It is the outbox's listener "live". In one transaction it takes the next events, asks each feature what the room hears
of them, numbers and stores that, and moves its cursor; after the commit it says it to everyone. A restart loses
nothing: what was numbered but not said is found in the database by every gateway (`live.gaps`).

Every gateway has one, and the lock on the cursor lets one at a time project. To spare the database, the gateway that
leads looks often and the others seldom; after a commit of their own they nudge it. Nothing else depends on who leads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram

from livestall import live
from livestall.base import clock, metrics, trace
from livestall.base.db import Database, Tx
from livestall.base.errors import Unavailable
from livestall.base.outbox import Delivered, Event, claim, waiting
from livestall.live import NewEvent, Said, Total

log = structlog.get_logger()
LISTENER = "live"
IDLE_SECONDS = 0.05
FOLLOWS_SECONDS = 0.25
"""How often a gateway looks that does not lead: the longest a room waits when the one that leads is gone."""
TOTALS_SECONDS = 0.05
"""After a look that found something, the next one for the sake of totals waits so long: rooms hear them with their tick
anyhow, and in a rush every look costs the database as much as some hundred orders."""
BEHIND_SECONDS = 1.0
"""Who finds events as old as this has more to catch up with, and goes on at once."""
LOST_SECONDS = 0.5
STUCK_SECONDS = 3
"""A projector that stands still inside its transaction for so long loses it, and another one goes on."""

BATCHES = Counter("livestall_projector_batches_total", "Batches of events that were numbered here")
EVENTS = Counter("livestall_projector_events_total", "Events that were numbered here")
SAID = Histogram("livestall_projector_said_seconds", "From an event's transaction to its room", buckets=metrics.SECONDS)
BATCH_EVENTS = Histogram("livestall_projector_batch_events", "Outbox events of one batch", buckets=metrics.SIZES)
LOOKS = Counter("livestall_projector_looks_total", "Looks at the outbox for something to number")


class Projector:
    """Tails the outbox. `wake` after a local commit lets somebody look at once: this one if it `leads`, else the bus
    carries a nudge to the one that does."""

    def __init__(
        self, db: Database, bus: live.Bus, projections: Mapping[type[Event], Any], leads: Callable[[], bool]
    ) -> None:
        self._db, self._bus, self._leads = db, bus, leads
        self._projections = projections
        self._topics = [event.topic for event in projections]
        self._woken = asyncio.Event()
        self._eased_at = 0.0
        self._stopping = False

    def stop(self) -> None:
        """End `run` after the batch under way."""
        self._stopping = True
        self._woken.set()

    def wake(self) -> None:
        self._eased_at = 0.0  # what is to be said now may wait for a purchase under way to end: then look again at once
        self._wake()

    def _wake(self) -> None:
        if self._leads():
            self._woken.set()
        else:
            self._bus.tell(live.Nudge())

    def wake_for_totals(self) -> None:
        """After a local commit that moved totals only: they are looked for at once as well, but in a rush not after
        each commit."""
        now = time.monotonic()
        if now >= self._eased_at:
            self._eased_at = now + TOTALS_SECONDS
            self._wake()

    def nudged(self) -> None:
        if self._leads():
            self._woken.set()

    async def run(self) -> None:
        """Project until stopped; while the database is away, wait for it."""
        while not self._stopping:
            pause, behind = IDLE_SECONDS if self._leads() else FOLLOWS_SECONDS, False
            self._woken.clear()
            try:
                behind = await self._look()
            except Unavailable:
                pause = LOST_SECONDS
            except Exception:
                log.exception("projector failed")
                pause = LOST_SECONDS
            if behind or self._stopping:
                continue
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), pause)

    async def step(self) -> bool:
        """Project one batch; True if there was something to do."""
        return await self._batch() is not None

    async def _look(self) -> bool:
        """Project one batch; True if there is more that somebody waits for."""
        batch = await self._batch()
        if batch is None:
            return False
        return not batch or clock.now().timestamp() - batch[0].at.timestamp() > BEHIND_SECONDS

    async def _batch(self) -> Sequence[Delivered] | None:
        """Project one batch; None if there was nothing to do."""
        LOOKS.inc()
        begin = time.time()
        async with self._db.read() as read:
            if LISTENER not in await waiting(read, [LISTENER]):
                return None
        try:
            batch, said = await self._in_transaction(self._project)
        except Unavailable:
            raise
        except Exception as error:  # one bad event must not stop the others: find it by going one by one
            log.warning("projecting one by one", error=repr(error))
            batch, said = await self._in_transaction(self._one_by_one)
        if said.events or said.totals:
            await self._bus.publish(said)
        if batch:
            BATCH_EVENTS.observe(len(batch))
            SAID.observe(max(0.0, clock.now().timestamp() - batch[0].at.timestamp()))
            if trace.on():
                trace.said("room hears of it", (one.trace for one in batch), begin, {"events": len(said.events)})
        if batch is not None:
            BATCHES.inc()
            EVENTS.inc(len(said.events))
        return batch

    async def _in_transaction(
        self, project: Callable[[Tx, Sequence[Delivered]], Awaitable[Said]]
    ) -> tuple[Sequence[Delivered] | None, Said]:
        """The events taken, None if another process has them, and what is to be said of them."""
        async with self._db.write() as tx:
            await tx.execute(f"set local idle_in_transaction_session_timeout = '{STUCK_SECONDS}s'")
            batch = await claim(tx, LISTENER, self._topics)
            return batch, await project(tx, batch or [])

    async def _project(self, tx: Tx, batch: Sequence[Delivered]) -> Said:
        events: list[NewEvent] = []
        totals: list[Total] = []
        for kind, run in groupby(batch, key=lambda one: type(one.event)):
            for told in await self._projections[kind](tx, list(run)):
                if isinstance(told, NewEvent):
                    events.append(told)
                else:
                    totals.append(told)
        return await live.append(tx, events, totals)

    async def _one_by_one(self, tx: Tx, batch: Sequence[Delivered]) -> Said:
        events: list[tuple[UUID, live.LiveEvent]] = []
        totals: list[Total] = []
        marks: dict[UUID, int] = {}
        for one in batch:
            try:
                async with tx.savepoint():
                    said = await self._project(tx, [one])
            except Unavailable:
                raise
            except Exception as error:
                log.error("event left out of its room", kind=one.event.topic, id=str(one.event_id), exc_info=error)
                continue
            events += said.events
            totals += said.totals
            marks.update(said.marks)  # one that jumps makes the gateways read these totals anew: as good
        return Said(events, totals, marks)
