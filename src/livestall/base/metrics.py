"""Numbers about what the house does: how they are named, in which steps they are counted, and what all planes share.

A feature declares its own beside the code that counts: `Counter`, `Gauge` and `Histogram` of prometheus_client at
module level, named `livestall_<feature>_<what>_<unit or total>`. Labels are words of ours, never what a stranger sent.
Queues are gauges with a function, asked only when somebody looks. `livestall metrics` lists all of them.
"""

from __future__ import annotations

import asyncio
import copy
import time
import weakref
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Metric,
    disable_created_metrics,
    generate_latest,
)

T = TypeVar("T")

disable_created_metrics()  # nobody asks when a counter began, and it would be a third of all lines

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Steps of everything that somebody waits for."""

SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
"""Steps of batches."""

LAG_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
LAG_EVERY_SECONDS = 0.25
SLICE_SAMPLES = 200

LOOP_LAG = Histogram(
    "livestall_process_loop_lag_seconds", "How late the event loop came back to a timer", buckets=LAG_SECONDS
)
SCRAPE = Histogram(
    "livestall_process_scrape_seconds", "Processor time to write all numbers down once", buckets=LAG_SECONDS
)


async def watch_loop() -> None:
    """Measure for ever how late this loop is: what every person served by this process waits at least."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + LAG_EVERY_SECONDS
        await asyncio.sleep(LAG_EVERY_SECONDS)
        LOOP_LAG.observe(max(0.0, loop.time() - due))


async def exposition() -> bytes:
    """Every number of this process in the text format of Prometheus. Written in slices of about a millisecond, between
    which the loop serves people: a web process that has answered on every route has two thousand lines."""
    busy, parts = 0.0, list[bytes]()
    families = iter(REGISTRY.collect())
    while True:
        begin = time.thread_time()
        family = next(families, None)
        if family is None:
            break
        samples = family.samples
        for first in range(0, max(1, len(samples)), SLICE_SAMPLES):
            part = copy.copy(family)
            part.samples = samples[first : first + SLICE_SAMPLES]
            text = generate_latest(_Only(part))
            parts.append(text if first == 0 else _without_head(text))
            busy += time.thread_time() - begin
            await asyncio.sleep(0)
            begin = time.thread_time()
    SCRAPE.observe(busy)
    return b"".join(parts)


class _Only(CollectorRegistry):
    """A registry of one family, as it was collected."""

    def __init__(self, family: Metric) -> None:
        super().__init__()
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def _without_head(text: bytes) -> bytes:
    return b"".join(line for line in text.splitlines(keepends=True) if not line.startswith(b"#"))


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
