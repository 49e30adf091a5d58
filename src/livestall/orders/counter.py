"""The counter: where claims wait for the commit before theirs and are then decided together.

A lane is one connection that decides one batch at a time. Claims that arrive meanwhile are the next batch, in the order
of arrival, which is read and priced while the one before it is decided; a lone buyer is a batch of one and never waits.
A pool always maps to the same lane of a process, but nothing depends on that: rows are locked, so any number of lanes
and processes may sell from one pool.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import asyncpg
import structlog

from livestall.base import config
from livestall.base.db import AGAIN, LOST, Database, Tx
from livestall.base.errors import Refusal, Unavailable
from livestall.orders import actions
from livestall.orders.model import Draft, Placed, Settings

log = structlog.get_logger()
RETRIES = 5
PAUSE_SECONDS = (0.02, 0.05, 0.1, 0.25, 0.5)
LOCK_SECONDS = 10

Verb = Callable[[Tx, Sequence[Draft], actions.Ready | None], Awaitable[list[Placed | Refusal]]]
Waiting = tuple[Draft, "asyncio.Future[Placed]"]

NOT_COMMITTED = (*AGAIN, asyncpg.UniqueViolationError, asyncpg.LockNotAvailableError)
"""Errors after which the batch is simply decided again. A unique violation is another process that placed the same id a
moment earlier (its order is found now), or an order number drawn twice."""


class Counter:
    """Places orders for one process. `close` when the process ends; claims not answered by then get Unavailable."""

    def __init__(
        self, db: Database, *, lanes: int | None = None, batch_max: int | None = None, verb: Verb = actions.place
    ) -> None:
        settings = config.of(Settings)
        self._lanes = [_Lane(db, batch_max or settings.batch_max, verb) for _ in range(lanes or settings.lanes)]

    async def place(self, draft: Draft) -> Placed:
        """The answer to `draft`, once, after its batch was committed. Raises the refusal that stands against it, or
        Unavailable while the database is away: then the same draft may be sent again and again."""
        return await self._lanes[draft.lines[0].pool_id.int % len(self._lanes)].add(draft)

    async def close(self) -> None:
        for lane in self._lanes:
            await lane.close()


class _Lane:
    def __init__(self, db: Database, batch_max: int, verb: Verb) -> None:
        self._db, self._batch_max, self._verb = db, batch_max, verb
        self._waiting: deque[Waiting] = deque()
        self._arrived = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: Any = None
        self._closed = False

    async def add(self, draft: Draft) -> Placed:
        if self._closed:
            raise Unavailable
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="orders.lane")
        future: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, future))
        self._arrived.set()
        return await future

    async def close(self) -> None:
        self._closed = True
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        for _, future in self._waiting:
            _answer(future, Unavailable())
        self._waiting.clear()
        await self._hang_up()

    async def _run(self) -> None:
        deciding: asyncio.Task[None] | None = None
        try:
            while True:
                if not self._waiting:
                    self._arrived.clear()
                    await self._arrived.wait()
                await asyncio.sleep(0)  # everything that is ready in this turn of the loop belongs to the batch
                batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batch_max))]
                with _answered(batch):
                    ready = await self._prepare([draft for draft, _ in batch])
                    if deciding is not None:
                        await deciding
                deciding = asyncio.create_task(self._turn(batch, ready), name="orders.batch")
        finally:
            if deciding is not None:
                deciding.cancel()
                with suppress(asyncio.CancelledError):
                    await deciding

    async def _prepare(self, drafts: Sequence[Draft]) -> actions.Ready | None:
        """What can be done for the batch before its turn; None if that fails, then its turn shows what is wrong."""
        try:
            async with self._db.read() as read:
                return await actions.prepare(read, drafts)
        except Exception as error:
            log.info("a batch could not be prepared", error=repr(error))
            return None

    async def _turn(self, batch: Sequence[Waiting], ready: actions.Ready | None) -> None:
        with _answered(batch):
            await self._decide(batch, ready)

    async def _decide(self, batch: Sequence[Waiting], ready: actions.Ready | None = None) -> None:
        """Answer every claim of the batch exactly once, whatever happens."""
        try:
            answers = await self._place([draft for draft, _ in batch], ready)
        except Unavailable as away:
            for _, future in batch:
                _answer(future, away)
        except Exception as error:
            if len(batch) == 1:
                log.error("a claim cannot be decided", order_id=str(batch[0][0].order_id), exc_info=error)
                _answer(batch[0][1], error)
                return
            log.warning("a batch failed and is decided one by one", claims=len(batch), error=repr(error))
            for one in batch:
                await self._decide([one])
        else:
            for (_, future), answer in zip(batch, answers, strict=True):
                _answer(future, answer)

    async def _place(self, drafts: Sequence[Draft], ready: actions.Ready | None) -> list[Placed | Refusal]:
        """Decide and commit, again after a lost connection: the clients' ids make a repeat harmless."""
        deadline = time.monotonic() + config.of(Settings).answer_seconds_max
        tries = 0
        while True:
            try:
                return await self._try(drafts, ready)
            except NOT_COMMITTED:
                tries, ready = tries + 1, None  # an order number drawn twice is drawn anew
                if tries >= RETRIES:
                    raise
            except (*LOST, TimeoutError) as error:
                await self._hang_up()
                if time.monotonic() > deadline:
                    raise Unavailable from error
                await asyncio.sleep(PAUSE_SECONDS[min(tries, len(PAUSE_SECONDS) - 1)])
                tries += 1

    async def _try(self, drafts: Sequence[Draft], ready: actions.Ready | None) -> list[Placed | Refusal]:
        connection = self._connection
        if connection is None or connection.is_closed():
            connection = self._connection = await self._db.connect()
            await connection.execute(f"set lock_timeout = '{LOCK_SECONDS}s'")
        async with connection.transaction():
            return await self._verb(Tx(connection), drafts, ready)

    async def _hang_up(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None and not connection.is_closed():
            connection.terminate()


@contextmanager
def _answered(batch: Sequence[Waiting]) -> Generator[None]:
    """Whatever stops the lane, nobody of the batch waits for ever."""
    try:
        yield
    except BaseException:
        for _, future in batch:
            _answer(future, Unavailable())
        raise


def _answer(future: asyncio.Future[Placed], answer: Placed | Exception) -> None:
    if future.done():  # the buyer hung up; the order stands, and the same id will find it
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)
