"""Drives the load in C (fanout.c) against a server on another core."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Timer
from typing import Any

from _gateway import path
from _harness import Meter, free_port, rss_bytes, running, start_on

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = 0, 1
HELLO = '{"type":"hello"}'
LOAD_SECONDS = 180
"""A load that takes longer is ended: the files have their time too (run.py)."""


@contextmanager
def built() -> Generator[Path]:
    """The program of fanout.c. Raises FileNotFoundError when there is no C compiler."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise FileNotFoundError("there is no C compiler to build the limit and the load with")
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "fanout"
        subprocess.run([compiler, "-O2", "-o", str(program), str(HERE / "fanout.c")], check=True)
        yield program


@dataclass(frozen=True)
class Seen:
    """What came of one load: what it printed, the part of a core the server used meanwhile, and the server's memory in
    bytes before the first socket and with all of them."""

    said: Any
    core: float
    bytes_before: int
    bytes_with: int

    def per_core(self) -> float:
        """What a load printed as so many per second, for each second of CPU that the server had: whoever else uses the
        core meanwhile takes time from it, but not from the figure."""
        return float(self.said) / self.core


def gateway(port: int, **settings: Any) -> list[str]:
    """The command that starts our wire."""
    return [
        sys.executable,
        str(HERE / "_gateway.py"),
        str(port),
        *(f"{name}={value}" for name, value in settings.items()),
    ]


@contextmanager
def _loading(program: Path, arguments: Sequence[object], paths: Sequence[str]) -> Generator[subprocess.Popen[str]]:
    """The load under way. Raises RuntimeError, with what it said, when it fails."""
    load = start_on(
        LOAD_CORE, [str(program), *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )  # fmt: skip
    assert load.stdin is not None
    assert load.stderr is not None
    deadline = Timer(LOAD_SECONDS, load.kill)
    deadline.start()
    has_ended = is_late = False
    try:
        load.stdin.write("\n".join([*paths, "", ""]))
        load.stdin.flush()
        yield load
        load.wait()
    except (BrokenPipeError, ValueError):  # it takes no more, or what it printed is no number
        has_ended = True
    finally:
        is_late = not deadline.is_alive()
        deadline.cancel()
        load.kill()
        load.wait()
    if is_late:
        raise RuntimeError(f"the load took longer than {LOAD_SECONDS} s")
    if has_ended or load.returncode:
        raise RuntimeError(f"the load ended with {load.returncode}: {load.stderr.read().strip()[:300]}")


def _measured(load: subprocess.Popen[str], server: int, bytes_before: int) -> Seen:
    """One measurement of the load, from its "begin" to its line. Raises ValueError when it prints none."""
    assert load.stdout is not None
    load.stdout.readline()
    meter = Meter(server, children=True)
    said = json.loads(load.stdout.readline())
    return Seen(said, meter.core(), bytes_before, rss_bytes(server, children=True))


def drive(program: Path, port: int, server: int, sockets: int, seconds: float, hello: str, say: str, path: str) -> Seen:
    """Broadcasts to that many sockets of one room. `server` is its process; children count as well."""
    before = rss_bytes(server, children=True)
    with _loading(program, ["load", port, sockets, seconds, hello, say], [path]) as load:
        return _measured(load, server, before)


def climbed(
    program: Path, steps: Sequence[tuple[int, float]], seconds: float, *, rooms: int = 1, **settings: Any
) -> list[Seen]:
    """Our wire while its rooms fill up: at each step, of (viewers in all, chat lines a second in each room), what was
    seen and spent. Rooms fill one after the other; the last step has most viewers."""
    found: list[Seen] = []
    with served(lambda port: gateway(port, **settings)) as (port, server):
        before = rss_bytes(server)
        arguments = ["climb", port, seconds, HELLO, *(f"{viewers}:{rate}" for viewers, rate in steps)]
        with _loading(program, arguments, [path(room) for room in range(1, rooms + 1)]) as load:
            assert load.stdin is not None
            for _ in steps:
                found.append(_measured(load, server, before))
                load.stdin.write("\n")
                load.stdin.flush()
    return found


@contextmanager
def served(command: Callable[[int], list[str]]) -> Generator[tuple[int, int]]:
    """A server on its core; yields its port and its process."""
    port = free_port()
    with running(SERVER_CORE, command(port), port, stdout=subprocess.DEVNULL) as process:
        yield port, process.pid
