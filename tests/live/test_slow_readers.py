"""A slow viewer slows no one, and what waits for it is bounded (invariant 6)."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from typing import Any

from livestall.base import ids

KIB = "x" * 1024


async def stalled(wire: Any, channel: Any) -> socket.socket:
    """A viewer who said hello and then reads nothing, with a small window of its own."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
    sock.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(sock, ("127.0.0.1", wire.port))
    key = base64.b64encode(os.urandom(16)).decode()
    await loop.sock_sendall(
        sock,
        f"GET /{channel}?ticket={wire.ticket(channel)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode(),
    )
    await loop.sock_recv(sock, 1024)
    hello = b'{"type":"hello"}'
    await loop.sock_sendall(sock, b"\x81" + bytes([0x80 | len(hello)]) + b"\0\0\0\0" + hello)
    return sock


async def test_stalled_viewers_are_skipped_then_cut_off_and_the_others_get_everything(make_wire, get, wait) -> None:
    wire = await make_wire(tick_ms=10, stalled_seconds=1.5, send_buffer_bytes=16_384)
    channel = wire.open()
    good = [await wire.join(channel) for _ in range(20)]
    for client in good:
        await get(client)
    bad = [await stalled(wire, channel) for _ in range(5)]
    await wait(lambda: len(wire.channels.get(channel).readers) == 25)

    async def read_all(client: Any) -> list[int]:
        seen: list[int] = []
        while len(seen) < 200:
            message = await get(client)
            seen += [one["seq"] for one in message.get("events", [])]
        return seen

    reading = [asyncio.create_task(read_all(client)) for client in good]
    for n in range(200):
        await wire.say(channel, {"n": n, "pad": KIB * 4})
        await asyncio.sleep(0.005)
        waiting = [reader.transport.get_write_buffer_size() for reader in wire.channels.get(channel).readers]
        assert max(waiting) < 2 * 65_536, "what waits for anybody is bounded"
    for seen in await asyncio.gather(*reading):
        assert seen == list(range(1, 201))
    await wait(lambda: wire.hub.cut == 5)
    assert wire.hub.dropped > 0
    await wait(lambda: len(wire.channels.get(channel).readers) == 20)
    for sock in bad:
        sock.close()


async def test_who_fell_behind_and_drains_is_brought_up_to_date(make_wire, get, wait) -> None:
    wire = await make_wire(tick_ms=10, stalled_seconds=30, send_buffer_bytes=16_384)
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    client.transport.pause_reading()
    reader = next(iter(wire.channels.get(channel).readers))
    said = 0
    while reader.missed_from is None:
        said = await wire.say(channel, {"pad": KIB * 16})
        await asyncio.sleep(0.011)
    for _ in range(8):
        said = await wire.say(channel, {"pad": KIB * 16})
        await asyncio.sleep(0.015)
    client.transport.resume_reading()
    known, snapshots = 0, 0
    while known < said:  # by a snapshot, or two if the line took a little in between, and events from there on
        message = await get(client)
        if message["type"] == "snapshot":
            known, snapshots = message["seq"], snapshots + 1
        elif "from" in message:
            assert message["from"] == known + 1
            known = message["to"]
    assert snapshots >= 1
    await wire.say(channel, {"n": "after"})
    assert (await get(client, lambda m: m.get("to") == said + 1))["events"][-1]["body"] == {"n": "after"}


async def test_who_missed_little_is_sent_the_little_it_missed(make_wire, get, wait) -> None:
    """On a slow line a snapshot for every hiccup would be what keeps the line busy."""
    wire = await make_wire(tick_ms=10, stalled_seconds=30, send_buffer_bytes=16_384)
    wire.shelf.padding = KIB * 2000
    channel = wire.open()
    client = await wire.join(channel)
    client.transport.pause_reading()
    await wait(lambda: bool(wire.channels.get(channel) and wire.channels.get(channel).readers))
    reader = next(iter(wire.channels.get(channel).readers))
    await wait(lambda: reader.behind)
    for n in range(5):
        await wire.say(channel, {"n": n})
        await asyncio.sleep(0.02)
    assert reader.missed_from == 0
    client.transport.resume_reading()
    assert (await get(client))["type"] == "snapshot"
    messages: list[dict[str, Any]] = []
    while not messages or messages[-1].get("to") != 5:
        messages.append(await get(client))
    assert {m["type"] for m in messages} == {"events"}
    assert [e["seq"] for m in messages for e in m["events"]] == [1, 2, 3, 4, 5]
    assert wire.shelf.loads == 1


async def test_who_sends_commands_and_reads_no_answers_is_cut_off(make_wire, get, wait) -> None:
    wire = await make_wire(
        commands_per_second=100_000, commands_burst=100_000, commands_waiting=100_000, send_buffer_bytes=16_384
    )
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    client.transport.pause_reading()
    for _ in range(2000):
        if wire.hub.cut:
            break
        await client.send(json.dumps({"type": "echo", "id": str(ids.new()), "text": KIB * 8}))
        await asyncio.sleep(0)
    await wait(lambda: wire.hub.cut == 1)
