"""What the bus loses is read from the database, once for all who read a channel; what comes twice harms nobody."""

from __future__ import annotations

import asyncio
from typing import Any

from livestall.live import MISSED_MAX, Said, Total
from livestall.live.gaps import GRACE_SECONDS


async def test_a_hole_in_the_numbers_is_read_up_once_for_all(wire, get) -> None:
    channel = wire.open(events=1)
    clients = [await wire.join(channel) for _ in range(5)]
    for client in clients:
        await get(client)
    wire._number(channel, "note", {"lost": "on the bus"})
    await wire.say(channel, {"n": 3})
    for client in clients:
        frame = await get(client, lambda m: m.get("from"))
        assert (frame["from"], frame["to"]) == (2, 3)
        assert [event["body"] for event in frame["events"]] == [{"lost": "on the bus"}, {"n": 3}]
    assert wire.shelf.reads == 1


async def test_what_only_came_in_the_wrong_order_is_not_read(wire, get, wait) -> None:
    channel = wire.open(events=1)
    client = await wire.join(channel)
    await get(client)
    late, early = (wire._number(channel, "note", {"n": n}) for n in (2, 3))
    wire.channels.hear(Said([(channel, early)]))
    wire.channels.hear(Said([(channel, late)]))
    frame = await get(client, lambda m: m.get("from"))
    assert [event["seq"] for event in frame["events"]] == [2, 3]
    await asyncio.sleep(GRACE_SECONDS * 2)
    assert wire.shelf.reads == 0


async def test_who_misses_too_much_starts_again_from_a_snapshot(wire, get) -> None:
    channel = wire.open(events=1)
    client = await wire.join(channel)
    await get(client)
    for n in range(MISSED_MAX + 1):
        wire._number(channel, "note", {"n": n})
    await wire.say(channel, {"n": "last"})
    assert (await get(client, lambda m: m["type"] == "snapshot"))["seq"] == MISSED_MAX + 3


async def test_the_last_event_of_all_is_missed_by_nobody(wire, get) -> None:
    """Nothing follows it, so no number jumps: the look at the last numbers finds it. Totals likewise."""
    channel = wire.open(events=1)
    client = await wire.join(channel)
    await get(client)
    wire._number(channel, "note", {"said": "by nobody"})
    wire.shelf.marks[channel], wire.shelf.kept[channel] = 1, {"stock": {"teapot": 7}}
    await wire.channels.gaps.look()
    heard: dict[str, Any] = {}
    while len(heard) < 2:
        frame = await get(client, lambda m: m["type"] == "events")
        heard |= {"events": frame["events"]} if frame["events"] else {}
        heard |= {"stock": frame["totals"]["stock"]} if "stock" in frame.get("totals", {}) else {}
    assert heard["events"][0]["body"] == {"said": "by nobody"}
    assert heard["stock"] == {"teapot": 7}


async def test_totals_that_jump_are_read_anew_and_old_ones_change_nothing(wire, get) -> None:
    channel = wire.open()
    client = await wire.join(channel)
    await get(client)
    wire.shelf.kept[channel] = {"stock": {"teapot": 5, "cup": 9}}
    wire.shelf.marks[channel] = 2
    wire.channels.hear(Said((), [Total(channel, "stock", 5, "teapot")], {channel: 2}))
    frame = await get(client, lambda m: "stock" in m.get("totals", {}))
    assert frame["totals"]["stock"] == {"teapot": 5, "cup": 9}, "the cup's total was in the message that was lost"
    wire.channels.hear(Said((), [Total(channel, "stock", 8, "teapot")], {channel: 1}))
    wire.channels.hear(Said((), [Total(channel, "stock", 4, "teapot")], {channel: 3}))
    frame = await get(client, lambda m: "stock" in m.get("totals", {}))
    assert frame["totals"]["stock"] == {"teapot": 4}


async def test_who_comes_from_a_gateway_that_was_quicker_loses_and_repeats_nothing(wire, get) -> None:
    """Another gateway said number 3 already; here it is still on its way."""
    channel = wire.open(events=1)
    first = await wire.join(channel)
    await get(first)
    for n in (2, 3):
        wire._number(channel, "note", {"n": n})
    second = await wire.join(channel, last_seq=3)
    frame = await get(second)
    assert frame["type"] == "events"
    assert frame["events"] == []
    assert [event["seq"] for event in (await get(first, lambda m: m.get("from")))["events"]] == [2, 3]
