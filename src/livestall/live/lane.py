"""A lane: things to do that arrive while a batch is under way form the next batch (group commit)."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from livestall.base.errors import Refusal, TooMany
from livestall.base.metrics import SIZES, Counter, Gauge, Histogram

WAITING = Gauge("livestall_live_lane_waiting", "Chat lines and the like that wait for the batch before theirs")
BATCH = Histogram("livestall_live_lane_batch_things", "Things of one batch of a lane", buckets=SIZES)
FULL = Counter("livestall_live_lane_full_total", "Things refused because too many waited already")

T = TypeVar("T")
R = TypeVar("R")


class LaneFull(TooMany):
    code = "busy"
    en = "Too much is going on at this moment. Wait {retry_after_seconds} s and try again."
    zh = "当前操作人数过多，请等待 {retry_after_seconds} 秒后重试。"


class Lane(Generic[T, R]):
    """One batch at a time through `run`, which answers each thing in its place with a result or a Refusal.

    No artificial waiting: a lone thing is a batch of one. `add` returns the result or raises: the Refusal, LaneFull, or
    whatever `run` raised for the whole batch.
    """

    def __init__(
        self, run: Callable[[Sequence[T]], Awaitable[Sequence[R | Refusal]]], *, batch: int = 500, waiting: int = 5000
    ) -> None:
        self._run = run
        self._batch, self._waiting_max = batch, waiting
        self._waiting: deque[tuple[T, asyncio.Future[R]]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def add(self, thing: T) -> R:
        if len(self._waiting) >= self._waiting_max:
            FULL.inc()
            raise LaneFull(retry_after_seconds=1)
        future: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._waiting.append((thing, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            WAITING.set(len(self._waiting))
            BATCH.observe(len(batch))
            try:
                answers = await self._run([thing for thing, _ in batch])
            except Exception as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), one in zip(batch, answers, strict=True):
                if future.done():
                    continue
                if isinstance(one, Refusal):
                    future.set_exception(one)
                else:
                    future.set_result(one)
