"""Planes that are killed, and stay away for as long as a block lasts, whatever the supervisor does."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress

from helpers.market import Served

LOOK_SECONDS = 0.02


def kill_plane(served: Served, plane: str, number: int | None = None) -> int:
    """kill -9 every process of the plane (or one of its number); returns how many there were."""
    found = served.processes(plane, number)
    for one in found:
        with suppress(ProcessLookupError):
            os.kill(one.pid, signal.SIGKILL)
    return len(found)


@contextmanager
def kept_down(served: Served, plane: str, number: int | None = None) -> Generator[None]:
    """The plane (or its process of that number) is away while the block lasts: killed at once, and again whenever it
    comes back."""
    assert kill_plane(served, plane, number), f"{plane} does not run"
    over = threading.Event()
    failed: list[BaseException] = []

    def again() -> None:
        try:
            while not over.wait(LOOK_SECONDS):
                kill_plane(served, plane, number)
        except BaseException as error:  # else the plane would be back, and the block would prove nothing
            failed.append(error)

    killer = threading.Thread(target=again, daemon=True)
    killer.start()
    try:
        yield
    finally:
        over.set()
        killer.join()
    assert failed == [], f"{plane} was not kept down"


@contextmanager
def hung(pid: int) -> Generator[None]:
    """That process does nothing while the block lasts, and is still there."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
