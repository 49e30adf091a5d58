"""Deliveries: one 200-byte message to 5,000 sockets of one room, 4 broadcasts always under way, per server core.

The server is kept on one core, the load, written in C, on the other; loopback, no TLS. The limit is a broadcaster in C
(fanout.c) that does nothing but one send() per viewer and message: what the kernel allows. Ours is the hub and server
of `livestall live`, in Python alone. Beside it, by the same load in the same turns: nginx with nchan, python-socketio
and Django Channels, each as quick as its settings make it; one who cannot bear 5,000 sockets is given fewer.

    python bench/fanout.py [--sockets 5000] [--seconds 3] [--runs 3] [--alone]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from _gateway import path
from _harness import RUNS, report, say, settle, skip, turns
from _load import HELLO, built, drive, gateway, served
from _others import Other, others

NAME = "fanout.deliveries_per_s"
SHOUT = '{"type":"shout","id":"00000000-0000-7000-8000-000000000001"}'
FEW = 100


def of_limit(program: Path, sockets: int, seconds: float) -> float:
    with served(lambda port: [str(program), "serve", str(port)]) as (port, server):
        return drive(program, port, server, sockets, seconds, HELLO, SHOUT, "/").per_core()


def of_ours(program: Path, sockets: int, seconds: float) -> float:
    with served(lambda port: gateway(port, totals_ms=60_000)) as (port, server):
        return drive(program, port, server, sockets, seconds, HELLO, SHOUT, path(1)).per_core()


def of_other(program: Path, other: Other) -> float:
    with ExitStack() as stack, served(lambda port: other.command(port, stack)) as (port, server):
        return drive(
            program, port, server, other.sockets, other.seconds, other.hello, other.say, other.path
        ).per_core()  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sockets", type=int, default=5000)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--alone", action="store_true", help="only ours and the limit")
    options = parser.parse_args()
    try:
        with built() as program:
            measure(program, options)
    except FileNotFoundError as missing:
        skip(NAME, str(missing))
    settle()


def measure(program: Path, options: argparse.Namespace) -> None:
    sockets, seconds = options.sockets, options.seconds
    subjects: dict[str, Callable[[], float]] = {
        "limit": lambda: of_limit(program, sockets, seconds),
        "ours": lambda: of_ours(program, sockets, seconds),
    }
    names: dict[str, str] = {}
    notes: list[str] = []
    for other in [] if options.alone else others(sockets, FEW):
        if other.missing:
            notes.append(f"{other.name} was not measured: {other.missing}")
            continue
        names[other.name] = f"{other.name}, {other.sockets:,} sockets" + (f" ({other.note})" if other.note else "")
        subjects[other.name] = lambda other=other: of_other(program, other)
    found = turns({name: told(name, run) for name, run in subjects.items()}, options.runs)
    beside = {names[name]: runs for name, runs in found.items() if name in names}
    report(
        NAME, "1/s", found["ours"], limit=found["limit"], aim="ratio >= 0.7", beside=beside, note="; ".join(notes),
        sockets=sockets,
    )  # fmt: skip


def told(name: str, run: Callable[[], float]) -> Callable[[], float]:
    def measured() -> float:
        value = run()
        say(f"   {name}: {value:,.0f}/s")
        return value

    return measured


if __name__ == "__main__":
    main()
