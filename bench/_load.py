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
from typing import Any

from _gateway import path
from _harness import Meter, free_port, rss_bytes, running, start_on

HERE = Path(__file__).parent
SERVER_CORE, LOAD_CORE = 0, 1
HELLO = '{"type":"hello"}'
LOAD_SECONDS = 180


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


def drive(
    program: Path, mode: str, port: int, server: int, sockets: int, seconds: float, hello: str, say: str,
    paths: Sequence[str],
) -> Seen:  # fmt: skip
    """Run the load against a server process (its children count as well). Raises RuntimeError when the load fails."""
    before = rss_bytes(server, children=True)
    arguments = [str(program), mode, str(port), str(sockets), str(seconds), hello, say]
    load = start_on(LOAD_CORE, arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert load.stdin is not None
    assert load.stdout is not None
    try:
        load.stdin.write("\n".join(paths))
        load.stdin.close()
        began = load.stdout.readline().strip() == "begin"
        meter = Meter(server, children=True)
        result = load.stdout.readline()
        core = meter.core()
        with_sockets = rss_bytes(server, children=True)
        load.stdin = None
        _, error = load.communicate(timeout=LOAD_SECONDS)
    finally:
        load.kill()
        load.wait()
    if load.returncode or not began:
        raise RuntimeError(f"the load ended with {load.returncode}: {error.strip()[:300]}")
    return Seen(json.loads(result), core, before, with_sockets)


def on_server(command: Callable[[int], list[str]], run: Callable[[int, int], Seen], **options: Any) -> Seen:
    """Start a server on its core, run a load against it as `run(port, process id)`, and end it."""
    port = free_port()
    with running(SERVER_CORE, command(port), port, stdout=subprocess.DEVNULL, **options) as process:
        return run(port, process.pid)


def watched(program: Path, sockets: int, seconds: float, rate: float, *, rooms: int = 1, **settings: Any) -> Seen:
    """Viewers of our wire, and `rate` chat lines per second in each room."""
    paths = [path(room) for room in range(1, rooms + 1)]
    return on_server(
        lambda port: gateway(port, **settings),
        lambda port, server: drive(program, "watch", port, server, sockets, seconds, HELLO, str(rate), paths),
    )
