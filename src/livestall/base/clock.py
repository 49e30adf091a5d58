"""The one clock. Times are UTC with a zone; tests move it with `travel`."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

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
