"""A viewer whose line goes dead: no FIN, no reset, nothing. In a network namespace whose link is taken down."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

HERE, THERE = "10.231.78.1", "10.231.78.2"
CLIENT = """
import socket, sys
sock = socket.create_connection((sys.argv[1], int(sys.argv[2])))
sock.sendall(sys.stdin.buffer.readline().strip().decode("unicode_escape").encode("latin-1"))
print("sent", flush=True)
while sock.recv(65536): pass
"""


def run(*command: str) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.fixture
def namespace() -> Iterator[str]:
    if shutil.which("ip") is None or os.geteuid() != 0:
        pytest.skip("needs root and iproute2")
    name = f"half{os.getpid() % 10_000}"
    if not run("ip", "netns", "add", name):
        pytest.skip("this machine makes no network namespaces")
    try:
        assert run("ip", "link", "add", f"{name}h", "type", "veth", "peer", "name", f"{name}t", "netns", name)
        assert run("ip", "addr", "add", f"{HERE}/30", "dev", f"{name}h")
        assert run("ip", "link", "set", f"{name}h", "up")
        assert run("ip", "-n", name, "addr", "add", f"{THERE}/30", "dev", f"{name}t")
        assert run("ip", "-n", name, "link", "set", f"{name}t", "up")
        yield name
    finally:
        run("ip", "netns", "del", name)
        run("ip", "link", "del", f"{name}h")


async def test_a_line_that_goes_dead_is_found_by_the_missing_pong_and_freed(
    make_wire: Any, get: Any, wait: Any, namespace: str
) -> None:
    from helpers.hostile import frame, request

    wire = await make_wire(ping_seconds=0.5, stalled_seconds=600)
    port = await wire.server.start(HERE, 0)  # the same server, reached from the namespace, too
    channel = wire.open()
    neighbour = await wire.join(channel)
    await get(neighbour)
    process = await asyncio.create_subprocess_exec(
        "ip", "netns", "exec", namespace, sys.executable, "-c", CLIENT, HERE, str(port),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        sent = request(f"/{channel}", wire.ticket(channel)) + frame(b'{"type":"hello"}')
        process.stdin.write("".join(f"\\x{byte:02x}" for byte in sent).encode() + b"\n")
        assert await process.stdout.readline() == b"sent\n"
        await wait(lambda: len(wire.channels.get(channel).readers) == 2)
        assert run("ip", "link", "set", f"{namespace}h", "down")
        for _ in range(20):
            await wire.say(channel)
        await wait(lambda: len(wire.channels.get(channel).readers) == 1)
        assert len(wire.server.connections) == 1
        assert (await get(neighbour, lambda m: m.get("to") == 20))["type"] == "events"
    finally:
        process.kill()
        await process.wait()
