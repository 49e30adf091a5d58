"""Planes that are killed, and stay away for as long as a block lasts, whatever the supervisor does."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from helpers.market import Served

LOOK_SECONDS = 0.02


def processes_of(served: Served, plane: str, number: int | None = None) -> list[int]:
    """The processes of that plane that the market's supervisor runs now; only the one of that number, if given."""
    assert served.process is not None
    found: list[int] = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, IndexError):
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(stat[1]) != served.process.pid or stat[0] == "Z":
                continue
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if (words[0].endswith(b"/postgres") and plane == "postgres") or words[3] == plane.encode():
                mark = f"LIVESTALL_NUMBER={number}".encode()
                if number is None or mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return found


def kill_plane(served: Served, plane: str, number: int | None = None) -> int:
    """kill -9 every process of the plane (or one of its number); returns how many there were."""
    found = processes_of(served, plane, number)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


@contextmanager
def kept_down(served: Served, plane: str, number: int | None = None) -> Iterator[None]:
    """The plane (or its process of that number) is away while the block lasts: killed at once, and again whenever it
    comes back."""
    assert kill_plane(served, plane, number), f"{plane} does not run"
    over = threading.Event()

    def again() -> None:
        while not over.wait(LOOK_SECONDS):
            kill_plane(served, plane, number)

    killer = threading.Thread(target=again, daemon=True)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
