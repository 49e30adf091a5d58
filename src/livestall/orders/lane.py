"""A lane of the counter: decides one batch after the other.

Claims that arrive while a batch is decided are the next one, in the order of arrival; a lone buyer is a batch of one
and never waits. A batch goes one of two ways. Where pools have plenty and nobody's limit counts, nothing is left to
decide: it is a single statement, written if all that it depends on still holds. Any other is read and priced while the
one before it is decided, then decided under locks, and the next one already stands behind those. Either way two batches
are under way, on two connections.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from math import ceil
from typing import Any

import asyncpg
import structlog
from prometheus_client import Counter as Total
from prometheus_client import Gauge, Histogram

from livestall.base import clock, config, trace
from livestall.base.db import AGAIN, LOST, Changed, Database, Tx, begun, one_statement
from livestall.base.errors import Refusal, Unavailable
from livestall.orders.desk import Desk, Prepared, Ready, prepare
from livestall.orders.entry import Entry
from livestall.orders.model import Settings
from livestall.orders.model.mold import Placed
from livestall.orders.model.refusals import LineFull
from livestall.orders.model.wishes import Draft
from livestall.orders.straight import Straight

log = structlog.get_logger()
RETRIES = 5
PAUSE_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5)
LOCK_SECONDS = 10
WAIT_SECONDS_MAX = 60
CLOSE_SECONDS = 3
TELL_SLICE = 64

WAITING = Gauge("livestall_orders_waiting_claims", "Claims in line at this process's counter")
BATCH_CLAIMS = Histogram(
    "livestall_orders_batch_claims", "Claims decided in one transaction", buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500)
)
BATCH_SECONDS = Histogram(
    "livestall_orders_batch_seconds", "From the begin of a batch to its commit, retries included",
    buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5, 15),
)  # fmt: skip
WAIT_SECONDS = Histogram(
    "livestall_orders_wait_seconds", "From arrival to answer, of the claim that waited longest in each batch",
    buckets=(0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.3, 1, 5, 15, 60),
)  # fmt: skip
EARLY = Total("livestall_orders_sold_out_early_total", "Claims told without a lock that nothing is left")
STRAIGHT = Total("livestall_orders_straight_batches_total", "Batches written without a decision under locks")
AGAIN_LOCKED = Total("livestall_orders_decided_again_total", "Batches of which something had changed when written")
FULL = Total("livestall_orders_line_full_total", "Claims refused because the line was full")

Verb = Callable[[Tx, Sequence[Draft], Prepared | None], Awaitable[list[Placed | Refusal]]]

NOT_COMMITTED = (*AGAIN, Changed, asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError)
"""Errors after which the batch is simply decided again, under locks. A unique violation is an id that came before, or
another process that placed it a moment earlier: its order is found now."""


Left = Callable[[Sequence[Entry], Sequence[Placed | Exception]], None]
"""Called with claims that are no longer in line and their answers, just before those are told."""


class Turn:
    """One batch under way, on one of its lane's connections. `locked`: its pools are its own, so the next batch may
    stand behind it; `over`: it is decided, and only its buyers have to be told."""

    __slots__ = ("batch", "before", "early", "leg", "locked", "over", "ready", "told")

    def __init__(self, batch: Sequence[Entry], ready: Prepared | None, before: Turn | None) -> None:
        self.batch, self.ready, self.before = batch, ready, before
        self.leg = 0 if before is None else 1 - before.leg
        self.early = 0
        """Claims behind it that were answered before it was over."""
        self.locked = asyncio.Event() if ready is None else ready.locked
        self.over = asyncio.Event()
        self.told = asyncio.Event()

    def may_follow(self, ready: Prepared | None) -> asyncio.Event:
        """After what the next batch may set out. Straight ones need no order among themselves, as there is plenty for
        both; one that is decided under locks sees what those before it have written."""
        is_straight = isinstance(self.ready, Straight)
        if is_straight and isinstance(ready, Straight):
            ready.locked.set()
            return ready.locked
        return self.over if ready is None or is_straight else self.locked


class Lane:
    """`entered`, `begun` and `done` count the claims that came, whose batch is being decided, that are decided."""

    def __init__(self, db: Database, batch_max: int, verb: Verb, committed: Callable[[], None] | None) -> None:
        self._db, self._batch_max, self._verb = db, batch_max, verb
        self._committed = committed
        self._waiting: deque[Entry] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._turns: set[asyncio.Task[None]] = set()
        self._legs: list[Any] = [None, None]
        self._desk = Desk()
        self._closed = False
        self.left: Left | None = None
        self.per_second = float(batch_max)
        self.entered = self.begun = self.done = 0

    def add(self, draft: Draft) -> Entry:
        if self._closed:
            raise Unavailable
        if len(self._waiting) >= config.of(Settings).waiting_max:
            FULL.inc()
            wait = ceil(len(self._waiting) / self.per_second)
            raise LineFull(retry_after_seconds=min(max(wait, 1), WAIT_SECONDS_MAX))
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="orders.lane")
        entry = Entry(self, self.entered, draft)
        self.entered += 1
        self._waiting.append(entry)
        if not self._arrived.is_set():
            self._arrived.set()
        return entry

    async def close(self) -> None:
        """Let the batches under way come to their end, for a moment; who still waits then is told to come again."""
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._turns:
            await asyncio.wait(set(self._turns), timeout=CLOSE_SECONDS)
        for task in list(self._turns):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        self._tell_all(self._waiting, Unavailable())
        self._waiting.clear()
        self.done = self.begun = self.entered
        for leg in range(len(self._legs)):
            self._hang_up(leg)

    async def _run(self) -> None:
        """Start a turn for each batch in the order of arrival. A batch sets out while the one before it is decided
        and waits for its locks in the database, so that no time is lost between the two."""
        before: Turn | None = None
        last: Turn | None = None
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(0)  # everything that is ready in this turn of the loop belongs to the batch
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_max))]
            with self._answered(batch):
                with _traced("orders prepare", batch):
                    drafts = [entry.draft for entry in batch]
                    ready = self._desk.straight(drafts) or await self._prepare(drafts)
                if isinstance(ready, Ready) and ready.early:
                    batch = await self._tell_early(batch, ready.early, last)
                    if not batch:
                        continue
                if before is not None:
                    await before.over.wait()
                if last is not None:
                    await last.may_follow(ready).wait()
            turn = Turn(batch, ready, last)
            task = asyncio.create_task(self._turn(turn), name="orders.batch")
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)
            before, last = last, turn

    async def _tell_early(
        self, batch: Sequence[Entry], early: Mapping[int, Refusal], last: Turn | None
    ) -> list[Entry]:  # fmt: skip
        """Answer those for whom nothing is left; returns the others."""
        EARLY.inc(len(early))
        if last is None or last.over.is_set():
            self.begun += len(early)
            self.done += len(early)
        else:
            last.early += len(early)
        self._tell([batch[place] for place in early], list(early.values()))
        WAIT_SECONDS.observe(time.monotonic() - batch[0].at)
        await asyncio.sleep(0)
        return [entry for place, entry in enumerate(batch) if place not in early]

    async def _prepare(self, drafts: Sequence[Draft]) -> Prepared | None:
        """What can be done for the batch before its turn; None if that fails, then its turn shows what is wrong."""
        try:
            async with self._db.read() as read:
                return await prepare(read, drafts, self._desk)
        except Exception as error:
            log.info("a batch could not be prepared", error=repr(error))
            return None

    async def _turn(self, turn: Turn) -> None:
        """Decide a batch, and tell its buyers after those who came before them."""
        try:
            answers = await self._decided(turn)
            with self._answered(turn.batch):
                if turn.before is not None:  # a straight one may have been quicker than the one before it
                    await turn.before.told.wait()
                for place in range(0, len(answers), TELL_SLICE):
                    self._tell(turn.batch[place : place + TELL_SLICE], answers[place : place + TELL_SLICE])
                    await asyncio.sleep(0)  # the batch that follows wants the loop as well
        finally:
            turn.before = None  # else each would keep all that ever were before it
            turn.told.set()

    async def _decided(self, turn: Turn) -> list[Placed | Exception]:
        batch = turn.batch
        self.begun += len(batch)
        start = time.monotonic()
        try:
            with self._answered(batch), _traced("orders batch", batch):
                answers = await self._decide(batch, turn.ready, turn.leg)
        finally:
            self.begun += turn.early
            self.done += len(batch) + turn.early
            turn.locked.set()
            turn.over.set()
        if self._committed is not None:
            self._committed()
        now = time.monotonic()
        self.per_second = max(len(batch) / max(now - start, 0.0001), 1)
        BATCH_CLAIMS.observe(len(batch))
        BATCH_SECONDS.observe(now - start)
        WAIT_SECONDS.observe(now - batch[0].at)
        WAITING.set(len(self._waiting))
        return answers

    def _tell(self, entries: Sequence[Entry], answers: Sequence[Placed | Exception]) -> None:
        if self.left is not None:
            self.left(entries, answers)
        for entry, answer in zip(entries, answers, strict=True):
            entry.told(answer)

    def _tell_all(self, entries: Iterable[Entry], answer: Exception) -> None:
        """The same to all who have heard nothing yet."""
        waiting = [entry for entry in entries if entry.said is None]
        self._tell(waiting, [answer] * len(waiting))

    @contextmanager
    def _answered(self, batch: Sequence[Entry]) -> Generator[None]:
        """Whatever stops the lane, nobody of the batch waits for ever."""
        try:
            yield
        except BaseException:
            self._tell_all(batch, Unavailable())
            raise

    async def _decide(
        self, batch: Sequence[Entry], ready: Prepared | None, leg: int
    ) -> list[Placed | Exception]:  # fmt: skip
        """An answer for every claim of the batch, whatever happens."""
        try:
            return [*await self._place([entry.draft for entry in batch], ready, leg)]
        except Unavailable as away:
            return [away] * len(batch)
        except Exception as error:
            if len(batch) == 1:
                log.error("a claim cannot be decided", order_id=str(batch[0].draft.order_id), exc_info=error)
                return [error]
            log.warning("a batch failed and is decided one by one", claims=len(batch), error=repr(error))
            return [answer for one in batch for answer in await self._decide([one], None, leg)]

    async def _place(
        self, drafts: Sequence[Draft], ready: Prepared | None, leg: int
    ) -> list[Placed | Refusal]:  # fmt: skip
        """Decide and commit, again after a lost connection: the clients' ids make a repeat harmless."""
        deadline = time.monotonic() + config.of(Settings).answer_seconds_max
        tries = 0
        while True:
            try:
                return await self._try(drafts, ready, leg)
            except NOT_COMMITTED:
                if isinstance(ready, Straight):
                    AGAIN_LOCKED.inc()
                    self._desk.be_careful()
                tries, ready = tries + 1, None
                if tries >= RETRIES:
                    raise
            except (*LOST, TimeoutError) as error:
                self._hang_up(leg)
                if time.monotonic() > deadline:
                    raise Unavailable from error
                await asyncio.sleep(PAUSE_SECONDS[min(tries, len(PAUSE_SECONDS) - 1)])
                tries += 1

    async def _try(
        self, drafts: Sequence[Draft], ready: Prepared | None, leg: int
    ) -> list[Placed | Refusal]:  # fmt: skip
        connection = self._legs[leg]
        if connection is None or connection.is_closed():
            connection = self._legs[leg] = await self._db.connect()
            await connection.execute(f"set lock_timeout = '{LOCK_SECONDS}s'")
        if ready is not None:
            ready.at = clock.now()  # the time to pay begins with the try that succeeds
        is_straight = isinstance(ready, Straight)
        async with one_statement(connection) if is_straight else begun(connection) as tx:
            answers = await self._verb(tx, drafts, ready)
        STRAIGHT.inc(is_straight)
        return answers

    def _hang_up(self, leg: int) -> None:
        connection, self._legs[leg] = self._legs[leg], None
        if connection is not None and not connection.is_closed():
            connection.terminate()


def _traced(name: str, batch: Sequence[Entry]) -> AbstractContextManager[None]:
    """A span linked with the claims of the batch that are traced."""
    return trace.batch(name, [one.trace for one in batch], {"claims": len(batch)}) if trace.on() else nullcontext()
