"""The processes of a market, as the kernel shows them, and how tests end those that they started."""

from __future__ import annotations

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from helpers.patience import PATIENCE_SECONDS


class Process(NamedTuple):
    """One process of a plane. `number` tells those of one plane apart; `born` is in ticks since the machine started."""

    born: int
    pid: int
    plane: str
    number: int


def end(process: subprocess.Popen[Any], number: int = signal.SIGTERM) -> None:
    """End a process and wait until it is gone; whoever does not listen is killed."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def end_group(process: subprocess.Popen[Any]) -> None:
    """kill -9 a process that leads a group, and whatever it started; also when it has ended itself already."""
    with suppress(ProcessLookupError):  # nobody of the group is left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def runs(pid: int) -> bool:
    """Whether that process still runs; one that has ended and was not yet missed does not."""
    try:
        return _stat(pid)[0] != "Z"
    except OSError:  # it is gone, perhaps while we looked
        return False


def children_of(parent: int) -> list[int]:
    """The processes that this one started and that still run; those that have ended and were not yet missed are left
    out."""
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                stat = _stat(int(entry.name))
                if int(stat[1]) == parent and stat[0] != "Z":
                    found.append(int(entry.name))
    return found


def planes_under(supervisor: int) -> list[Process]:
    """The planes that this supervisor runs now, the eldest first."""
    found: list[Process] = []
    for pid in children_of(supervisor):
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            named = b"postgres" if words[0].endswith(b"/postgres") else next(iter(words[3:4]), b"")
            marks = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            number = next((int(one.partition(b"=")[2]) for one in marks if one.startswith(b"LIVESTALL_NUMBER=")), 0)
            found.append(Process(int(_stat(pid)[19]), pid, named.decode(), number))
    return sorted(found)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/…/stat that come after the name: state, parent, …"""
    return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].decode().split()
