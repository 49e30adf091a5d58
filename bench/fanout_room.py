"""One room fills up: 100 → 20,000 viewers, through the real wire (server, channels, tick, hub) on one core.

At each step 100 chat lines a second are said, and once, with 5,000 viewers, 1,000. `fanout.tick_core` is what the
hundred cost with 5,000 viewers, in percent of a core; `fanout.tick_p99_ms` is the time from a speaker's sending to
every viewer's having it, the wait for the 100 ms tick included. `fanout.rush_lines_per_s` is what a viewer is sent of
the thousand: at most 30, and the count of the rest, which must add up. `fanout.kb_per_socket` is the gateway's resident
memory with all sockets open in the talking room, less what it was before the first came, for each socket; the kernel's
own buffers are not in it. Every eighth viewer reads every message and checks that numbers follow each other without a
gap. Loopback, no TLS; the load in C (fanout.c) on the other core. Each run is a gateway of its own that fills once.

    python bench/fanout_room.py [--runs 3] [--seconds 2.5]
"""

from __future__ import annotations

import argparse
import resource
from collections.abc import Callable, Sequence
from pathlib import Path

from _chart import Panel
from _curves import STRAIGHT, bends, draw
from _harness import RUNS, report, rounded, say, settle, skip, turns
from _load import Seen, built, climbed

VIEWERS = (100, 2500, 5000, 7500, 10_000, 15_000, 20_000)
STEADY = 10_000
"""Viewers up to whom the tick is always the same; beyond them `live.deliveries_per_second` makes it grow."""
MANY = 5000
CALM, RUSH = 100, 1000
SECONDS, SPARE_FILES, LINES_MAX, MESSAGES_MIN = 2.5, 100, 30, 2
"""`SPARE_FILES`: what the gateway has open besides its viewers' sockets. `MESSAGES_MIN`: a second, for each viewer; the
tick grows when others use the core."""


def check(seen: Seen, viewers: int, rate: float) -> Seen:
    """Raises AssertionError when a viewer missed something, or was told too much on the whole. (A message that comes
    late, just before the next, brings more within a single second: that is a number of the report.)"""
    said = seen.said
    tick_seconds = viewers / said["frames_per_s"]
    assert said["gaps"] == 0, f"{said['gaps']} messages did not follow the one before"
    slack = max(0.1, 1.5 * tick_seconds / said["seconds"])  # what was said before begins or ends with a message
    assert said["lines_per_s"] <= LINES_MAX * (1 + slack), "a viewer was sent more lines than it can read"
    heard = said["lines_per_s"] + said["more_per_s"]
    assert abs(heard - said["said_per_s"]) <= slack * rate, f"{said['said_per_s']} said, {heard} said or counted"
    heard_by_each = said["frames_per_s"] / viewers
    assert heard_by_each >= MESSAGES_MIN, f"a viewer had only {heard_by_each:.2f} messages/s"
    return seen


def fill(program: Path, steps: Sequence[tuple[int, float]], seconds: float) -> list[Seen]:
    found = climbed(program, steps, seconds)
    for (viewers, rate), seen in zip(steps, found, strict=True):
        tick_ms = 1000 * viewers / seen.said["frames_per_s"]
        say(f"   {viewers:,} viewers, {rate:g} lines/s: {100 * seen.core:.1f} % of a core, "
            f"a message each {tick_ms:.0f} ms, p99 {seen.said['p99_ms']:.0f} ms")  # fmt: skip
    return [check(seen, viewers, rate) for (viewers, rate), seen in zip(steps, found, strict=True)]


def tell(climbs: Sequence[Sequence[Seen]], steps: Sequence[tuple[int, float]]) -> None:
    calm = [one[steps.index((MANY, CALM))] for one in climbs]
    rush = [one[steps.index((MANY, RUSH))] for one in climbs]
    report("fanout.tick_core", "% of a core", [100 * one.core for one in calm], limit=50, aim="value <= 50")
    report("fanout.tick_p99_ms", "ms", [one.said["p99_ms"] for one in calm], limit=200, aim="value <= 200")
    report("fanout.tick_p50_ms", "ms", [one.said["p50_ms"] for one in calm])
    report("fanout.rush_core", "% of a core", [100 * one.core for one in rush], note="1,000 lines a second said")
    report(
        "fanout.rush_lines_per_s", "lines/s", [one.said["most_lines_in_a_second"] for one in rush], limit=LINES_MAX,
        aim="value <= 30", note="what the viewer who was sent most got within any second; the rest came as a count",
    )  # fmt: skip
    report("fanout.rush_p99_ms", "ms", [one.said["p99_ms"] for one in rush])
    full = steps[-1][0]
    kilobytes = [(one[-1].bytes_with - one[-1].bytes_before) / full / 1000 for one in climbs]
    few = "" if full == VIEWERS[-1] else ", as many as the limit of files lets"
    report("fanout.kb_per_socket", "kB", kilobytes, limit=20, aim="value <= 20", note=f"{full:,} sockets{few}")
    opening = [sum(seen.said["opening_s"] for seen in one) for one in climbs]
    report("fanout.joins_per_s", "1/s", [full / seconds for seconds in opening], note="one after the other")


def curves(climbs: Sequence[Sequence[Seen]], steps: Sequence[tuple[int, float]]) -> None:
    places = [place for place, (_, rate) in enumerate(steps) if rate == CALM]

    def panel(title: str, value: Callable[[Seen], float], until: float | None, *, level: bool = False) -> Panel:
        runs = [(float(steps[place][0]), [value(one[place]) for one in climbs]) for place in places]
        return Panel(title, "viewers", runs, until, level)

    cpu = panel("CPU of the gateway, % of a core", lambda one: 100 * one.core, STEADY)
    memory = panel("Memory of the gateway, MB", lambda one: (one.bytes_with - one.bytes_before) / 1e6, None)
    tick = panel(
        "Time between a viewer's messages, ms", lambda one: 1000 * one.said["sockets"] / one.said["frames_per_s"],
        STEADY, level=True,
    )  # fmt: skip
    each = panel(
        "CPU for a message to a viewer, µs", lambda one: 1e6 * one.core / one.said["frames_per_s"], STEADY, level=True
    )
    full, tick_ms = each.points()[-1][0], tick.points()[-1][1]
    picture = draw("viewers", "Viewers of one room, 100 chat lines a second", [cpu, memory, tick, each])
    explained = (
        f"CPU rises in a straight line up to {STEADY:,} viewers. There a gateway sends 100,000 messages a second "
        "(`live.deliveries_per_second`), and keeps to that: beyond, the tick grows, so that the same is said in "
        f"fewer, larger messages, one each {tick_ms:.0f} ms for {full:,.0f} viewers, and CPU stays about where it was. "
        "That bend is meant; who wants ten messages a second for more takes a second gateway. The bend that is "
        "reported is therefore that of the part with ten a second, and what a message to a viewer costs is drawn over "
        "the whole. With 100 viewers a message carries alone what a tick costs once, whoever hears it."
    )
    report(
        "curve.viewers_cpu_bend", "", bends(cpu), aim=STRAIGHT, picture=picture, explained=explained,
        note=f"up to {STEADY:,} viewers, beyond whom the tick grows; {cpu.ends('%')}", curve=cpu.lines(),
    )  # fmt: skip
    report("curve.viewers_memory_bend", "", bends(memory), aim=STRAIGHT, note=memory.ends("MB"), curve=memory.lines())
    costs = dict(each.runs)
    report(
        "curve.viewers_message_grows", "", [high / low for high, low in zip(costs[full], costs[MANY], strict=True)],
        aim=STRAIGHT, note=f"CPU for a message to one of {full:,.0f} viewers over one of {MANY:,}: "
        f"{rounded(each.points()[-1][1])} µs", curve=each.lines(),
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    steps = [(min(viewers, allowed - SPARE_FILES), CALM) for viewers in VIEWERS]
    steps.insert(steps.index((MANY, CALM)) + 1, (MANY, RUSH))
    try:
        with built() as program:
            climbs = turns({"climb": lambda: fill(program, steps, options.seconds)}, options.runs)["climb"]
    except FileNotFoundError as missing:
        skip("fanout.tick_core", str(missing))
        return
    if climbs:
        tell(climbs, steps)
        curves(climbs, steps)
    settle()


if __name__ == "__main__":
    main()
