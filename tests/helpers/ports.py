"""Ports that a test may listen on, and nobody else's: no two markets may find themselves on one port.

A market's sockets share a port with whoever asks for it (SO_REUSEPORT, as a rolling restart needs), so two markets
on one port would not fail but take each other's visitors. And what the kernel gives out by itself it may give out again
to any outgoing connection, before the market listens. So each process of tests takes whole blocks of ports below the
kernel's own, and holds the last port of each block bound for as long as it lives.
"""

from __future__ import annotations

import random
import socket

FIRST, END = 21_000, 32_000
BLOCK = 101
"""A hundred ports in a row, and the one that says that they are taken."""

_guards: list[socket.socket] = []
_left: list[int] = []


def free_ports(count: int) -> list[int]:
    """So many ports, each handed out once."""
    while len(_left) < count:
        first = free_ports_in_a_row(BLOCK - 1)
        _left.extend(range(first, first + BLOCK - 1))
    return [_left.pop(0) for _ in range(count)]


def free_ports_in_a_row(count: int) -> int:
    """The first of `count` (at most 100) free ports in a row."""
    assert count < BLOCK
    for first in random.sample(range(FIRST, END - BLOCK, BLOCK), k=(END - BLOCK - FIRST) // BLOCK):
        guard = _bound(first + BLOCK - 1)
        if guard is None:
            continue
        if all(_is_free(port) for port in range(first, first + BLOCK - 1)):
            _guards.append(guard)
            return first
        guard.close()
    raise AssertionError(f"no {count} ports in a row are free between {FIRST} and {END}")


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _is_free(port: int) -> bool:
    probe = _bound(port)
    if probe is None:
        return False
    probe.close()
    return True


def _bound(port: int) -> socket.socket | None:
    probe = socket.socket()
    try:
        probe.bind(("127.0.0.1", port))
    except OSError:
        probe.close()
        return None
    return probe
