"""The summary of a soak, as docs/soak.md and on the terminal."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os import cpu_count
from pathlib import Path

import msgspec
from invariants import Found
from silent import Silence

PAGE = Path(__file__).parents[2] / "docs" / "soak.md"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of one soak; seconds and MB where the name says so."""

    seconds: int
    line: str
    kills: Mapping[str, int]
    hostile: Mapping[str, int]
    orders: int
    paid: int
    cancelled: int
    retries: int
    refused: Mapping[str, int]
    sales: int
    camera_reconnects: int
    viewers: int
    far: int
    comebacks: int
    gateway_mb: int
    longest_near_seconds: float
    longest_far_seconds: float


def _list(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in sorted(counts.items())) or "none"


def write(run: Run, silence: Silence, found: Sequence[Found]) -> bool:
    """Write the page and say it; returns whether every invariant holds."""
    at = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    rows = [
        ("length of the trouble", f"{run.seconds} s"),
        ("machine", f"{cpu_count()} cores, Linux {platform.release().partition('-')[0]}"),
        ("bad line", run.line),
        ("kill -9", f"{sum(run.kills.values())}: {_list(run.kills)}"),
        ("hostile clients, rounds", _list(run.hostile)),
        ("orders acknowledged", f"{run.orders}, of which {run.paid} were paid and {run.cancelled} cancelled by hand"),
        ("sent again until answered", str(run.retries)),
        ("refused", _list(run.refused)),
        ("flash sales", str(run.sales)),
        ("encoder connected again", str(run.camera_reconnects)),
        ("viewers", f"{run.viewers} near, {run.far} at the end of the bad line; they came back {run.comebacks} times"),
        ("longest time without a room", f"{run.longest_near_seconds:.1f} s near, {run.longest_far_seconds:.1f} s far"),
        ("most memory of a gateway", f"{run.gateway_mb} MB"),
    ]
    good = not any(one.wrong for one in found)
    lines = [
        "# A soak", "",
        "`make soak` runs a show that sells while every process is killed at random, hostile clients come in and a",
        "part of the viewers sits at the end of a bad line. `SOAK_SECONDS=180 make soak` is a short one. This page is",
        f"written by it; the last one ended on {at}.", "",
        "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), "",
        "## Before it, those who never read", "",
        "Sockets that say hello and take in nothing more; two gateways, the settings as they come.", "",
        "| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in silence.rows()), "",
        "## What must hold at the end, exactly", "",
        *(f"- {'✓' if not one.wrong else '✗'} {one.name}{': ' + one.wrong if one.wrong else ''}" for one in found), "",
    ]  # fmt: skip
    PAGE.write_text("\n".join(lines))
    print("\n".join(lines), flush=True)
    return good
