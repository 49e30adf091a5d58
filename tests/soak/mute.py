"""People who enter a room and never read a byte of it: `python mute.py port path count window_bytes first_address`.

`path` carries their ticket. They say "inside" once all are in, and stay until the standard input ends. A window of 0 is
the system's own.
"""

from __future__ import annotations

import resource
import socket
import sys
import time

from helpers.hostile import ask_upgrade, frame

TOGETHER, PAUSE_SECONDS = 75, 0.1
"""So many come at once, and the next so much later: 750 a second."""

HELLO = frame(b'{"type":"hello"}')
ADDRESSES = 8


def dial(port: int, number: int, window_bytes: int, first_address: int) -> socket.socket:
    """Connections come from several addresses of the loopback, each of which has ports enough."""
    sock = socket.socket()
    if window_bytes:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    sock.setsockopt(socket.IPPROTO_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
    sock.bind((f"127.0.{first_address}.{2 + number % ADDRESSES}", 0))
    sock.connect(("127.0.0.1", port))
    return sock


def enter(port: int, path: str, count: int, window_bytes: int, first_address: int) -> list[socket.socket]:
    inside: list[socket.socket] = []
    upgrade = ask_upgrade(path)
    began = time.monotonic()
    while len(inside) < count:
        time.sleep(max(0.0, began + len(inside) / TOGETHER * PAUSE_SECONDS - time.monotonic()))
        coming = [
            dial(port, len(inside) + n, window_bytes, first_address) for n in range(min(TOGETHER, count - len(inside)))
        ]
        for one in coming:
            one.sendall(upgrade)
        for one in coming:
            head = one.recv(4096)  # nothing but the answer comes before the hello
            if b" 101 " not in head:
                raise SystemExit(f"not let in: {head[:200]!r}")
            one.sendall(HELLO)
        inside += coming
    return inside


def main() -> None:
    _, allowed = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, allowed))
    port, path, count, window_bytes, first_address = sys.argv[1:]
    inside = enter(int(port), path, int(count), int(window_bytes), int(first_address))
    print("inside", flush=True)
    sys.stdin.read()
    for one in inside:
        one.close()


if __name__ == "__main__":
    main()
