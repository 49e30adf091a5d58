"""A crowd that enters a room and never reads a byte, while the room chats, the host pins and people buy.

`PYTHONPATH=tests python tests/soak/silent.py` runs it alone, on a market of its own; `make soak` begins with it.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec
from invariants import Found

from helpers.market import Cast, Served, seed, serving, until
from helpers.ports import free_ports_in_a_row
from helpers.redis_server import RedisServer, redis_running
from helpers.rooms import Viewer
from livestall.app.demo.client import Door, Json, Person, Socket
from livestall.base import ids

SILENT, PROCESSES = 20_000, 4
WINDOWS = (4096, 16_384)
"""What the system of one of them takes in unread, in bytes. More of it costs their own machine, not ours; here both are
the same one."""

ROUNDS = 2
"""What the first crowd left behind in memory, the second must find enough."""

LINES_PER_SECOND, SPEAKERS, PINS_SECONDS, ORDERS_SECONDS = 100, 12, 0.5, 0.2
FAST = 8
LATE_SECONDS_MAX = 2.0
SOCKET_BYTES_MAX = 20_000
"""What a viewer's socket may cost a gateway (as in bench/RESULTS.md), besides what waits for it."""

WAITING_BYTES_MAX = 65_536
"""What may wait for one of them: `live.buffer_bytes`."""

UNEVEN = 1.1
"""One gateway may have so much more than its share of the sockets."""

INSIDE_SECONDS, GONE_SECONDS, WEIGH_SECONDS = 60, 60, 0.5
GATEWAYS, WATCH_LIVE = 2, 20
SETTINGS: dict[str, object] = {"live__processes": GATEWAYS, "chat__seconds_per_message": 0.1, "chat__burst": 10}
"""What the market needs so that a dozen people can say a hundred lines a second. Everything else is as it comes."""


@contextmanager
def market(**settings: object) -> Generator[tuple[Served, RedisServer]]:
    """A market that the silent are let into, and its bus, while the block lasts."""
    own = {"watch__port": free_ports_in_a_row(100), "secret": secrets.token_hex(32), **SETTINGS, **settings}
    with redis_running() as redis, serving(bus_url=redis.url, **own) as served:
        yield served, redis


class Silence(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it; seconds, milliseconds and MB where the name says so. Of several rounds: the worst."""

    sockets: int
    inside_seconds: float
    gone_seconds: float
    cut: int
    lines: int
    pins: int
    orders: int
    heard_ms: tuple[float, ...]
    bought_ms: tuple[float, ...]
    gateway_mb: tuple[int, ...]
    waiting_kb: int
    kernel_mb: int
    unanswered: int

    def rows(self) -> list[tuple[str, str]]:
        crowd = (
            f"{self.sockets} at once, {ROUNDS} times; in within {self.inside_seconds:.1f} s, all cut off "
            f"{self.gone_seconds:.1f} s after the last had come"
        )
        return [
            ("sockets that never read", crowd),
            ("meanwhile", f"{self.lines} chat lines, {self.pins} pins, {self.orders} orders; {FAST} viewers who read"),
            ("from said to heard, ms, p50 / p99 / max", _in_turn(self.heard_ms)),
            ("from click to order, ms, p50 / p99 / max", _in_turn(self.bought_ms)),
            ("memory of a gateway, MB, before / most in each round", _in_turn(self.gateway_mb)),
            ("most that waited in a gateway for all of them", f"{self.waiting_kb} kB"),
            ("most that the kernel held for TCP", f"{self.kernel_mb} MB, both ends"),
            ("looks at /metrics that were not answered within 4 s", f"{self.unanswered}"),
        ]


def _in_turn(values: Sequence[float]) -> str:
    return " / ".join(f"{one:.0f}" for one in values)


class Attentive(Viewer):
    """A viewer who notes how late everything was: what is said carries the moment at which it was said."""

    def __init__(self, person: Person, show_id: str) -> None:
        super().__init__(person, show_id)
        self.late_ms: list[float] = []
        self.pins: set[str] = set()
        self.lines = 0

    def _take(self, frame: Json) -> None:
        super()._take(frame)
        self.lines += frame.get("more_chat", 0)
        for event in self.heard:
            if event["kind"] == "chat.said":
                self.lines += 1
                self.late_ms.append(1000 * (time.monotonic() - float(event["body"]["text"])))
            elif event["kind"] == "pin.started":
                self.pins.add(event["body"]["id"])
        self.heard.clear()


def rss_bytes(served: Served, plane: str) -> list[int]:
    """The memory of each process of that plane."""
    pages = [int(Path(f"/proc/{one.pid}/statm").read_text().split()[1]) for one in served.processes(plane)]
    return [count * os.sysconf("SC_PAGE_SIZE") for count in pages]


class Crowd:
    """The silent, in processes of their own: each may open only so many files."""

    def __init__(self, port: int, paths: list[str]) -> None:
        program = str(Path(__file__).parent / "mute.py")
        share = str(SILENT // len(paths))
        self._processes = [
            subprocess.Popen(
                [sys.executable, program, str(port), path, share, str(WINDOWS[n % len(WINDOWS)]), str(n + 1)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )
            for n, path in enumerate(paths)
        ]  # fmt: skip

    async def inside(self) -> None:
        async with asyncio.timeout(INSIDE_SECONDS):
            said = await asyncio.gather(*(asyncio.to_thread(one.stdout.readline) for one in self._processes))
        assert said == ["inside\n"] * len(self._processes), f"not all were let in: {said}"

    def leave(self) -> None:
        for one in self._processes:
            one.kill()
            one.communicate()


class Scales:
    """What the gateways say about themselves and what they weigh, as long as `run` runs."""

    def __init__(self, served: Served) -> None:
        self._served = served
        first = int(served.environment["LIVESTALL_WATCH__PORT"]) + WATCH_LIVE
        self._addresses = [f"http://127.0.0.1:{first + n}/metrics" for n in range(GATEWAYS)]
        self.most_bytes = self.most_waiting = self.most_readers = self.kernel_bytes = 0
        self.readers = self.cut = self.unanswered = 0

    def rss(self) -> int:
        """Bytes of the largest gateway."""
        return max(rss_bytes(self._served, "live"))

    async def look(self, session: aiohttp.ClientSession) -> None:
        self.most_bytes = max(self.most_bytes, self.rss())
        self.kernel_bytes = max(self.kernel_bytes, tcp_bytes())
        texts: list[str] = []
        for address in self._addresses:
            async with session.get(address) as answer:
                texts.append(await answer.text())
        self.readers, self.cut = (
            sum(number(text, name) for text in texts) for name in ("livestall_live_readers", "livestall_live_cut_total")
        )
        self.most_readers = max(self.most_readers, self.readers)
        self.most_waiting = max(self.most_waiting, *(number(text, "livestall_live_waiting_bytes") for text in texts))

    async def run(self, over: asyncio.Event) -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            while not over.is_set():
                try:
                    await self.look(session)
                except aiohttp.ClientError:  # too busy to say; what it weighs was seen all the same
                    self.unanswered += 1
                await asyncio.sleep(WEIGH_SECONDS)


def tcp_bytes() -> int:
    """What the kernel holds for all TCP sockets of this machine."""
    pages = re.search(r"^TCP:.* mem (\d+)", Path("/proc/net/sockstat").read_text(), re.MULTILINE)
    return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0


def number(text: str, name: str) -> int:
    found = re.search(rf"^{name} (\S+)", text, re.MULTILINE)
    assert found, f"{name} is not said"
    return int(float(found[1]))


def three(values: list[float]) -> tuple[float, ...]:
    ordered = sorted(values)
    return ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100], ordered[-1]


class Busy:
    """The room meanwhile: a hundred lines a second, two pins, five orders."""

    def __init__(self, cast: Cast, show_id: str) -> None:
        self.cast, self.show_id = cast, show_id
        self.lines = 0
        self.pins: list[str] = []
        self.bought_ms: list[float] = []

    async def speak(self, person: Person, over: asyncio.Event) -> None:
        socket = await Socket(person, self.show_id).open()
        at = time.monotonic()
        while not over.is_set():
            await socket.chat(f"{time.monotonic():.6f}")
            self.lines += 1
            at = max(at + SPEAKERS / LINES_PER_SECOND, time.monotonic())
            await asyncio.sleep(at - time.monotonic())
        await socket.close()

    async def pin(self, over: asyncio.Event) -> None:
        listings = [one["listing_id"] for one in await self.cast.tray(self.show_id)]
        while not over.is_set():
            listing = listings[len(self.pins) % len(listings)]
            made = await self.cast.creator.post(
                f"/api/shows/{self.show_id}/pins", {"id": ids.new(), "listing_id": listing}
            )
            self.pins.append(made["id"])
            await asyncio.sleep(PINS_SECONDS)

    async def buy(self, person: Person, over: asyncio.Event) -> None:
        """By turns over the socket and by HTTP."""
        socket = await Socket(person, self.show_id).open()
        line = self.cast.line()
        while not over.is_set():
            began = time.monotonic()
            if len(self.bought_ms) % 2:
                order = await socket.buy(line)
            else:
                body = {"id": ids.new(), "show_id": self.show_id, "lines": [line]}
                order = await person.post("/api/orders", body)
            assert order["state"] == "placed"
            self.bought_ms.append(1000 * (time.monotonic() - began))
            await asyncio.sleep(ORDERS_SECONDS)
        await socket.close()


class Rounds:
    """The crowd comes, is cut off, and comes again."""

    def __init__(self, served: Served, cast: Cast, show_id: str, scales: Scales, others: int) -> None:
        self._served, self._cast, self._show_id = served, cast, show_id
        self._scales, self._others = scales, others
        self.sockets: list[int] = []
        self.most_mb: list[int] = []
        self.inside_seconds = self.gone_seconds = 0.0

    async def run(self) -> None:
        await until(lambda: self._scales.readers == self._others, 20, "everybody else inside")
        self.most_mb.append(self._scales.rss() // 10**6)
        for _ in range(ROUNDS):
            self._scales.most_bytes = self._scales.most_readers = 0
            await self._once()
            self.sockets.append(self._scales.most_readers - self._others)
            self.most_mb.append(self._scales.most_bytes // 10**6)

    async def _once(self) -> None:
        stranger = Person(self._cast.door)
        tickets = [await stranger.post(f"/api/shows/{self._show_id}/ticket") for _ in range(PROCESSES)]
        began = time.monotonic()
        crowd = Crowd(self._served.live, [f"{urlsplit(one['url']).path}?ticket={one['ticket']}" for one in tickets])
        try:
            await crowd.inside()
            inside = time.monotonic()
            await until(lambda: self._scales.readers == self._others, GONE_SECONDS, "the crowd being cut off")
        finally:
            crowd.leave()
        self.inside_seconds = max(self.inside_seconds, inside - began)
        self.gone_seconds = max(self.gone_seconds, time.monotonic() - inside)


async def never_read(served: Served, cast: Cast, show_id: str) -> tuple[Silence, list[Found]]:
    """Let the crowd in and wait until the last of it is cut off. Raises as soon as anybody else is refused anything."""
    scales, busy = Scales(served), Busy(cast, show_id)
    fast = [Attentive(await cast.buyer(f"Fast {n}"), show_id).start() for n in range(FAST)]
    people = [await cast.buyer(f"Speaker {n}") for n in range(SPEAKERS + 1)]
    rounds = Rounds(served, cast, show_id, scales, FAST + len(people))
    over, weighed = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as work:
        work.create_task(scales.run(weighed))
        work.create_task(busy.pin(over))
        work.create_task(busy.buy(people[0], over))
        for one in people[1:]:
            work.create_task(busy.speak(one, over))
        try:
            await rounds.run()
        finally:
            over.set()
        await until(lambda: all(one.lines == busy.lines for one in fast), 10, "everybody hearing every line")
        weighed.set()
    for one in fast:
        await one.stop()
    silence = Silence(
        sockets=min(rounds.sockets), inside_seconds=rounds.inside_seconds, gone_seconds=rounds.gone_seconds,
        cut=scales.cut, lines=busy.lines, pins=len(busy.pins), orders=len(busy.bought_ms),
        heard_ms=three([late for one in fast for late in one.late_ms]), bought_ms=three(busy.bought_ms),
        gateway_mb=tuple(rounds.most_mb), waiting_kb=scales.most_waiting // 1000,
        kernel_mb=scales.kernel_bytes // 10**6, unanswered=scales.unanswered,
    )  # fmt: skip
    return silence, judge(silence, fast, busy)


def judge(silence: Silence, fast: list[Attentive], busy: Busy) -> list[Found]:
    share = SILENT / GATEWAYS * UNEVEN / 1e6
    bound = silence.gateway_mb[0] + share * (SOCKET_BYTES_MAX + WAITING_BYTES_MAX)
    gaps = [one.gaps for one in fast if one.gaps]
    unpinned = [len(set(busy.pins) - one.pins) for one in fast if not one.pins >= set(busy.pins)]
    late, most = max(silence.heard_ms[-1], silence.bought_ms[-1]) / 1000, max(silence.gateway_mb)
    return [
        _found(f"{SILENT} who never read were in the room at once", silence.sockets >= SILENT, silence.sockets),
        _found("every one of them was cut off", silence.cut >= ROUNDS * SILENT, silence.cut),
        _found("whoever read meanwhile heard every number, every pin, and every line or its count",
               not gaps and not unpinned, f"gaps {gaps}, pins missing {unpinned}"),
        _found(f"nothing was heard or bought more than {LATE_SECONDS_MAX:g} s late", late <= LATE_SECONDS_MAX, late),
        _found(f"no gateway grew beyond its bound of {bound:.0f} MB", most <= bound, most),
    ]  # fmt: skip


def _found(name: str, holds: bool, seen: object) -> Found:
    return Found(name, "" if holds else f"{seen}")


async def alone(served: Served) -> int:
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=3, on_hand=20_000)
        async with cast.on_air() as show:
            silence, found = await never_read(served, cast, show["id"])
    for name, value in silence.rows():
        print(f"{name}: {value}")
    for one in found:
        print("✗" if one.wrong else "✓", one.name, one.wrong)
    return int(any(one.wrong for one in found))


def main() -> int:
    with market() as (served, _):
        return asyncio.run(alone(served))


if __name__ == "__main__":
    sys.exit(main())
