"""Cost curves: what more viewers, more rooms and more buyers cost, in CPU, memory and time. Straight is good; a bend is
the slope of the upper half of a curve over that of its lower half: 1 is straight, less than 1 flattens.

- *viewers* (from `fanout_room.py`): one room, 100 chat lines a second, through the real wire.
- *rooms*: 50 viewers in each, 5 chat lines a second in each; one gateway whose rooms fill one after the other.
- *buyers*: so many buy the same variant at one moment, through a real `livestall live`, each run with one of its own;
  the time until the last has its answer, and what gateway and PostgreSQL spend.

    python bench/curves.py [--runs 3] [rooms] [buyers]
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import uvloop

from _chart import Panel
from _claims_market import BUYERS_CORE, Market, pin
from _curves import STRAIGHT, bends, draw
from _harness import RUNS, Meter, family, report, rounded, rss_bytes, say, settle, skip, turns
from _load import Seen, built, climbed
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres

ROOMS = (1, 50, 100, 150, 200)
BUYERS = (1, 250, 500, 1000, 1500, 2000)
PER_ROOM, LINES_PER_SECOND = 50, 5
SECONDS, SELL_SECONDS = 2.5, 1.0


def rooms(program: Path, runs: int) -> None:
    steps = [(many * PER_ROOM, float(LINES_PER_SECOND)) for many in ROOMS]

    def climb() -> list[Seen]:
        found = climbed(program, steps, SECONDS, rooms=ROOMS[-1])
        for many, seen in zip(ROOMS, found, strict=True):
            heard = seen.said["frames_per_s"] / (many * PER_ROOM)
            say(f"   {many} rooms: {100 * seen.core:.1f} % of a core, {heard:.1f} messages/s to each viewer")
            assert seen.said["gaps"] == 0, f"{seen.said['gaps']} messages did not follow the one before"
            assert heard >= 0.9 * LINES_PER_SECOND, "the rooms were not heard by everyone"
        return found

    climbs = turns({"rooms": climb}, runs)["rooms"]
    if not climbs:
        return
    cpu = [[100 * one[place].core for one in climbs] for place in range(len(ROOMS))]
    memory = [
        [(one[place].bytes_with - one[place].bytes_before) / 1e6 for one in climbs] for place in range(len(ROOMS))
    ]
    panels = [
        Panel("CPU of the gateway, % of a core", "rooms", list(zip(ROOMS, cpu, strict=True))),
        Panel("Memory of the gateway, MB", "rooms", list(zip(ROOMS, memory, strict=True))),
    ]
    picture = draw("rooms", f"Rooms of {PER_ROOM} viewers, {LINES_PER_SECOND} chat lines a second in each", panels)
    explained = (
        "Both rise in a straight line: a room costs what its viewers cost. A quiet gateway wakes for every line and "
        "every socket by itself; the busier it is, the more it finds each time it looks, so CPU flattens a little."
    )
    report(
        "curve.rooms_cpu_bend", "", bends(panels[0]), aim=STRAIGHT, note=panels[0].ends("%"), curve=panels[0].lines(),
        picture=picture, explained=explained,
    )  # fmt: skip
    report(
        "curve.rooms_memory_bend",
        "",
        bends(panels[1]),
        aim=STRAIGHT,
        note=panels[1].ends("MB"),
        curve=panels[1].lines(),
    )


@dataclass(frozen=True)
class Sale:
    """What a sale to so many took: everyone once, and then again and again."""

    last_ms: float
    """Until the last of those who bought at one moment had its answer."""
    spent_ms: float
    """CPU of gateway and PostgreSQL for that, the opening of everyone's socket included."""
    order_us: float
    """CPU of both for an order while everyone buys again and again, sockets not included."""
    peak_mb: float
    """The most resident memory that the gateway had so far, beyond what it had before the first buyer."""


async def sales(dsn: str, postgres: int, folder: Path) -> list[Sale]:
    """One sale to each of BUYERS, in a market whose gateway has just started."""
    with ExitStack() as stack:
        market = await Market.open(dsn, folder, stack)
        gateway = next(one for one in family(os.getpid()) if _is_gateway(one))
        bytes_before = rss_bytes(gateway)
        await market.sell(market.hot, buyers=1, seconds=SELL_SECONDS)  # warm
        found: list[Sale] = []
        for many in BUYERS:
            found.append(await _sale(market, gateway, postgres, many, bytes_before))
            say(f"   {many} buyers: {found[-1]}")
        await market.close()
    return found


async def _sale(market: Market, gateway: int, postgres: int, many: int, bytes_before: int) -> Sale:
    spent: list[float] = []
    orders: list[int] = []
    last_ms = 0.0
    for seconds in (0.0, SELL_SECONDS):
        before = await _orders(market)
        meters = [Meter(gateway), Meter(postgres, children=True)]
        seen = await market.sell(market.hot, buyers=many, seconds=seconds)
        assert not seen["refused"], f"{seen['refused']} buyers were refused"
        last_ms = last_ms or seen["max_ms"]
        spent.append(sum(meter.cpu() for meter in meters))
        orders.append(await _orders(market) - before)
    assert orders[0] == many, f"of {many} buyers {orders[0]} were sold to"
    # What the second costs beyond the first is orders alone: opening the sockets costs the same in both.
    order_us = 1e6 * (spent[1] - spent[0]) / (orders[1] - orders[0])
    return Sale(last_ms, 1000 * spent[0], order_us, (_peak_bytes(gateway) - bytes_before) / 1e6)


async def _orders(market: Market) -> int:
    async with market.db.read() as read:
        return int(await read.fetchval("select count(*) from orders"))


def _peak_bytes(process_id: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process_id}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def _is_gateway(process_id: int) -> bool:
    return Path(f"/proc/{process_id}/cmdline").read_text().rstrip("\0").endswith("\0live")


def buyers(runs: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        server = Postgres(Path(folder))
        server.start()
        try:
            assert server.process is not None
            pin(server.process.pid, BUYERS_CORE)
            migrate(server.dsn())
            sold = partial(sales, server.dsn(), server.process.pid, Path(folder))
            found = turns({"buyers": lambda: uvloop.run(sold())}, runs)["buyers"]
        finally:
            server.stop()
    if not found:
        return
    places = range(len(BUYERS))

    def values(of: str, since: int = 0) -> list[tuple[float, Sequence[float]]]:
        return [(BUYERS[place], [getattr(turn[place], of) for turn in found]) for place in places[since:]]

    last = Panel("Until the last is answered, ms", "buyers at one moment", values("last_ms"))
    spent = Panel("CPU of gateway and PostgreSQL, ms", "buyers at one moment", values("spent_ms"))
    each = Panel("CPU for one order, µs, buying on and on", "buyers who wait", values("order_us", 1), is_level=True)
    memory = Panel("Memory of the gateway, MB", "buyers", values("peak_mb"))
    lone = rounded(statistics.median(turn[0].order_us for turn in found))
    picture = draw("buyers", "Buyers of one variant", [last, memory, spent, each])
    explained = (
        "CPU of a sale holds the opening of everyone's socket. A lone buyer's order costs most, "
        f"{lone} µs, as it pays for a whole transaction: it is left out of the last picture, in which batches share "
        "one. Memory is the most that the gateway has had so far; PostgreSQL's connections are as many for one buyer "
        "as for all."
    )
    report(
        "curve.buyers_last_answer_bend", "", bends(last), aim=STRAIGHT, note=last.ends("ms"), curve=last.lines(),
        picture=picture, explained=explained,
    )  # fmt: skip
    report("curve.buyers_cpu_bend", "", bends(spent), aim=STRAIGHT, note=spent.ends("ms"), curve=spent.lines())
    report("curve.buyers_memory_bend", "", bends(memory), aim=STRAIGHT, note=memory.ends("MB"), curve=memory.lines())
    grows = [high / low for high, low in zip(each.runs[-1][1], each.runs[0][1], strict=True)]
    report(
        "curve.buyers_order_grows", "", grows, aim=STRAIGHT, curve=each.lines(),
        note=f"CPU for an order, {BUYERS[-1]:,} waiting over {BUYERS[1]} waiting: {each.ends('µs')}",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("which", nargs="*", default=["rooms", "buyers"])
    options = parser.parse_args()
    try:
        with built() as program:
            if "rooms" in options.which:
                rooms(program, options.runs)
            if "buyers" in options.which:
                buyers(options.runs)
    except FileNotFoundError as missing:
        skip("curve.rooms_cpu_bend", str(missing))
    settle()


if __name__ == "__main__":
    main()
