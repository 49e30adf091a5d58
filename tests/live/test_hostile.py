"""Hostile and broken clients by the thousand: what they cost is bounded, and their neighbours notice nothing."""

from __future__ import annotations

import asyncio
import json
import resource
from typing import Any

import pytest

from helpers.hostile import Bare, frame, request
from livestall.base import ids
from livestall.live import Caller, Tickets

SILENT = 2000
"""To wait for them, who never read, would take more than an hour: longer than a test's patience."""


def files(count: int) -> None:
    """Let this process open so many files, if the system allows it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count <= hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < count:
        pytest.skip(f"needs {count} open files")


async def listen(client: Any, get: Any, last: int, seen: list[int]) -> list[int]:
    """The numbers a good viewer hears until `last`, kept in `seen`."""
    while not seen or seen[-1] < last:
        message = await get(client)
        if message.get("events"):
            seen += [one["seq"] for one in message["events"]]
    return seen


async def test_thousands_who_never_read_cost_a_bounded_memory_and_nobody_waits(make_wire, get, wait) -> None:
    files(2 * SILENT + 500)
    wire = await make_wire(
        tick_ms=20, stalled_seconds=2, send_buffer_bytes=8192, buffer_bytes=16_384, connections=10_000
    )
    channel = wire.open()
    good = [await wire.join(channel) for _ in range(5)]
    for client in good:
        await get(client)
    bad = [Bare(window_bytes=4096) for _ in range(SILENT)]
    for start in range(0, SILENT, 200):
        await asyncio.gather(*(one.join(wire, channel) for one in bad[start : start + 200]))
    await wait(lambda: len(wire.channels.get(channel).readers) == SILENT + 5)
    said = 40
    heard: list[list[int]] = [[] for _ in good]
    hearing = [asyncio.create_task(listen(client, get, said, seen)) for client, seen in zip(good, heard, strict=True)]
    most = 0
    for n in range(said):
        await wire.say(channel, {"n": n, "pad": "x" * 4096})
        await wait(lambda n=n: all(len(seen) > n for seen in heard))
        waiting = [one.transport.get_write_buffer_size() for one in wire.channels.get(channel).readers]
        most = max(most, sum(waiting))
        assert max(waiting) <= wire.settings.buffer_bytes + 16_384, "what waits for one is bounded"
    for seen in await asyncio.gather(*hearing):
        assert seen == list(range(1, said + 1)), "the others hear everything, in order"
    assert most <= SILENT * 32_768, f"{most} bytes wait in all"
    await wait(lambda: len(wire.channels.get(channel).readers) == 5)
    assert wire.hub.cut == SILENT
    for one in bad:
        one.close()


async def test_ten_thousand_commands_a_second_are_paced_refused_and_closed(make_wire, get, wait) -> None:
    wire = await make_wire(tick_ms=20)
    channel = wire.open()
    neighbour = await wire.join(channel)
    await get(neighbour)
    flooders = [await Bare().join(wire, channel) for _ in range(5)]
    command = frame(json.dumps({"type": "echo", "id": str(ids.new()), "text": "x"}).encode())
    done = asyncio.Event()

    async def flood(one: Bare) -> bytes:
        """Reads as quickly as it writes: only its pace is wrong."""
        reading = asyncio.create_task(one.read_all())
        try:
            while not reading.done():
                await one.send(command * 200)
                await asyncio.sleep(0.02)
        except ConnectionError:
            pass
        return await reading

    async def talk() -> None:
        while not done.is_set():
            await wire.say(channel)
            await asyncio.sleep(0.02)

    talking = asyncio.create_task(talk())
    hearing = asyncio.create_task(listen(neighbour, get, 30, []))
    for got in await asyncio.gather(*(flood(one) for one in flooders)):
        assert got.count(b'"too-fast"') > wire.settings.refusals_max
        assert b'"type":"bye"' in got
    seen = await hearing
    done.set()
    await talking
    assert seen[:30] == list(range(1, 31))
    assert len(wire.ran) <= 5 * (wire.settings.commands_burst + 2), "hardly any was run"
    await wait(lambda: len(wire.channels.get(channel).readers) == 1)


async def test_pings_are_answered_at_a_human_pace_and_pile_up_for_nobody(make_wire, get, wait) -> None:
    wire = await make_wire(send_buffer_bytes=8192)
    channel = wire.open()
    polite = await wire.join(channel)
    await get(polite)
    await (await polite.ping())
    rude = await Bare(window_bytes=4096).join(wire, channel)
    await wait(lambda: len(wire.channels.get(channel).readers) == 2)
    reader = next(one for one in wire.channels.get(channel).readers if one.transport.get_extra_info("peername")[1]
                  == rude.sock.getsockname()[1])  # fmt: skip
    most = 0
    try:
        for _ in range(100):
            await rude.send(frame(b"p" * 125, opcode=9) * 100)
            most = max(most, reader.transport.get_write_buffer_size())
            await asyncio.sleep(0)
    except ConnectionError:
        pass
    assert most < 32_768
    await wait(lambda: len(wire.channels.get(channel).readers) == 1)
    rude.close()


async def test_upgrades_that_never_finish_are_few_and_short(make_wire, get, wait) -> None:
    """Slowloris: a header dribbled in for ever. The oldest makes room, all are gone after their time."""
    files(1500)
    wire = await make_wire(upgrade_seconds=1.5, upgrades_waiting=50)
    slow: list[Bare] = []
    for n in range(400):
        one = await Bare().connect(wire.port)
        await one.send(b"GET /x HTTP/1.1\r\nX-Slow: " if n % 2 else b"")
        slow.append(one)
        if n % 50 == 49:  # honest people come in between
            channel = wire.open()
            client = await wire.join(channel)
            assert (await get(client))["type"] == "snapshot"
    await wait(lambda: len(wire.server.doorstep) <= 50 and wire.server.doorstep.hung_up >= 300)
    for _ in range(3):
        for one in slow:
            try:
                await one.send(b"a")
            except OSError:
                continue
    await wait(lambda: len(wire.server.doorstep) == 0)
    for one in slow:
        assert await one.read() == b"", "hung up"
        one.close()


async def test_a_header_without_end_is_cut_off(wire, wait) -> None:
    endless = await Bare().connect(wire.port)
    with pytest.raises(ConnectionError):
        for _ in range(200):
            await endless.send(b"X-Long: " + b"a" * 4000 + b"\r\n" if _ else b"GET /x HTTP/1.1\r\n")
            await asyncio.sleep(0.005)
    assert len(wire.server.doorstep) == 0
    endless.close()


async def test_fragments_without_end_are_refused_at_the_first(wire, get) -> None:
    channel = wire.open()
    neighbour = await wire.join(channel)
    await get(neighbour)
    one = await Bare().join(wire, channel)
    reading = asyncio.create_task(one.read_all())
    sent = 0
    try:
        for n in range(500):
            await one.send(frame(b"x" * 1000, opcode=0 if n else 1, fin=False))
            sent += 1
            await asyncio.sleep(0.005)
    except ConnectionError:
        pass
    assert sent < 500, "hung up long before"
    assert (1003).to_bytes(2, "big") in await reading
    await wire.say(channel)
    assert (await get(neighbour, lambda m: m.get("from")))["to"] == 1
    one.close()


async def test_a_frame_that_is_never_finished_is_let_go(make_wire, wait) -> None:
    """Half a frame before hello: the time to say hello runs out; a neighbour's half frame is no sign of life either."""
    wire = await make_wire(hello_seconds=0.5)
    one = await Bare().join(wire, wire.open(), hello=False)
    await one.send(frame(b"x" * 8000)[:4000])
    await wait(lambda: len(wire.server.connections) == 1)
    assert b"hello" in await one.read_all()
    await wait(lambda: not wire.server.connections)
    one.close()


async def test_connects_in_a_row_beyond_the_limit_get_a_polite_answer_with_a_time(make_wire, get, wait) -> None:
    files(3000)
    wire = await make_wire(connections=20, hello_seconds=30)
    channel = wire.open()
    inside = [await wire.join(channel) for _ in range(20)]
    for client in inside:
        await get(client)

    async def knock() -> bytes:
        one = await Bare().connect(wire.port)
        await one.send(request(f"/{channel}", wire.ticket(channel)))
        got = await one.read_all()
        one.close()
        return got

    answers: list[bytes] = []
    for _ in range(10):
        answers += await asyncio.gather(*(knock() for _ in range(100)))
    told = [got for got in answers if b'"code":"too-many"' in got]
    assert len(told) == 1000
    delays = {json.loads(got[got.index(b'{"type":"bye"') : got.rindex(b"}") + 1])["retry_seconds"] for got in told}
    assert min(delays) >= 5
    assert len(delays) > 10, "they come back spread over time"
    await wire.say(channel)
    for client in inside:
        assert (await get(client, lambda m: m.get("from")))["to"] == 1
    await wait(lambda: len(wire.server.connections) == 20)


async def test_far_beyond_the_limit_the_doorstep_hangs_up_at_once(make_wire, get, wait, monkeypatch: Any) -> None:
    monkeypatch.setattr("livestall.live.upgrades.OVER_LIMIT", 0)
    wire = await make_wire(connections=2)
    channel = wire.open()
    inside = [await wire.join(channel) for _ in range(2)]
    for client in inside:
        await get(client)
    one = await Bare().connect(wire.port)
    assert await one.read() == b""
    one.close()
    assert wire.server.doorstep.hung_up == 1
    inside[0].transport.abort()
    await wait(lambda: len(wire.server.connections) == 1)
    assert (await get(await wire.join(channel)))["type"] == "snapshot"


async def test_a_broken_command_is_told_what_is_wrong_in_the_persons_language(wire, get) -> None:
    channel = wire.open()
    ticket, _ = Tickets().issue(Caller(channel, None, "安", "zh", "viewer"))
    client = await wire.connect(channel, ticket)
    await client.send('{"type":"hello"}')
    await client.send(json.dumps({"type": "echo", "id": str(ids.new()), "text": 5}))
    answer = await get(client, lambda message: message["type"] == "answer")
    assert (answer["error"]["code"], answer["error"]["detail"]) == (
        "not-understood", "无法识别该消息：text 必须是文字，不能是整数",
    )  # fmt: skip
