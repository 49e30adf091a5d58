"""A bad line: a network namespace whose link to this machine loses and delays packets.

`netem` where the kernel has it. Else nftables drops so many of a hundred packets at random, both ways, a token bucket
queues what is left, and the far clients' traffic goes through a relay that delays it (see `far.Relay`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

HERE, THERE = "10.231.77.1", "10.231.77.2"
RATE = "20mbit"


class Line(msgspec.Struct, frozen=True):
    """`namespace` is what `ip netns exec` takes; `host` reaches this machine from there."""

    namespace: str
    host: str
    how: str
    relay_delay_ms: int


def _run(*command: str, check: bool = True) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.returncode == 0


@contextmanager
def bad_line(loss_percent: int, delay_ms: int) -> Iterator[Line]:
    """The namespace, while the block lasts. Needs root, iproute2 and nftables."""
    name = f"soak{os.getpid() % 10_000}"
    here, there = f"{name}h", f"{name}t"
    _run("ip", "netns", "add", name)
    try:
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", name)
        _run("ip", "addr", "add", f"{HERE}/30", "dev", here)
        _run("ip", "link", "set", here, "up")
        inside = ["ip", "netns", "exec", name]
        for command in (
            ["ip", "addr", "add", f"{THERE}/30", "dev", there],
            ["ip", "link", "set", there, "up"],
            ["ip", "link", "set", "lo", "up"],
        ):
            _run(*inside, *command)
        yield _spoil(inside, name, there, loss_percent, delay_ms)
    finally:
        _run("ip", "netns", "del", name, check=False)
        _run("ip", "link", "del", here, check=False)


def _spoil(inside: list[str], name: str, there: str, loss_percent: int, delay_ms: int) -> Line:
    netem = ["tc", "qdisc", "add", "dev", there, "root", "netem", "delay", f"{delay_ms}ms", f"{delay_ms // 3}ms",
             "loss", f"{loss_percent}%"]  # fmt: skip
    if _run(*inside, *netem, check=False):
        return Line(name, HERE, f"netem, {loss_percent} % loss and {delay_ms} ms one way", 0)
    drop = f"numgen random mod 100 < {loss_percent} drop"
    rules = f"""table inet soak {{
        chain in {{ type filter hook input priority 0; iifname "{there}" {drop}; }}
        chain out {{ type filter hook output priority 0; oifname "{there}" {drop}; }}
    }}"""
    subprocess.run([*inside, "nft", "-f", "-"], input=rules, text=True, capture_output=True, check=True)
    _run(
        *inside, "tc", "qdisc", "add", "dev", there, "root", "tbf", "rate", RATE, "burst", "32kbit", "latency", "400ms"
    )
    how = (
        f"this kernel has no netem: nftables drops {loss_percent} of 100 packets each way, a token bucket of {RATE}, "
        f"and a relay that delays by {delay_ms} ms each way"
    )
    return Line(name, HERE, how, delay_ms)
