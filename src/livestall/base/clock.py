"""The one clock. Times are UTC with a zone; tests move it with `travel`. And how far it is from another's clock."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import msgspec

from livestall.base.metrics import Gauge

SKEW = Gauge(
    "livestall_clock_skew_seconds", "How far the clock of this host is ahead of the database's, as far as it is sure"
)

_offset: timedelta = timedelta(0)


def now() -> datetime:
    """The time now, in UTC."""
    return datetime.now(UTC) + _offset


def travelled() -> timedelta:
    """How far `travel` has moved this process, for times that come from another clock."""
    return _offset


@contextmanager
def travel(seconds: float) -> Generator[None]:
    """For tests: inside the block, `now()` is `seconds` later in this process."""
    global _offset  # noqa: PLW0603 - one process, one clock
    before = _offset
    _offset = before + timedelta(seconds=seconds)
    try:
        yield
    finally:
        _offset = before


class Reading(msgspec.Struct, frozen=True):
    """How far our clock is ahead of another's. It may be wrong by `error_seconds`: half the time of asking."""

    skew_seconds: float
    error_seconds: float

    @property
    def sure_seconds(self) -> float:
        """The skew without what the way there and back may have made of it; below zero when our clock is behind."""
        sure = max(0.0, abs(self.skew_seconds) - self.error_seconds)
        return sure if self.skew_seconds > 0 else -sure


class Asking:
    """Made when the other is asked for its time; `told` is called with the answer."""

    def __init__(self) -> None:
        self._at, self._begin = now(), time.perf_counter()

    def told(self, theirs: datetime) -> Reading:
        half = (time.perf_counter() - self._begin) / 2
        return Reading((self._at - theirs).total_seconds() + half, half)


def best(readings: Sequence[Reading]) -> Reading:
    """The one that is surest, of at least one."""
    return min(readings, key=lambda one: one.error_seconds)
