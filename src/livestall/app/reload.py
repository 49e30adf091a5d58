"""`livestall reload`: asks the market of the data folder to replace its processes, and waits for the outcome."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

import msgspec

WAIT_SECONDS_MAX = 600
LOOK_SECONDS = 0.1


class Outcome(msgspec.Struct, frozen=True):
    """How far the last reload came."""

    state: Literal["running", "done", "failed"]
    seconds: float = 0.0
    problem: str = ""


class Reload:
    """The report of the last reload, a file in the data folder."""

    def __init__(self, data: Path) -> None:
        self._path = data / "reload.json"

    def write(self, state: Literal["running", "done", "failed"], seconds: float = 0.0, problem: str = "") -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(Outcome(state, seconds, problem)))
        fresh.replace(self._path)

    def read(self) -> Outcome | None:
        with suppress(OSError, msgspec.MsgspecError):
            return msgspec.json.decode(self._path.read_bytes(), type=Outcome)
        return None

    def forget(self) -> None:
        self._path.unlink(missing_ok=True)


def running(data: Path) -> int | None:
    """The process of the market that runs in `data`, None if there is none: the file of one that was killed stays, and
    its number may be that of any other process by now."""
    with suppress(OSError, ValueError), (data / "serve.lock").open() as lock:
        process = int(lock.read())
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return process
    return None


def run(data: Path) -> int:
    """Reload the market in `data`; returns the exit code: 0 when every process was replaced."""
    market = running(data)
    if market is None:
        print(f"livestall: no market runs in {data}; start one with `livestall serve`", file=sys.stderr)
        return 1
    report = Reload(data)
    report.forget()
    os.kill(market, signal.SIGUSR1)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        outcome = report.read()
        if outcome is not None and outcome.state == "done":
            print(f"Every process was replaced ({outcome.seconds:.1f} s).")
            return 0
        if outcome is not None and outcome.state == "failed":
            print(f"livestall: {outcome.problem}", file=sys.stderr)
            return 1
        time.sleep(LOOK_SECONDS)
    print(f"livestall: no end of the reload within {WAIT_SECONDS_MAX} s; see the log", file=sys.stderr)
    return 1
