"""The counter: where claims wait for the commit before theirs and are then decided together.

A lane decides one batch after the other. Claims that arrive meanwhile are the next batch, in the order of arrival,
which is read and priced while the one before it is decided; a lone buyer is a batch of one and never waits. In a rush
the next batch already stands behind the locks of the one before it, on a second connection.
A pool always maps to the same lane of a process, but nothing depends on that: rows are locked, so any number of lanes
and processes may sell from one pool.
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

from livestall.base import config, trace
from livestall.base.db import AGAIN, LOST, Database, Tx, begun
from livestall.base.errors import Refusal, Unavailable
from livestall.orders import actions
from livestall.orders.desk import Desk, Ready, prepare
from livestall.orders.model import Draft, LineTicket, Settings
from livestall.orders.model.mold import Placed
from livestall.orders.model.refusals import LineFull

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
FULL = Total("livestall_orders_line_full_total", "Claims refused because the line was full")

Verb = Callable[[Tx, Sequence[Draft], Ready | None], Awaitable[list[Placed | Refusal]]]
Told = Callable[[Placed | Exception], None]
"""Called once with the answer to a claim: the order, the refusal, or what went wrong."""

NOT_COMMITTED = (*AGAIN, asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError)
"""Errors after which the batch is simply decided again. A unique violation is another process that placed the same id a
moment earlier: its order is found now."""


class Entry:
    """A claim in line. `answer` (await it) is the order, or raises the refusal that stands against the claim; `then`
    calls instead, which costs less. `place` and `shown` are the line's: the best place so far, and the last one told
    to those in `tellers`."""

    __slots__ = (
        "_answer",
        "_lane",
        "_listeners",
        "_number",
        "at",
        "draft",
        "place",
        "said",
        "shown",
        "tellers",
        "trace",
    )

    def __init__(self, lane: _Lane, number: int, draft: Draft) -> None:
        self._lane, self._number, self.draft = lane, number, draft
        self.at = time.monotonic()
        self.said: Placed | Exception | None = None
        self._listeners: tuple[Told, ...] = ()
        self._answer: asyncio.Future[Placed] | None = None
        self.place = number - lane.done + 1
        self.shown = 0
        self.tellers: tuple[Callable[[LineTicket], None], ...] = ()
        self.trace = trace.here() if trace.on() else None

    def told(self, said: Placed | Exception) -> None:
        """The answer. Whatever comes after the first is not heard."""
        if self.said is not None:
            return
        self.said = said
        listeners, self._listeners = self._listeners, ()  # or both would hold each other, for the collector to find
        for listener in listeners:
            listener(said)

    def then(self, listener: Told) -> None:
        """Call `listener` with the answer: once, at once if it is there."""
        if self.said is None:
            self._listeners += (listener,)
        else:
            listener(self.said)

    @property
    def answer(self) -> asyncio.Future[Placed]:
        """Made when it is asked for. Cancelling it hangs up: the order stands, and the same id will find it."""
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
            self.then(self._resolve)
        return self._answer

    def _resolve(self, said: Placed | Exception) -> None:
        answer = self._answer
        if answer is None or answer.done():
            return
        if isinstance(said, Exception):
            answer.set_exception(said)
        else:
            answer.set_result(said)

    @property
    def ahead(self) -> int:
        """Claims before this one that are not answered yet; 0 as soon as its own batch is being decided."""
        lane = self._lane
        return 0 if self._number < lane.begun else self._number - lane.done

    @property
    def seconds(self) -> float:
        """About how long until the answer, at the rate of the last batch."""
        return (self.ahead + 1) / self._lane.per_second


Left = Callable[[Sequence[Entry], Sequence[Placed | Exception]], None]
"""Called with claims that are no longer in line and their answers, just before those are told."""


class Counter:
    """Places orders for one process. `close` when the process ends; claims not answered by then get Unavailable."""

    def __init__(
        self, db: Database, *, lanes: int | None = None, batch_max: int | None = None, verb: Verb = actions.place,
        committed: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """`committed` is called after each batch, before its buyers are told."""
        settings = config.of(Settings)
        size = batch_max or settings.batch_max
        self._lanes = [_Lane(db, size, verb, committed) for _ in range(lanes or settings.lanes)]

    def tell_who_leaves(self, left: Left) -> None:
        """Call `left` with everyone who leaves the line, many at a time."""
        for lane in self._lanes:
            lane.left = left

    async def place(self, draft: Draft) -> Placed:
        """The answer to `draft`, once, after its batch was committed. Raises the refusal that stands against it,
        LineFull, or Unavailable while the database is away: then the same draft may be sent again and again."""
        return await self.enter(draft).answer

    def enter(self, draft: Draft) -> Entry:
        """Stand in line, behind everyone who came before. Raises LineFull, Unavailable when closing."""
        return self._lane(draft).add(draft)

    def ahead(self, draft: Draft) -> int:
        """How many claims `draft` would stand behind if it came now."""
        lane = self._lane(draft)
        return lane.entered - lane.done

    def _lane(self, draft: Draft) -> _Lane:
        many = len(self._lanes)
        return self._lanes[0 if many == 1 else draft.lines[0].pool_id.int % many]

    async def close(self) -> None:
        for lane in self._lanes:
            await lane.close()


class _Turn:
    """One batch under way, on one of its lane's connections. `locked`: its pools are its own, so the next batch may
    stand behind it; `over`: it is decided, and only its buyers have to be told."""

    __slots__ = ("batch", "early", "leg", "locked", "over", "ready")

    def __init__(self, batch: Sequence[Entry], ready: Ready | None, leg: int) -> None:
        self.batch, self.ready, self.leg = batch, ready, leg
        self.early = 0
        """Claims behind it that were answered before it was over."""
        self.locked = asyncio.Event() if ready is None else ready.locked
        self.over = asyncio.Event()


class _Lane:
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
        before: _Turn | None = None
        last: _Turn | None = None
        while True:
            if not self._waiting:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.sleep(0)  # everything that is ready in this turn of the loop belongs to the batch
            batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_max))]
            with self._answered(batch):
                with _traced("orders prepare", batch):
                    ready = await self._prepare([entry.draft for entry in batch])
                if ready is not None and ready.early:
                    batch = await self._tell_early(batch, ready.early, last)
                    if not batch:
                        continue
                if before is not None:
                    await before.over.wait()
                if last is not None:
                    await (last.over if ready is None else last.locked).wait()
            turn = _Turn(batch, ready, 0 if last is None else 1 - last.leg)
            task = asyncio.create_task(self._turn(turn), name="orders.batch")
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)
            before, last = last, turn

    async def _tell_early(
        self, batch: Sequence[Entry], early: Mapping[int, Refusal], last: _Turn | None
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

    async def _prepare(self, drafts: Sequence[Draft]) -> Ready | None:
        """What can be done for the batch before its turn; None if that fails, then its turn shows what is wrong."""
        try:
            async with self._db.read() as read:
                return await prepare(read, drafts, self._desk)
        except Exception as error:
            log.info("a batch could not be prepared", error=repr(error))
            return None

    async def _turn(self, turn: _Turn) -> None:
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
        with self._answered(batch):
            for place in range(0, len(batch), TELL_SLICE):
                self._tell(batch[place : place + TELL_SLICE], answers[place : place + TELL_SLICE])
                await asyncio.sleep(0)  # the batch that follows wants the loop as well

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

    async def _decide(self, batch: Sequence[Entry], ready: Ready | None, leg: int) -> list[Placed | Exception]:
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

    async def _place(self, drafts: Sequence[Draft], ready: Ready | None, leg: int) -> list[Placed | Refusal]:
        """Decide and commit, again after a lost connection: the clients' ids make a repeat harmless."""
        deadline = time.monotonic() + config.of(Settings).answer_seconds_max
        tries = 0
        while True:
            try:
                return await self._try(drafts, ready, leg)
            except NOT_COMMITTED:
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
        self, drafts: Sequence[Draft], ready: Ready | None, leg: int
    ) -> list[Placed | Refusal]:  # fmt: skip
        connection = self._legs[leg]
        if connection is None or connection.is_closed():
            connection = self._legs[leg] = await self._db.connect()
            await connection.execute(f"set lock_timeout = '{LOCK_SECONDS}s'")
        async with begun(connection) as tx:
            return await self._verb(tx, drafts, ready)

    def _hang_up(self, leg: int) -> None:
        connection, self._legs[leg] = self._legs[leg], None
        if connection is not None and not connection.is_closed():
            connection.terminate()


def _traced(name: str, batch: Sequence[Entry]) -> AbstractContextManager[None]:
    """A span linked with the claims of the batch that are traced."""
    return trace.batch(name, [one.trace for one in batch], {"claims": len(batch)}) if trace.on() else nullcontext()
