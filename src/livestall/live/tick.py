"""The tick of a channel: events at once if the channel was quiet, else together at the tick's end; last totals."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from livestall.base.metrics import Counter
from livestall.live import frames
from livestall.live.model import Settings

FLUSHES = Counter("livestall_live_ticks_total", "Messages of events and totals that rooms were told")
LINES = Counter(
    "livestall_live_lines_total", "Chat lines of rooms, by what became of them: said or only counted", ["how"]
)
SAID, COUNTED = LINES.labels("said"), LINES.labels("counted")


class Lines:
    """The allowance of chat lines: never more than `per_second` within any second, and of a rush not all at once.

    A line that is taken is delivered at the end of its tick, so the second that counts is longer by a tick.
    A burst of a third of the allowance passes as it is; in a lasting rush the lines come evenly.
    """

    def __init__(self, per_second: int) -> None:
        self._taken: deque[float] = deque(maxlen=per_second)
        self._rate = float(per_second)
        self._burst = max(1.0, per_second / 3)
        self._left = self._burst
        self._at = 0.0

    def take(self, now: float, tick: float) -> bool:
        """Whether a line may pass at `now`, when ticks are `tick` long; both in seconds."""
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        is_full = len(self._taken) == self._taken.maxlen and now - self._taken[0] < 1 + tick
        if is_full or self._left < 1:
            return False
        self._left -= 1
        self._taken.append(now)
        return True


class Tick:
    """Collects what a channel has to say and hands it to `send(payload, before)` as one message.

    `slow` names the totals that move all the time and are sent seldom; `interval()` is the tick in seconds.
    """

    def __init__(
        self, settings: Settings, send: Callable[[bytes, int], None], interval: Callable[[], float],
        slow: frozenset[str] = frozenset(), sampled: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self._settings = settings
        self._send = send
        self._interval = interval
        self._slow, self._sampled = slow, sampled
        self._lines = Lines(settings.lines_per_second)
        self._encoded: list[bytes] = []
        self._more = 0
        self._first: int | None = None
        self._last = 0
        self._changed: dict[str, Any] = {}
        self._changed_slow: dict[str, Any] = {}
        self._slow_at = 0.0
        self._flushed_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._slow_timer: asyncio.TimerHandle | None = None

    def start(self, seq: int) -> None:
        """Everything up to number `seq` has been said."""
        self._last = seq

    @property
    def flushed(self) -> int:
        """The number of the last event that was sent."""
        return self._last if self._first is None else self._first - 1

    def event(self, seq: int, kind: str, encoded: bytes) -> None:
        if self._first is None:
            self._first = seq
        self._last = seq
        if kind not in self._sampled:
            self._encoded.append(encoded)
        elif self._lines.take(asyncio.get_running_loop().time(), self._interval()):
            SAID.inc()
            self._encoded.append(encoded)
        else:
            self._more += 1
        self._wake()

    def total(self, slot: str, value: Any, key: str | None = None) -> None:
        if slot in self._slow:
            self._changed_slow[slot] = value
            self._wake_slow()
            return
        if key is None:
            self._changed[slot] = value
        else:
            self._changed.setdefault(slot, {})[key] = value
        self._wake()

    def _wake(self) -> None:
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(max(loop.time(), self._flushed_at + self._interval()), self._flush)

    def _wake_slow(self) -> None:
        if self._slow_timer is not None:
            return
        loop = asyncio.get_running_loop()
        self._slow_timer = loop.call_at(
            max(loop.time(), self._slow_at + self._settings.totals_ms / 1000), self._flush_slow
        )

    def _flush_slow(self) -> None:
        self._take_slow(asyncio.get_running_loop().time())
        self._flush()

    def _take_slow(self, now: float) -> None:
        self._changed.update(self._changed_slow)
        self._changed_slow = {}
        self._slow_at = now
        if self._slow_timer is not None:
            self._slow_timer.cancel()
            self._slow_timer = None

    def _flush(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._changed_slow and now - self._slow_at >= self._settings.totals_ms / 1000:
            self._take_slow(now)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._first is None and not self._changed:
            return
        first, last = self._first, None if self._first is None else self._last
        FLUSHES.inc()
        COUNTED.inc(self._more)
        payload = frames.events(first, last, self._encoded, self._changed, self._more)
        before = self._last if first is None else first - 1
        self._encoded, self._changed, self._first, self._more = [], {}, None, 0
        self._flushed_at = now
        self._send(payload, before)

    def close(self) -> None:
        for timer in (self._timer, self._slow_timer):
            if timer is not None:
                timer.cancel()
        self._timer = self._slow_timer = None
