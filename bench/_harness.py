"""What every measurement shares: a core for each process, turns between limit and subject, and one line per number.

    found = turns({"limit": run_the_limit, "ours": run_ours})
    report("fanout.deliveries_per_s", "1/s", found["ours"], limit=found["limit"], aim="ratio >= 0.7")

prints one JSON line: name, value (the median), unit, limit (its median), ratio, min, max, runs, limit_runs, aim, met.
"""

from __future__ import annotations

import json
import math
import operator
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Awaitable, Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from _still import watching

T = TypeVar("T")
RUNS = int(os.environ.get("BENCH_RUNS", "3"))
"""How often each subject has its turn; fewer for a quick look."""
TAKES = 3
"""How often a turn is taken at most, when the host stands still or a check fails."""
WHY_MAX = 200
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
AIM = re.compile(r"(value|ratio|min|max) (<=|>=) (\d+(?:\.\d+)?)")
COMPARE: dict[str, Callable[[float, float], bool]] = {"<=": operator.le, ">=": operator.ge}


# ------------------------------------------------------------------------------------------------ processes and cores


_CORES = sorted(os.sched_getaffinity(0))


def cores() -> list[int]:
    """The cores that this process might use when it began: it may have kept itself on one of them since."""
    return _CORES


def start_on(core: int | None, command: Sequence[str], **options: Any) -> subprocess.Popen[str]:
    """Start a program and keep it, and all that it starts, on one core; None leaves it free. `core` counts from 0 and
    starts again when the machine has fewer."""
    allowed = cores()
    chosen = allowed if core is None else [allowed[core % len(allowed)]]
    return subprocess.Popen(
        list(command), text=True, preexec_fn=lambda: os.sched_setaffinity(0, chosen),  # noqa: PLW1509 - no threads here
        **options,
    )  # fmt: skip


@contextmanager
def running(
    core: int | None, command: Sequence[str], port: int = 0, **options: Any
) -> Generator[subprocess.Popen[str]]:
    """A program on a core, ended (TERM, then KILL) when the block ends. Waits for `port` to answer if it is given."""
    process = start_on(core, command, **options)
    try:
        if port:
            wait_for(port, process)
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_ports(count: int) -> list[int]:
    """Ports of the loopback that nobody listens on."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def free_port() -> int:
    return free_ports(1)[0]


def wait_for(port: int, process: subprocess.Popen[str] | None = None, seconds: float = 30) -> None:
    """Until something listens on the port. Raises TimeoutError, and RuntimeError if the process ended instead."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(f"nothing listens on port {port}")


def family(process_id: int) -> list[int]:
    """A process and all its descendants that run now."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [process_id]
    for one in found:
        found += children.get(one, [])
    return found


def _stat(process_id: int) -> list[str]:
    """The fields of /proc/…/stat from the state on; empty if the process is gone."""
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def cpu_seconds(process_id: int, *, children: bool = False) -> float:
    """User and system time so far. Raises ProcessLookupError if the process is gone."""
    return sum(_cpu(one) for one in (family(process_id) if children else [process_id]))


def _cpu(process_id: int) -> float:
    try:
        return time.clock_gettime(~process_id << 3 | 2)  # the clock that clock_getcpuclockid(3) names: in nanoseconds
    except OSError:
        raise ProcessLookupError(process_id) from None


def rss_bytes(process_id: int, *, children: bool = False) -> int:
    """Resident memory; pages that processes share count once for each."""
    total = 0
    for one in family(process_id) if children else [process_id]:
        total += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE_BYTES
    return total


class Meter:
    """CPU and wall time of a process since the meter was made: `core()` is the part of one core that it used."""

    def __init__(self, process_id: int, *, children: bool = False) -> None:
        self._process_id, self._children = process_id, children
        self._cpu, self._at = cpu_seconds(process_id, children=children), time.monotonic()

    def cpu(self) -> float:
        return cpu_seconds(self._process_id, children=self._children) - self._cpu

    def core(self) -> float:
        return self.cpu() / (time.monotonic() - self._at)


# ------------------------------------------------------------------------------------------------------------ turns


class Take:
    """One attempt at a measurement: `with` it. Afterwards `why` says what was wrong with it, "" if nothing was; what it
    raised is in `error` and goes no further."""

    def __init__(self, stood: Callable[[float], list[float]]) -> None:
        self._stood, self._begin = stood, 0.0
        self.error: Exception | None = None
        self.why = ""

    def __enter__(self) -> None:
        self._begin = time.monotonic()

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        still = self._stood(self._begin)
        often = f"{len(still)} times, " if len(still) > 1 else ""
        stood = f"the host stood still {often}for {sum(still):.1f} s" if still else ""
        if error is None:
            self.why = stood
        elif isinstance(error, Exception):
            said = str(error).strip().partition("\n")[0][:WHY_MAX] or type(error).__name__
            self.error, self.why = error, said + (f" ({stood})" if stood else "")
        return self.error is not None


class Turns:
    """The turns of some subjects. One during which the host stood still, or whose own check failed, is taken again, up
    to TAKES times in all, and each time is told in a line. What only the host spoiled is kept in the end; a check that
    fails to the end leaves its turn out, and `settle` fails. Later turns of that subject are taken only once."""

    def __init__(self, stood: Callable[[float], list[float]]) -> None:
        self._stood = stood
        self._failing: set[str] = set()

    def takes(self, name: str) -> Generator[Take]:
        """The attempts at one turn, as many as it needs."""
        times = 1 if name in self._failing else TAKES
        for left in reversed(range(times)):
            take = Take(self._stood)
            yield take
            if not take.why:
                return
            then = AGAIN if left else KEPT if take.error is None else FAILED
            _tell_take(name, take.why, then)
            if then == FAILED:
                self._failing.add(name)
                _failed.append(name)
                traceback.print_exception(take.error)


AGAIN, KEPT, FAILED = "taken again", "kept", "failed"
_failed: list[str] = []


def _tell_take(name: str, why: str, then: str) -> None:
    say(f"   {name}: {why}: {then}")
    print(json.dumps({"turn": name, "why": why, "then": then}, ensure_ascii=False), flush=True)


def turns(subjects: Mapping[str, Callable[[], T]], times: int = RUNS) -> dict[str, list[T]]:
    """Run the subjects one after the other, again and again: what else the machine does hits all of them alike. Returns
    the turns that were good (see `Turns`); a subject that had none has an empty list."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    with watching(cores()) as stood:
        these = Turns(stood)
        for _ in range(times):
            for name, run in subjects.items():
                seen: list[T] = []
                for take in these.takes(name):
                    seen = []
                    with take:
                        seen.append(run())
                found[name] += seen
    return found


async def turns_awaited(subjects: Mapping[str, Callable[[], Awaitable[T]]], times: int = RUNS) -> dict[str, list[T]]:
    """`turns` for subjects that are awaited."""
    found: dict[str, list[T]] = {name: [] for name in subjects}
    with watching(cores()) as stood:
        these = Turns(stood)
        for _ in range(times):
            for name, run in subjects.items():
                seen: list[T] = []
                for take in these.takes(name):
                    seen = []
                    with take:
                        seen.append(await run())
                found[name] += seen
    return found


def settle() -> None:
    """The end of a file of measurements, after its numbers. Raises SystemExit when a turn failed for good."""
    if _failed:
        raise SystemExit(f"failed {TAKES} times: {', '.join(dict.fromkeys(_failed))}")


# ----------------------------------------------------------------------------------------------------------- numbers


def rounded(value: float) -> float:
    """Three digits that count, and no more behind the point than that."""
    if not value or not math.isfinite(value):
        return value
    places = 2 - math.floor(math.log10(abs(value)))
    return round(value, places) if places > 0 else round(value)


def summary(runs: Collection[float]) -> dict[str, Any]:
    """value (the median), min, max and runs, rounded."""
    return {
        "value": rounded(statistics.median(runs)), "min": rounded(min(runs)), "max": rounded(max(runs)),
        "runs": [rounded(one) for one in runs],
    }  # fmt: skip


def is_met(aim: str, record: Mapping[str, Any]) -> bool:
    """Whether a record holds what was aimed at, such as "ratio >= 0.7" or "max <= 300". Raises ValueError."""
    match = AIM.fullmatch(aim)
    if match is None:
        raise ValueError(f"{aim!r} is no aim: say it like 'ratio >= 0.7' or 'value <= 300'")
    return COMPARE[match[2]](record[match[1]], float(match[3]))


def record(
    name: str,
    unit: str,
    runs: Sequence[float],
    *,
    limit: Sequence[float] | float | None = None,
    aim: str = "",
    note: str = "",
    beside: Mapping[str, Sequence[float]] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """A number as it is printed. `limit`: the runs of what it is held against, or a fixed figure. `beside`: the runs of
    others, by their names, measured in the same turns."""
    line: dict[str, Any] = {"name": name, "unit": unit, **summary(runs)}
    limits = [] if limit is None else [float(limit)] if isinstance(limit, (int, float)) else list(limit)
    if limits:
        middle = statistics.median(limits)
        line["limit"] = rounded(middle)
        line["ratio"] = round(statistics.median(runs) / middle, 3) if middle else None
        line["limit_runs"] = [rounded(one) for one in limits] if len(limits) > 1 else []
    else:
        line |= {"limit": None, "ratio": None, "limit_runs": []}
    if beside:
        line["beside"] = {who: summary(values) for who, values in beside.items() if values}
    if aim:
        line |= {"aim": aim, "met": is_met(aim, line)}
    if note:
        line["note"] = note
    return line | more


def report(name: str, unit: str, runs: Sequence[float], **options: Any) -> dict[str, Any]:
    """Print one number as a JSON line (see `record` for the options) and return it; without a good turn of it, or of
    its limit, that there is none."""
    if not runs or options.get("limit") == []:
        return skip(name, "no turn was good")
    line = record(name, unit, runs, **options)
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return line


def skip(name: str, reason: str) -> dict[str, Any]:
    """Say that a number could not be taken here, and why."""
    line = {"name": name, "skipped": reason}
    print(json.dumps(line, ensure_ascii=False), flush=True)
    return line


def say(text: str) -> None:
    """Progress, for the person who waits."""
    print(text, file=sys.stderr, flush=True)
