"""Notices when the host takes the processors away while something is measured: on a shared machine the whole virtual
machine may stand still for seconds, and what was measured meanwhile is then the host's, not ours.

    with watching(cores()) as stood:
        begin = time.monotonic()
        measure()
        stood(begin)   # the seconds of each time that a core stood still since

A thread on each core sleeps and looks at the clock, in a process of its own that nobody's lock can hold up. Where it
may, it runs before everything else (SCHED_FIFO): then only the host can keep it from its core. Where it may not, a busy
machine makes it late as well, and only what /proc/stat calls stolen counts.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

STILL_SECONDS = 0.25
"""A core that was away for longer stood still. Hosts that give a machine a part of their processors take them away for
a tenth of a second again and again, from limit and subject alike: that is the machine."""
LOOK_SECONDS = 0.05
CORES = 4
"""What is measured keeps to the first few."""
PRIORITY, STOLEN = 10, 0.5
"""`STOLEN`: the part of a gap that must be stolen time where the watch does not come first."""


@dataclass(frozen=True)
class Gap:
    """A time in which a core did nothing of ours: when it ended, by the monotonic clock, and how long it was."""

    end: float
    seconds: float


def stolen_seconds(core: int) -> float:
    """How long the host has kept this core from us since the machine started; 0 where nobody counts it."""
    for line in Path("/proc/stat").read_text().splitlines():
        name, *ticks = line.split()
        if name == f"cpu{core}" and len(ticks) > 7:
            return int(ticks[7]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def watch(core: int, found: list[Gap]) -> None:
    """Add to `found`, for ever, when this core stood still."""
    os.sched_setaffinity(0, {core})
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
        is_first = True
    except OSError:
        is_first = False
    stolen, seen = 0.0 if is_first else stolen_seconds(core), time.monotonic()
    while True:
        time.sleep(LOOK_SECONDS)
        now, stolen_now = time.monotonic(), 0.0 if is_first else stolen_seconds(core)
        away = now - seen - LOOK_SECONDS
        if away > STILL_SECONDS and (is_first or stolen_now - stolen >= STOLEN * away):
            found.append(Gap(now, away))
        stolen, seen = stolen_now, now


def longest(gaps: Sequence[Gap], since: float) -> list[float]:
    """The seconds of the gaps that ended after `since`, each once: those that cores had at the same time are one."""
    found: list[Gap] = []
    for one in sorted(gaps, key=lambda gap: gap.end):
        if one.end <= since:
            continue
        if found and one.end - one.seconds < found[-1].end:
            found[-1] = Gap(one.end, max(one.seconds, found[-1].seconds))
        else:
            found.append(one)
    return [one.seconds for one in found]


@contextmanager
def watching(cores: Sequence[int]) -> Generator[Callable[[float], list[float]]]:
    """Watch these cores until the block ends. Yields what says, for a moment of the monotonic clock, for how many
    seconds a core stood still each time since."""
    command = [sys.executable, "-E", "-s", __file__, *map(str, cores[:CORES])]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    ask, told = process.stdin, process.stdout

    def stood(since: float) -> list[float]:
        ask.write(f"{since}\n")
        ask.flush()
        return json.loads(told.readline())

    try:
        told.readline()  # it watches now
        yield stood
    finally:
        ask.close()  # which ends it
        process.wait()
        told.close()


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for who measures
    found: list[Gap] = []
    for core in sys.argv[1:]:
        threading.Thread(target=watch, args=(int(core), found), daemon=True).start()
    print("watching", flush=True)
    for line in sys.stdin:
        time.sleep(2 * LOOK_SECONDS)  # until each core has looked once more
        print(json.dumps(longest(found, float(line))), flush=True)


if __name__ == "__main__":
    main()
