"""The tick: 5,000 viewers of one room who hear chat, through the real wire (server, channels, tick, hub) on one core.

`fanout.tick_core` is what 100 chat lines a second cost, in percent of a core; `fanout.tick_p99_ms` is the time from a
speaker's sending to every viewer's having it, the wait for the 100 ms tick included. `fanout.rush_lines_per_s` is what
a viewer is sent when 1,000 lines a second are said: at most 30, and the count of the rest, which must add up. Every
eighth viewer reads every message and checks that numbers follow each other without a gap. Loopback, no TLS; the load in
C (fanout.c) on the other core.

    python bench/fanout_tick.py [--viewers 5000] [--seconds 4] [--runs 3]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from _harness import RUNS, report, skip, turns
from _load import Seen, built, watched

LINES_MAX = 30


def check(seen: Seen, viewers: int, rate: float) -> Seen:
    """Raises AssertionError when a viewer missed something, or was told more than it should."""
    said = seen.said
    assert said["gaps"] == 0, f"{said['gaps']} messages did not follow the one before"
    assert said["most_lines_per_s"] <= LINES_MAX * 1.1, "a viewer was sent more lines than it can read"
    heard = said["lines_per_s"] + said["more_per_s"]
    assert abs(heard - said["said_per_s"]) <= 0.05 * rate, f"{said['said_per_s']} said, {heard} said or counted"
    assert said["frames_per_s"] >= 0.5 * 10 * viewers, f"only {said['frames_per_s']} messages/s reached the viewers"
    return seen


def measure(program: Path, viewers: int, seconds: float, runs: int) -> None:
    found = turns(
        {
            "calm": lambda: check(watched(program, viewers, seconds, 100), viewers, 100),
            "rush": lambda: check(watched(program, viewers, seconds, 1000), viewers, 1000),
        },
        runs,
    )
    calm, rush = found["calm"], found["rush"]
    report("fanout.tick_core", "% of a core", [100 * one.core for one in calm], limit=50, aim="value <= 50")
    report("fanout.tick_p99_ms", "ms", [one.said["p99_ms"] for one in calm], limit=200, aim="value <= 200")
    report("fanout.tick_p50_ms", "ms", [one.said["p50_ms"] for one in calm])
    report("fanout.rush_core", "% of a core", [100 * one.core for one in rush], note="1,000 lines a second said")
    report(
        "fanout.rush_lines_per_s", "lines/s", [one.said["most_lines_per_s"] for one in rush], limit=LINES_MAX,
        aim="value <= 30", note="what the viewer who was sent most got, over the whole run; the rest came as a count",
    )  # fmt: skip
    report("fanout.rush_p99_ms", "ms", [one.said["p99_ms"] for one in rush])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--viewers", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--runs", type=int, default=RUNS)
    options = parser.parse_args()
    try:
        with built() as program:
            measure(program, options.viewers, options.seconds, options.runs)
    except FileNotFoundError as missing:
        skip("fanout.tick_core", str(missing))


if __name__ == "__main__":
    main()
