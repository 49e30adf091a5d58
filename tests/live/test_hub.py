"""The hub with readers that are made up: slices, order, and what those cost who do not read."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from livestall.live import Edge, Hub, Settings
from livestall.live.hub import BEHIND_BYTES, SLICE, Reader

EDGE = Edge({})


class Line:
    """A connection. `is_stuck`: takes nothing, and tells the hub when more than BEHIND_BYTES wait, as transports do."""

    def __init__(self, hub: Hub, settings: Settings) -> None:
        self.hub = hub
        self.got: list[bytes] = []
        self.waiting: list[bytes] = []
        self.is_stuck = False
        self.is_aborted = False
        self.reader = Reader(self, EDGE, settings)  # type: ignore[arg-type]

    def write(self, frame: bytes) -> None:
        if not self.is_stuck:
            self.got.append(frame)
            return
        self.waiting.append(frame)
        if self.get_write_buffer_size() > BEHIND_BYTES and not self.reader.behind:
            self.hub.paused(self.reader)

    def drain(self) -> None:
        self.is_stuck = False
        self.got += self.waiting
        self.waiting = []
        if self.reader.behind:
            self.hub.resumed(self.reader)

    def get_write_buffer_size(self) -> int:
        return sum(map(len, self.waiting))

    def set_write_buffer_limits(self, **_limits: int) -> None:
        pass

    def get_extra_info(self, _name: str) -> Any:
        return None

    def abort(self) -> None:
        self.is_aborted = True


@pytest.fixture
def settings() -> Settings:
    return Settings(stalled_seconds=10)


@pytest.fixture
def hub(settings: Settings) -> Hub:
    return Hub(settings)


def lines(hub: Hub, settings: Settings, count: int) -> list[Line]:
    return [Line(hub, settings) for _ in range(count)]


def payloads(line: Line) -> list[str]:
    return [frame[2 if frame[1] < 126 else 4 :].decode() for frame in line.got]


async def test_the_loop_gets_its_turn_after_every_slice(hub: Hub, settings: Settings, wait: Any) -> None:
    room = lines(hub, settings, 2 * SLICE + 500)
    seen: list[int] = []

    def look() -> None:
        """A command that waits for its turn."""
        seen.append(sum(bool(line.got) for line in room))
        if seen[-1] < len(room):
            asyncio.get_running_loop().call_soon(look)

    asyncio.get_running_loop().call_soon(look)
    hub.broadcast([line.reader for line in room], b"one", 0)
    assert sum(bool(line.got) for line in room) == SLICE
    assert hub.lag() > 0
    await wait(lambda: bool(seen) and seen[-1] == len(room))
    assert seen[:2] == [SLICE, 2 * SLICE]
    assert all(payloads(line) == ["one"] for line in room)
    assert hub.delivered == len(room)


async def test_broadcasts_that_wait_for_their_turn_keep_their_order(hub: Hub, settings: Settings, wait: Any) -> None:
    room = lines(hub, settings, SLICE + 1)
    readers = [line.reader for line in room]
    for word in (b"one", b"two", b"three"):
        hub.broadcast(readers, word, 0)
    await wait(lambda: not hub.count_queued())
    assert all(payloads(line) == ["one", "two", "three"] for line in room)


async def test_who_comes_between_two_slices_is_not_told_what_the_snapshot_said(
    hub: Hub, settings: Settings, wait: Any
) -> None:
    room = lines(hub, settings, SLICE + 1)
    last = room[-1]
    hub.broadcast([line.reader for line in room], b"before", 0)
    hub.join(last.reader)  # a snapshot that holds "before" was sent meanwhile
    hub.broadcast([line.reader for line in room], b"after", 1)
    await wait(lambda: not hub.count_queued())
    assert payloads(last) == ["after"]
    assert payloads(room[0]) == ["before", "after"]


async def test_who_reads_nothing_costs_a_bounded_number_of_bytes(hub: Hub, settings: Settings) -> None:
    good, bad = lines(hub, settings, 2)
    bad.is_stuck = True
    frame = b"x" * 5000
    for n in range(1000):
        hub.broadcast([good.reader, bad.reader], frame, n)
    assert len(good.got) == 1000
    assert bad.get_write_buffer_size() <= BEHIND_BYTES + len(frame) + 4
    assert bad.reader.missed_from == len(bad.waiting), "the first that it missed is the next to its last"
    assert hub.dropped == 1000 - len(bad.waiting)
    assert (hub.count_behind(), hub.waiting_bytes()) == (1, bad.get_write_buffer_size())


async def test_who_takes_nothing_for_too_long_is_cut_off(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, bad = lines(hub, settings, 2)
    now = time.monotonic()
    for line in (slow, bad):
        line.is_stuck = True
        for _ in range(10):
            hub.broadcast([line.reader], b"x" * 5000, 0)
        assert line.reader.behind
    for second in range(1, 12):
        monkeypatch.setattr(time, "monotonic", lambda second=second: now + second)
        if slow.waiting and second % 3 == 0:
            slow.waiting.pop()  # a little goes through, now and then
        hub.cut_off_stuck()
    assert (bad.is_aborted, slow.is_aborted) == (True, False)
    assert hub.cut == 1
    hub.broadcast([bad.reader], b"more", 0)
    assert b"\x81\x04more" not in bad.waiting


async def test_time_in_which_the_gateway_stood_still_counts_against_nobody(
    hub: Hub, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = lines(hub, settings, 1)
    line.is_stuck = True
    now = time.monotonic()
    for _ in range(10):
        hub.broadcast([line.reader], b"x" * 5000, 0)

    def look(second: float) -> bool:
        monkeypatch.setattr(time, "monotonic", lambda: now + second)
        hub.cut_off_stuck()
        return line.is_aborted

    assert not look(1)
    assert not look(61), "stopped for a minute: nothing was written, so nothing could be taken"
    assert not look(62)
    assert [look(62 + second) for second in range(1, 12)][-1], "who takes nothing of what is written goes all the same"


async def test_too_much_of_ones_own_that_waits_is_a_reason_too(hub: Hub, settings: Settings) -> None:
    """Answers and snapshots are not skipped, so who asks and never reads must go."""
    line = Line(hub, settings)
    line.is_stuck = True
    for _ in range(100):
        hub.send(line.reader, b"x" * 5000)
    assert line.is_aborted
    assert line.get_write_buffer_size() <= settings.buffer_bytes + 2 * 5004


async def test_who_drains_is_written_to_again_from_where_it_caught_up(hub: Hub, settings: Settings) -> None:
    line = Line(hub, settings)
    line.is_stuck = True
    while not line.reader.behind:
        hub.broadcast([line.reader], b"x" * 5000, 0)
    caught_up: list[int | None] = []

    def catch_up() -> None:
        caught_up.append(line.reader.missed_from)
        line.reader.missed_from = None
        hub.join(line.reader)
        hub.send(line.reader, b"what was missed")

    line.reader.on_drained = catch_up
    hub.broadcast([line.reader], b"missed", 41)
    line.drain()
    hub.broadcast([line.reader], b"next", 42)
    assert caught_up == [41]
    assert payloads(line)[-2:] == ["what was missed", "next"]
    assert "missed" not in payloads(line)


async def test_a_socket_keeps_nothing_of_the_browsers_headers(make_wire: Any, wait: Any) -> None:
    """Cookies and user agents of thousands would be most of what a viewer costs."""
    wire = await make_wire()
    channel = wire.open()
    await wire.connect(channel, additional_headers={"Cookie": "a=" + "x" * 2000})
    await wait(lambda: len(wire.server.connections) == 1)
    (connection,) = wire.server.connections
    kept = connection._transport
    assert (len(kept.request.headers), kept.request.path, len(kept.response.headers)) == (0, b"", 0)
    assert connection._ticket == ""
