"""What the tick promises whoever reads along: few messages, in order, never more chat than a person can read."""

from __future__ import annotations

import asyncio
import heapq
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from livestall.live import Settings, tick
from livestall.live.tick import Lines, Tick

LINE = b'{"seq":%d,"kind":"line","body":{"text":"hello"}}'


class Clock:
    """Stands for the loop: time passes when the test says so, and timers ring on their second."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._cancelled: set[int] = set()
        self._count = 0

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, call: Callable[[], None]) -> Clock.Handle:
        self._count += 1
        heapq.heappush(self._timers, (when, self._count, call))
        return Clock.Handle(self._cancelled, self._count)

    def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, number, call = heapq.heappop(self._timers)
            self.now = max(self.now, when)
            if number not in self._cancelled:
                call()
        self.now = end

    class Handle:
        def __init__(self, cancelled: set[int], number: int) -> None:
            self._cancelled, self._number = cancelled, number

        def cancel(self) -> None:
            self._cancelled.add(self._number)


class Room:
    """A tick whose messages are kept with the time at which they were sent."""

    def __init__(self, clock: Clock, **settings: Any) -> None:
        self.clock = clock
        self.sent: list[tuple[float, dict[str, Any]]] = []
        self.seconds = 0.1
        self.tick = Tick(Settings(**settings), self._send, lambda: self.seconds, frozenset({"viewers"}),
                         frozenset({"line"}))  # fmt: skip
        self.seq = 0

    def _send(self, payload: bytes, _before: int) -> None:
        self.sent.append((self.clock.now, json.loads(payload)))

    def line(self) -> None:
        self.seq += 1
        self.tick.event(self.seq, "line", LINE % self.seq)

    def pin(self) -> None:
        self.seq += 1
        self.tick.event(self.seq, "pin", b'{"seq":%d,"kind":"pin"}' % self.seq)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    one = Clock()
    monkeypatch.setattr(tick.asyncio, "get_running_loop", lambda: one)
    return one


def test_a_thousand_lines_a_second_are_thirty_and_the_count_of_the_rest(clock: Clock) -> None:
    room = Room(clock, lines_per_second=30)
    for _ in range(5000):
        room.line()
        clock.advance(0.001)
    clock.advance(0.2)
    times = [at for at, message in room.sent for _ in message["events"]]
    for first in range(len(times) - 30):
        assert times[first + 30] - times[first] > 1, "31 lines within one second"
    rest = sum(message.get("more_chat", 0) for _, message in room.sent)
    assert len(times) + rest == 5000, "every line is said or counted"
    assert len(times) >= 5 * 25, "nor much less than the allowance"
    assert len(room.sent) <= 51


def test_messages_follow_each_other_without_a_gap_and_in_order(clock: Clock) -> None:
    room = Room(clock, lines_per_second=30)
    for n in range(3000):
        if n % 100 == 7:
            room.pin()
        else:
            room.line()
        clock.advance(0.002)
    clock.advance(0.2)
    told = [message for _, message in room.sent]
    assert told[0]["from"] == 1
    assert all(one["from"] == before["to"] + 1 for before, one in pairwise(told))
    assert told[-1]["to"] == 3000
    numbers = [event["seq"] for message in told for event in message["events"]]
    assert numbers == sorted(numbers)
    pins = [event for message in told for event in message["events"] if event["kind"] == "pin"]
    assert len(pins) == 30, "what is not chat is never left out"


def test_chat_below_the_allowance_is_said_whole(clock: Clock) -> None:
    room = Room(clock, lines_per_second=30)
    for _ in range(250):
        room.line()
        clock.advance(0.04)  # 25 a second
    clock.advance(0.2)
    assert sum(len(message["events"]) for _, message in room.sent) == 250
    assert not any("more_chat" in message for _, message in room.sent)


def test_the_allowance_holds_when_the_tick_is_long(clock: Clock) -> None:
    room = Room(clock, lines_per_second=30)
    room.seconds = 0.4
    for _ in range(4000):
        room.line()
        clock.advance(0.001)
    clock.advance(0.5)
    times = [at for at, message in room.sent for _ in message["events"]]
    assert all(times[first + 30] - times[first] > 1 for first in range(len(times) - 30))


def test_a_quiet_room_hears_at_once_and_a_busy_one_ten_times_a_second(clock: Clock) -> None:
    room = Room(clock)
    room.pin()
    clock.advance(0)
    assert len(room.sent) == 1, "nothing was said for long: no waiting"
    for _ in range(100):
        room.pin()
        clock.advance(0.01)
    clock.advance(0.1)
    gaps = [later[0] - earlier[0] for earlier, later in pairwise(room.sent)]
    assert min(gaps) > 0.0999
    assert len(room.sent) in {11, 12}


def test_totals_that_move_all_the_time_are_sent_once_a_second_with_their_last_value(clock: Clock) -> None:
    room = Room(clock, totals_ms=1000)
    for viewers in range(1, 301):
        room.tick.total("viewers", viewers)
        clock.advance(0.01)
    clock.advance(1.1)
    values = [message["totals"]["viewers"] for _, message in room.sent]
    assert len(values) in {3, 4}
    assert values[-1] == 300


def test_an_allowance_of_two_is_still_an_allowance() -> None:
    lines = Lines(2)
    passed = [n / 100 for n in range(500) if lines.take(n / 100, 0.1)]
    assert 4 <= len(passed) <= 10
    assert all(passed[n + 2] - passed[n] > 1 for n in range(len(passed) - 2))


async def test_a_broadcast_that_takes_long_makes_the_tick_longer(make_wire: Any) -> None:
    wire = await make_wire(tick_ms=100, deliveries_per_second=1000)
    assert wire.channels.interval() == pytest.approx(0.1)
    wire.hub.readers = 400
    assert wire.channels.interval() == pytest.approx(0.4), "more readers than can be served ten times a second"
    wire.hub.readers = 0
    wire.hub.lag = lambda: 0.5
    assert wire.channels.interval() == pytest.approx(0.75)
    await asyncio.sleep(0)
