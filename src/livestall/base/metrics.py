"""Numbers about what the house does: how they are named, in which steps they are counted, and what all planes share.

A feature declares its own beside the code that counts: `Counter`, `Gauge` and `Histogram` of prometheus_client at
module level, named `livestall_<feature>_<what>_<unit or total>`. Labels are words of ours, never what a stranger sent.
Queues are gauges with a function, asked only when somebody looks. `livestall metrics` lists all of them.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import REGISTRY, Counter, Gauge, Histogram, generate_latest

T = TypeVar("T")

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Steps of everything that somebody waits for."""

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Steps of batches."""

LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
LAG_EVERY_SECONDS = 0.25

LOOP_LAG = Histogram(
    "livestall_process_loop_lag_seconds", "How late the event loop came back to a timer", buckets=LAG_SECONDS
)
SCRAPE = Histogram("livestall_process_scrape_seconds", "Time to write all numbers down once", buckets=LAG_SECONDS)


async def watch_loop() -> None:
    """Measure for ever how late this loop is: what every person served by this process waits at least."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_SECONDS
        await asyncio.sleep(LAG_EVERY_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


def exposition() -> bytes:
    """Every number of this process in the text format of Prometheus."""
    begin = time.perf_counter()
    text = generate_latest(REGISTRY)
    SCRAPE.observe(time.perf_counter() - begin)
    return text


@contextmanager
def timed(histogram: Histogram) -> Generator[None]:
    """Observe how long the block took, in seconds, whichever way it ends."""
    begin = time.perf_counter()
    try:
        yield
    finally:
        histogram.observe(time.perf_counter() - begin)


def sum_of(gauge: Gauge, owners: weakref.WeakSet[T], count: Callable[[T], float]) -> None:
    """Let `gauge` be the sum of `count` over `owners` that are alive, asked when somebody looks."""
    gauge.set_function(lambda: sum(count(one) for one in list(owners)))


__all__ = [
    "SECONDS", "SIZES", "Counter", "Gauge", "Histogram", "exposition", "sum_of", "timed", "watch_loop",
]  # fmt: skip
