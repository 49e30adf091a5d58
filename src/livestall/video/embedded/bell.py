"""Many requests wait for the next part: one bell wakes them all."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from livestall.video.embedded import metrics


class Bell:
    """`version` counts the rings."""

    def __init__(self) -> None:
        self.version = 0
        self._waiters: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        self.version += 1
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Wait until `condition` holds, at most so long; returns whether it does."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not condition():
            left = end - loop.time()
            if left <= 0:
                return False
            waiter: asyncio.Future[None] = loop.create_future()
            self._waiters.append(waiter)
            timer = loop.call_later(left, lambda w=waiter: w.done() or w.set_result(None))
            metrics.WAITING.inc()
            try:
                await waiter
            finally:
                metrics.WAITING.dec()
                timer.cancel()
                if waiter in self._waiters:
                    self._waiters.remove(waiter)
        return True
