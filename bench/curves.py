"""Cost curves: what more viewers, more rooms and more buyers cost, in CPU, memory and time. Straight is good; a bend is
the slope of the upper half of a curve over that of the lower half: 1 is straight, less than 1 flattens.

- *viewers*: one room, 50 chat lines a second, ten ticks a second, through the real wire. Beyond 10,000 viewers the tick
  grows on purpose (`live.deliveries_per_second`): a gateway then says the same in fewer, larger messages, and its CPU
  flattens; who wants ten a second for more takes a second gateway.
- *rooms*: 50 viewers in each, 5 chat lines a second in each.
- *buyers*: so many buy the same variant at one moment, through a real `livestall live`; the time until the last has its
  answer, and the CPU of gateway and PostgreSQL for one order while they buy again and again. A lone buyer's order costs
  most, as it pays for a whole transaction; batches share it.

    python bench/curves.py [--runs 3] [viewers] [rooms] [buyers]
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import uvloop

from _chart import Panel, bend, svg
from _claims_market import BUYERS_CORE, Market, pin
from _harness import RUNS, Meter, family, report, say, skip
from _load import Seen, built, watched
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres

PICTURES = Path(__file__).parents[1] / "docs" / "img"
VIEWERS = (100, 2500, 5000, 10_000, 15_000, 20_000)
ROOMS = (1, 50, 100, 150, 200)
BUYERS = (1, 250, 500, 1000, 1500, 2000)
PER_ROOM, SECONDS, SELL_SECONDS, SPARE_FILES = 50, 2.5, 1.5, 100
STRAIGHT = "value <= 1.3"

Runs = list[tuple[float, list[float]]]


def taken(places: Sequence[int], measure: Callable[[int], Sequence[float]], runs: int) -> list[Runs]:
    """For each number that `measure` gives, its runs at each place; the places take turns."""
    found: list[list[Sequence[float]]] = [[] for _ in places]
    for _ in range(runs):
        for number, place in enumerate(places):
            found[number].append(measure(place))
            say(f"   {place}: {', '.join(f'{one:.3g}' for one in found[number][-1])}")
    kinds = range(len(found[0][0]))
    return [
        [(place, [one[kind] for one in found[number]]) for number, place in enumerate(places)] for kind in kinds
    ]  # fmt: skip


def tell(name: str, panel: Panel, unit: str, note: str = "", picture: str = "") -> None:
    """The bend as a number, and the curve itself in its line."""
    points = panel.points()
    ends = f"{points[0][1]:.3g} {unit} at {points[0][0]:g}, {points[-1][1]:.3g} {unit} at {points[-1][0]:g}"
    report(
        f"curve.{name}_bend", "", [bend(points)], aim=STRAIGHT, note=f"{panel.title}: {ends}{note}",
        curve=[[x, *values] for x, values in panel.runs], picture=picture,
    )  # fmt: skip


def draw(name: str, title: str, panels: Sequence[Panel]) -> str:
    """Where the picture is, as RESULTS.md says it."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    (PICTURES / f"curve-{name}.svg").write_text(svg(title, panels))
    return f"../docs/img/curve-{name}.svg"


def cost(seen: Seen) -> tuple[float, float]:
    """Percent of a core, and megabytes more than before the first socket."""
    assert seen.said["gaps"] == 0
    return 100 * seen.core, (seen.bytes_with - seen.bytes_before) / 1e6


def viewers(program: Path, runs: int) -> None:
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_FILES
    cpu, memory = taken(
        [min(one, allowed) for one in VIEWERS], lambda many: cost(watched(program, many, SECONDS, 50)), runs
    )
    panels = [Panel("CPU of the gateway, % of a core", "viewers", cpu), Panel("Memory, MB", "viewers", memory)]
    picture = draw("viewers", "Viewers of one room, ten ticks a second", panels)
    tell("viewers_cpu", panels[0], "%", "; beyond 10,000 the tick grows by itself", picture)
    tell("viewers_memory", panels[1], "MB")


def rooms(program: Path, runs: int) -> None:
    cpu, memory = taken(
        ROOMS, lambda many: cost(watched(program, many * PER_ROOM, SECONDS, 5, rooms=many)), runs
    )  # fmt: skip
    panels = [Panel("CPU of the gateway, % of a core", "rooms", cpu), Panel("Memory, MB", "rooms", memory)]
    picture = draw("rooms", f"Rooms of {PER_ROOM} viewers, five chat lines a second in each", panels)
    tell("rooms_cpu", panels[0], "%", picture=picture)
    tell("rooms_memory", panels[1], "MB")


async def sales(dsn: str, postgres: int, folder: Path, runs: int) -> list[Runs]:
    """Milliseconds until the last of so many buyers is answered, and CPU microseconds for an order."""
    with ExitStack() as stack:
        market = await Market.open(dsn, folder, stack)
        gateway = next(one for one in family(os.getpid()) if _is_gateway(one))
        found: dict[int, list[Sequence[float]]] = {many: [] for many in BUYERS}
        await market.sell(market.hot, buyers=200, seconds=SELL_SECONDS)  # warm
        for _ in range(runs):
            for many in BUYERS:
                found[many].append(await _sale(market, gateway, postgres, many))
                say(f"   {many}: {', '.join(f'{one:.3g}' for one in found[many][-1])}")
        await market.close()
    return [[(many, [one[kind] for one in measured]) for many, measured in found.items()] for kind in (0, 1)]


async def _sale(market: Market, gateway: int, postgres: int, many: int) -> tuple[float, float]:
    """Everyone once; then everyone again and again. What the second costs beyond the first is orders alone: opening the
    sockets costs the same in both."""
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
    return last_ms, 1e6 * (spent[1] - spent[0]) / (orders[1] - orders[0])


async def _orders(market: Market) -> int:
    async with market.db.read() as read:
        return int(await read.fetchval("select count(*) from orders"))


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
            last, spent = uvloop.run(sales(server.dsn(), server.process.pid, Path(folder), runs))
        finally:
            server.stop()
    panels = [
        Panel("Until the last is answered, ms", "buyers at one moment", last),
        Panel("CPU for one order, µs (gateway and PostgreSQL)", "buyers who wait", spent[1:]),
    ]
    picture = draw("buyers", "Buyers of one variant", panels)
    tell("buyers_last_answer", panels[0], "ms", picture=picture)
    many, lone = panels[1].points(), sorted(spent[0][1])[len(spent[0][1]) // 2]
    report(
        "curve.buyers_cpu_grows", "", [many[-1][1] / many[0][1]], aim=STRAIGHT,
        note=f"CPU for an order, {BUYERS[-1]:,} waiting over {BUYERS[1]} waiting; a lone buyer's costs {lone:.0f} µs",
        curve=[[x, *values] for x, values in spent],
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("which", nargs="*", default=["viewers", "rooms", "buyers"])
    options = parser.parse_args()
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    try:
        with built() as program:
            for name, take in (("viewers", viewers), ("rooms", rooms)):
                if name in options.which:
                    say(name)
                    take(program, options.runs)
            if "buyers" in options.which:
                say("buyers")
                buyers(options.runs)
    except FileNotFoundError as missing:
        skip("curve.viewers_cpu_bend", str(missing))


if __name__ == "__main__":
    main()
