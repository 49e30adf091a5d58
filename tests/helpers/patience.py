"""How tests wait: for a condition, never for a time, and on a slow machine as long as it takes."""

from __future__ import annotations

import asyncio
import inspect
import os
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
PATIENCE_SECONDS = 120.0
"""When a test gives up on what should have happened. Only a test that fails waits so long: a promise of speed is
measured in bench/, or stands in the test as a bound of its own."""

FIRST_PAUSE_SECONDS, PAUSE_SECONDS_MAX = 0.01, 0.1


class Not:
    """A no that says why: `until` tells the last one that it was given."""

    def __init__(self, why: object) -> None:
        self._why = why

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return f"no: {self._why!r}"


def slowness() -> float:
    """How many times as long as on a quiet machine what is promised may take here and now; at least 1. The machine's
    load comes a minute late, and is not told everywhere: what runs beside us is counted from the start."""
    beside = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return max(1.0, 2 * max(os.getloadavg()[0], beside) / (os.cpu_count() or 1))


async def until(check: Callable[[], Awaitable[T] | T], seconds: float = PATIENCE_SECONDS, what: str = "it") -> T:
    """The first true answer of `check`; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        asked = check()
        found = await asked if inspect.isawaitable(asked) else asked
        if found:
            return found
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s (last: {found!r})"
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, PAUSE_SECONDS_MAX)


async def soon(check: Callable[[], Awaitable[T] | T], seconds: float, what: str) -> T:
    """The first true answer of `check`, within so many seconds on a quiet machine: how quiet it was is known after."""
    begin = time.monotonic()
    found = await until(check, what=what)
    took, may = time.monotonic() - begin, seconds * slowness()
    assert took < may, f"{what} took {took:.1f} s, and may take {may:.1f} s here"
    return found
