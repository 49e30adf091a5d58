"""The socket: hello, what was missed, commands answered exactly once, and everything that is not a proper client."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import os
import weakref
from typing import Any

import jwt
import pytest
from websockets.exceptions import ConnectionClosed

from helpers.patience import PATIENCE_SECONDS
from livestall.base import clock, ids
from livestall.base.errors import Unavailable
from livestall.live import Said


def command(kind: str = "echo", **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": str(ids.new()), **more}


async def test_hello_brings_the_snapshot_and_then_what_happens(wire, get) -> None:
    channel = wire.open(events=3)
    client = await wire.join(channel)
    snapshot = await get(client)
    assert (snapshot["type"], snapshot["seq"]) == ("snapshot", 3)
    assert "server_time" in snapshot
    await wire.say(channel, {"n": 4})
    events = await get(client, lambda m: m.get("from"))
    assert (events["from"], events["to"], events["events"][0]["body"]) == (4, 4, {"n": 4})


async def test_who_comes_back_gets_what_it_missed_and_no_snapshot(wire, get) -> None:
    channel = wire.open(events=20)
    client = await wire.join(channel, last_seq=15)
    events = await get(client)
    assert (events["type"], events["from"], events["to"]) == ("events", 16, 20)
    assert [one["seq"] for one in events["events"]] == [16, 17, 18, 19, 20]
    assert events["totals"]["likes"] == 0


async def test_who_missed_nothing_gets_the_totals_only(wire, get) -> None:
    channel = wire.open(events=2)
    events = await get(await wire.join(channel, last_seq=2))
    assert (events["type"], events["events"], events.get("from")) == ("events", [], None)


@pytest.mark.parametrize("last_seq", [3, 99_999])
async def test_who_missed_too_much_or_claims_the_future_gets_a_snapshot(wire, get, last_seq: int) -> None:
    channel = wire.open(events=1500)
    message = await get(await wire.join(channel, last_seq=last_seq))
    assert (message["type"], message["seq"]) == ("snapshot", 1500)


async def test_a_thousand_join_and_one_snapshot_is_built(wire, get) -> None:
    channel = wire.open(events=5)
    clients = await asyncio.gather(*[wire.join(channel) for _ in range(200)])
    for message in await asyncio.gather(*[get(client) for client in clients]):
        assert message["seq"] == 5
    assert wire.shelf.loads == 1


async def test_events_said_while_the_snapshot_is_built_follow_it(wire, get, wait) -> None:
    channel = wire.open(events=1)
    wire.shelf.is_away = True
    client = await wire.join(channel)
    await wait(lambda: wire.shelf.loads > 0)
    event = wire._number(channel, "note", {"n": 2})
    wire.channels.hear(Said([(channel, event)]))
    wire.shelf.channels[channel].pop()
    wire.shelf.is_away = False
    assert (await get(client))["seq"] == 1
    assert (await get(client, lambda m: m.get("to") == 2))["events"][0]["body"] == {"n": 2}


async def test_the_snapshot_of_staff_names_their_role(wire, get) -> None:
    channel = wire.open()
    client = await wire.connect(channel, wire.ticket(channel, person=ids.new(), role="host"))
    await client.send('{"type":"hello","last_seq":null}')
    assert (await get(client))["show"]["role"] == "host"


async def test_portable_addresses_become_the_readers_own(wire, get) -> None:
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    await wire.say(channel, {"hls_url": "livestall-media:/media/x/live.m3u8", "text": "a livestall-media: b"})
    body = (await get(client, lambda m: m.get("from")))["events"][0]["body"]
    assert body == {"hls_url": f"http://127.0.0.1:{wire.port}/media/x/live.m3u8", "text": "a livestall-media: b"}


async def test_totals_are_sent_when_they_change_and_the_count_of_viewers_when_its_time_has_come(make_wire, get) -> None:
    quick, slow = await make_wire(), await make_wire(totals_ms=60_000)
    for wire in (quick, slow):
        channel = wire.open()
        first = await wire.join(channel)
        await get(first, lambda m: m.get("totals", {}).get("viewers") == 1)
        for _ in range(2):
            await get(await wire.join(channel))
        if wire is quick:
            await get(first, lambda m: m.get("totals", {}).get("viewers") == 3)
        await wire.total(channel, "stock", 7, "a")
        await wire.total(channel, "stock", 9, "b")
        totals = (await get(first, lambda m: "totals" in m))["totals"]
        assert totals == {"stock": {"a": 7, "b": 9}}, "both at once, and before the viewers whose time has not come"


async def test_events_of_one_tick_come_in_one_message(wire, get) -> None:
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    for n in range(50):
        await wire.say(channel, {"n": n})
    message = await get(client, lambda m: m.get("from"))
    assert (message["from"], message["to"], len(message["events"])) == (1, 50, 50)


async def test_lines_beyond_what_one_can_read_are_counted_not_sent(make_wire, get) -> None:
    wire = await make_wire(lines_per_second=30)
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    for n in range(100):
        await wire.say(channel, {"n": n}, kind="line")
    await wire.say(channel, {"pin": 1}, kind="note")
    message = await get(client, lambda m: m.get("from"))
    lines = [one for one in message["events"] if one["kind"] == "line"]
    assert len(lines) <= 30
    assert message["more_chat"] == 100 - len(lines)
    assert message["to"] == 101
    assert message["events"][-1]["body"] == {"pin": 1}


# ---------------------------------------------------------------- tickets


async def bye_of(client: Any, get: Any) -> dict[str, Any]:
    message = await get(client, lambda m: m["type"] == "bye")
    with pytest.raises(ConnectionClosed):
        while True:
            await client.recv()
    return message


@pytest.mark.parametrize("forge", ["other-channel", "other-secret", "no-signature", "garbage", "empty", "no-expiry"])
async def test_a_wrong_ticket_opens_nothing(wire, get, forge: str) -> None:
    channel = wire.open()
    claims = {"aud": "livestall-socket", "exp": 4e9, "channel": str(channel), "person": None}
    claims |= {"name": "", "locale": "en", "role": "host"}
    header = base64.urlsafe_b64encode(b'{"alg":"none"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    ticket = {
        "other-channel": wire.ticket(wire.open()),
        "other-secret": jwt.encode(claims, "x" * 64, algorithm="HS256"),
        "no-signature": f"{header}.{body}.",
        "garbage": "%00%ff.a.b",
        "empty": "",
        "no-expiry": jwt.encode({k: v for k, v in claims.items() if k != "exp"}, "y" * 64, algorithm="HS256"),
    }[forge]
    bye = await bye_of(await wire.connect(channel, ticket), get)
    assert (bye["code"], bye["retry_seconds"]) == ("wrong-ticket", -1)
    assert wire.shelf.loads == 0


async def test_an_expired_ticket_says_so_in_the_persons_language(wire, get) -> None:
    channel = wire.open()
    ticket = wire.ticket(channel)
    with clock.travel(61):
        client = await wire.connect(channel, ticket, additional_headers={"Accept-Language": "zh-CN"})
        bye = await bye_of(client, get)
    assert (bye["code"], bye["reason"]) == ("ticket-expired", "入场凭证已过期，请重新获取。")


async def test_a_channel_that_is_not_there_is_said_goodbye(wire, get) -> None:
    bye = await bye_of(await wire.join(ids.new()), get)
    assert bye["code"] == "not-found"


# ---------------------------------------------------------------- commands


async def test_each_command_is_answered_exactly_once(wire, get) -> None:
    channel, person = wire.open(), ids.new()
    client = await wire.connect(channel, wire.ticket(channel, person=person))
    await client.send('{"type":"hello"}')
    sent = [command(text=str(n)) for n in range(12)] + [command("no-such"), command("break"), command(text=5)]
    for one in sent:
        await client.send(json.dumps(one))
    answers = [await get(client, lambda m: m["type"] == "answer") for _ in sent]
    assert sorted(one["id"] for one in answers) == sorted(one["id"] for one in sent)
    by_id = {one["id"]: one for one in answers}
    assert by_id[sent[0]["id"]]["result"] == {"text": "0", "person": str(person)}
    codes = [by_id[one["id"]]["error"]["code"] for one in sent[12:]]
    assert codes == ["not-understood", "bug", "not-understood"]
    await client.send('{"type":"ping"}')
    while (message := await get(client))["type"] != "pong":
        assert message["type"] != "answer", "no second answer came"


async def test_a_flood_of_commands_is_answered_not_run_and_at_last_cut_off(make_wire, get) -> None:
    wire = await make_wire(refusals_max=50)
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    sent = [command(text="x") for _ in range(200)]
    for one in sent:
        await client.send(json.dumps(one))
    answered: list[str] = []
    while (message := await get(client))["type"] != "bye":
        if message["type"] == "answer":
            answered.append(message["id"])
    assert message["code"] == "too-fast"
    assert len(answered) == len(set(answered))
    assert len(wire.ran) <= wire.settings.commands_burst + 1


async def test_no_more_commands_are_under_way_than_allowed(wire, get) -> None:
    wire.hold = asyncio.Event()
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    for _ in range(20):
        await client.send(json.dumps(command()))
    refused = [await get(client, lambda m: m["type"] == "answer") for _ in range(4)]
    assert {one["error"]["code"] for one in refused} == {"too-fast"}
    wire.hold.set()
    done = [await get(client, lambda m: m["type"] == "answer") for _ in range(16)]
    assert all(one["ok"] for one in done)


# ---------------------------------------------------------------- garbage


@pytest.mark.parametrize(
    ("message", "close"),
    [
        ("not json", 1008),
        ('{"type":"echo"}', 1008),
        ('{"type":"echo","id":"no uuid"}', 1008),
        ("[" * 10_000, 1008),
        (b"\x00\x01binary", 1003),
        (["in ", "two ", "parts"], 1003),
        ("x" * 20_000, 1009),
    ],
)
async def test_what_is_no_message_closes_with_a_reason(wire, get, message: Any, close: int) -> None:
    channel = wire.open()
    client, neighbour = await wire.join(channel), await wire.join(channel)
    await get(client), await get(neighbour)
    await client.send(message)
    bye = await bye_of(client, get)
    assert bye["reason"]
    assert client.close_code == close
    await wire.say(channel, {"still": "here"})
    assert (await get(neighbour, lambda m: m.get("from")))["to"] == 1


async def test_a_command_before_hello_is_refused(wire, get) -> None:
    client = await wire.connect(wire.open())
    await client.send(json.dumps(command()))
    assert (await bye_of(client, get))["code"] == "not-understood"
    assert wire.ran == []


async def test_a_message_of_fifty_megabytes_is_refused_before_it_is_read(wire, get) -> None:
    channel = wire.open()
    client, neighbour = await wire.join(channel), await wire.join(channel)
    await get(client), await get(neighbour)
    with pytest.raises(ConnectionClosed) as closed:
        await client.send("x" * 50_000_000)
        while True:
            await client.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1009
    await wire.say(channel, {"still": "here"})
    assert (await get(neighbour, lambda m: m.get("from")))["to"] == 1


async def raw(wire: Any, data: bytes, *, upgrade: bool) -> bytes:
    """Send bytes to the port, after a proper upgrade if wanted, and read until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", wire.port)
    if upgrade:
        channel = wire.open()
        key = base64.b64encode(os.urandom(16)).decode()
        writer.write(
            f"GET /{channel}?ticket={wire.ticket(channel)} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        await reader.readuntil(b"\r\n\r\n")
    writer.write(data)
    if not upgrade:
        writer.write_eof()
    async with asyncio.timeout(PATIENCE_SECONDS):
        got = b""
        try:
            while part := await reader.read(65536):
                got += part
        except ConnectionError:
            pass
    writer.close()
    return got


BAD_UTF8 = b'{"type":"hello","x":"\xff\xfe"}'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x81\x05hello", 1002),  # not masked
        (b"\x81" + bytes([0x80 | len(BAD_UTF8)]) + b"\0\0\0\0" + BAD_UTF8, 1007),
        (b"\x81\xff" + (50_000_000).to_bytes(8, "big") + b"\0\0\0\0" + b"x" * 1000, 1009),
        (b"\x83\x80\0\0\0\0", 1002),  # reserved opcode
        (b"\xc1\x80\0\0\0\0", 1002),  # a compressed frame that nobody agreed to
    ],
)
async def test_broken_frames_close_with_their_code(wire, data: bytes, code: int) -> None:
    got = await raw(wire, data, upgrade=True)
    assert b"\x88" in got, "a close frame came"
    at = got.rindex(b"\x88")
    assert int.from_bytes(got[at + 2 : at + 4], "big") == code


@pytest.mark.parametrize(
    "data", [b"\x00" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"POST /x HTTP/1.1\r\nHost: x\r\n\r\n", os.urandom(4000)]
)
async def test_garbage_on_the_port_harms_nobody(wire, get, data: bytes) -> None:
    channel = wire.open()
    neighbour = await wire.join(channel)
    await get(neighbour)
    await raw(wire, data, upgrade=False)
    await wire.say(channel, {"still": "here"})
    assert (await get(neighbour, lambda m: m.get("from")))["to"] == 1


async def test_who_never_says_hello_is_let_go(make_wire, get) -> None:
    wire = await make_wire(hello_seconds=0.2)
    client = await wire.connect(wire.open())
    assert (await bye_of(client, get))["code"] == "not-understood"


async def test_a_half_open_connection_is_found_out(make_wire, get, wait) -> None:
    """It is connected, but gives no sign of life."""
    wire = await make_wire(ping_seconds=0.3)
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)

    client.transport.pause_reading()
    assert len(wire.server.connections) == 1
    await wait(lambda: not wire.server.connections)


# ---------------------------------------------------------------- the database away


async def test_while_the_database_is_away_people_stay_and_newcomers_wait(wire, get) -> None:
    channel, other = wire.open(events=1), wire.open(events=2)
    inside = await wire.join(channel)
    await get(inside)
    wire.shelf.is_away = True
    late = await wire.join(channel)
    assert (await get(late))["seq"] == 1, "the snapshot in memory serves on"
    waiting = await wire.join(other)
    await wire.say(channel, {"n": 2})
    assert (await get(inside, lambda m: m.get("from")))["to"] == 2
    wire.shelf.is_away = False
    assert (await get(waiting))["seq"] == 2


async def test_closing_says_bye_and_when_to_come_back(make_wire, get) -> None:
    wire = await make_wire()
    client = await wire.join(wire.open())
    await get(client)
    await wire.server.close(Unavailable())
    bye = await bye_of(client, get)
    assert 0 < bye["retry_seconds"] <= 2


async def test_who_leaves_leaves_nothing_that_the_collector_must_find(wire, get, wait) -> None:
    """A gateway collects cycles seldom: what hung together kept ten kilobytes of every visit for a long time."""
    channel = wire.open(events=3)
    gc.collect()
    gc.disable()
    try:
        clients = [await wire.join(channel) for _ in range(5)]
        for client in clients:
            await get(client)
        left = [weakref.ref(one) for one in wire.server.connections]
        assert len(left) == 5
        for client in clients:
            await client.close()
        await wait(lambda: not any(one() for one in left))
    finally:
        gc.enable()
