"""fanout.deliveries_per_s: one 200-byte message to thousands of sockets, beside a broadcaster in C in the same run.

The hub and the server of `livestall live` on one core; the load, written in C too, on the other. The C broadcaster does
nothing but one send() per viewer and message, which is what the kernel allows: the limit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import uvloop

from livestall.base import ids, keys
from livestall.live import Caller, Channels, Command, Edge, Hub, Loaded, Server, Settings, Tickets

SOURCE = Path(__file__).with_suffix(".c")
NAME = "fanout.deliveries_per_s"
SECRET = "0" * 64
CHANNEL = UUID(int=7)
FREE = {"commands_per_second": 1e9, "commands_burst": 10**9, "commands_waiting": 10**6, "connections": 10**6}


class Empty:
    async def load(self, _channel: UUID) -> Loaded:
        return Loaded(0, b'{"seq":0}', {"viewers": 0})


class Nothing(msgspec.Struct):
    pass


async def serve(port: int) -> None:
    """The gateway's wire, with one command that broadcasts."""
    keys.use(SECRET)
    settings = Settings(**FREE, totals_ms=60_000)
    hub = Hub(settings)
    channels = Channels(Empty(), hub, settings, slow=["viewers"])
    head = b'{"type":"events","events":[{"seq":1,"kind":"chat.said","body":{"text":"'
    payload = head + b"x" * (200 - len(head) - 5) + b'"}}]}'
    assert len(payload) == 200

    async def say(_caller: Caller, _id: UUID, _body: Nothing) -> None:
        channel = channels.get(CHANNEL)
        assert channel is not None
        hub.broadcast(channel.readers, payload, 0)

    server = Server(
        hub, channels, Tickets(), {"say": Command(Nothing, say)}, settings, lambda _: CHANNEL, lambda _: Edge({})
    )
    await server.start("127.0.0.1", port)
    await asyncio.Event().wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def start_on(core: int, command: list[str], **options: Any) -> subprocess.Popen[str]:
    """Start a program and keep it on one core, so that server and load do not share."""
    process = subprocess.Popen(command, text=True, **options)
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
    return process


def measure(program: Path, command: list[str], port: int, path: str, sockets: int, seconds: float) -> float:
    """Deliveries per second of the server that `command` starts on `port`."""
    server = start_on(0, command)
    try:
        wait_for(port)
        hello, say = '{"type":"hello"}', json.dumps({"type": "say", "id": str(ids.new())})
        arguments = [str(program), "load", str(port), str(sockets), str(seconds), path, hello, say]
        load = start_on(1, arguments, stdout=subprocess.PIPE)
        said, _ = load.communicate(timeout=120)
        if load.returncode:
            raise RuntimeError(f"the load ended with {load.returncode}")
        return float(said)
    finally:
        server.kill()
        server.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with socket.socket() as one:
            if one.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(port)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=3000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        uvloop.run(serve(options.serve))
        return
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        print(
            json.dumps({"name": "fanout.deliveries_per_s", "skipped": "there is no C compiler to build the limit with"})
        )
        return
    keys.use(SECRET)
    ours: list[float] = []
    limit: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "fanout"
        subprocess.run([compiler, "-O2", "-o", str(program), str(SOURCE)], check=True)
        for _ in range(options.runs):
            ticket, _ = Tickets().issue(Caller(CHANNEL, None, "", "en", "viewer"))
            port = free_port()
            limit.append(
                measure(program, [str(program), "serve", str(port)], port, "/", options.sockets, options.seconds)
            )
            port = free_port()
            command = [sys.executable, __file__, "--serve", str(port)]
            path = f"/?ticket={ticket}"
            ours.append(measure(program, command, port, path, options.sockets, options.seconds))
    value, best = statistics.median(ours), statistics.median(limit)
    print(
        json.dumps(
            {
                "name": NAME, "value": round(value), "unit": "1/s", "limit": round(best),
                "ratio": round(value / best, 3), "runs": [round(one) for one in ours],
                "limit_runs": [round(one) for one in limit], "sockets": options.sockets,
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
