"""Two or three gateways over one database and a real Redis: one room, whatever happens to the bus between them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import UUID

import pytest
from redis.asyncio import Redis

from helpers.gateways import House, Viewer, numbered, same_everywhere, until
from helpers.redis_server import RedisServer, redis_running
from livestall import catalog, chat, stock
from livestall.base import ids
from livestall.base.db import Database
from livestall.chat.actions import set_mode
from livestall.live import store
from livestall.live.bus import peers
from livestall.rooms import Listing
from livestall.rooms.actions import set_tray


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    with redis_running() as server:
        yield server


@pytest.fixture
async def house(db: Database) -> AsyncIterator[House]:
    one = House(db)
    yield one
    await one.close()


async def two_rooms_full(house: House, stage: Any, url: str, gateways: int = 2) -> tuple[UUID, list[Viewer], int]:
    """A live show with a person at every gateway who may talk."""
    await house.open(url, gateways)
    show_id = await stage.show(await stage.host())
    await numbered(house.db, show_id)
    people = [await house.enter(show_id, at, await stage.person(f"P{at}")) for at in range(gateways)]
    return show_id, people, await numbered(house.db, show_id)


async def test_everybody_on_every_gateway_is_told_the_same(redis, house, stage) -> None:
    show_id, people, since = await two_rooms_full(house, stage, redis.url, 3)
    await house.meet()
    answers = await asyncio.gather(*(one.ask("chat", text=f"{n} says hello") for n, one in enumerate(people)))
    assert all(answer["ok"] for answer in answers)
    await same_everywhere(house, show_id, since)
    assert sorted(people[0].lines) == ["0 says hello", "1 says hello", "2 says hello"]
    assert all(one.snapshots == 1 for one in people)


async def test_slow_mode_holds_across_gateways(redis, house, stage) -> None:
    host = await stage.host()
    await house.open(redis.url)
    show_id, person = await stage.show(host), await stage.person()
    async with house.db.write() as tx:
        await set_mode(tx, host, show_id, chat.ChatMode(slow_seconds=30))
    first, second = await house.enter(show_id, 0, person), await house.enter(show_id, 1, person)
    assert (await first.ask("chat", text="once"))["ok"]
    refused = await second.ask("chat", text="and again, at the other door")
    assert refused["error"]["status"] == 429


async def test_redis_is_killed_in_the_middle_and_comes_back(redis, house, stage) -> None:
    show_id, people, since = await two_rooms_full(house, stage, redis.url)
    await house.meet()
    assert (await people[0].ask("chat", text="before"))["ok"]
    redis.kill()
    assert (await people[1].ask("chat", text="without a bus"))["ok"], "commands do not need it"
    await same_everywhere(house, show_id, since)
    redis.start()
    await house.meet()
    assert (await people[0].ask("chat", text="after"))["ok"]
    await same_everywhere(house, show_id, since)
    assert people[0].lines == people[1].lines == ["before", "without a bus", "after"]
    assert all(one.snapshots == 1 for one in people), "nobody had to start again"


async def test_a_redis_that_was_never_there_makes_rooms_slower_and_not_wrong(house, stage) -> None:
    show_id, people, since = await two_rooms_full(house, stage, "redis://127.0.0.1:1/0")
    for n in range(3):
        assert (await people[n % 2].ask("chat", text=str(n)))["ok"]
        await same_everywhere(house, show_id, since)
    assert people[0].lines == ["0", "1", "2"]
    await until(lambda: all(one.totals["viewers"] == 2 for one in people))
    assert (await people[0].ask("like", count=5))["ok"]
    await until(lambda: people[1].totals["likes"] == 5)


async def test_a_gateway_killed_between_commit_and_telling_is_made_up_for(redis, house, stage) -> None:
    show_id, people, since = await two_rooms_full(house, stage, redis.url, 3)
    await house.meet()
    leads = house.gateways[0]
    assert leads.peers.leads

    crashes: list[asyncio.Task[None]] = []
    dies = asyncio.Event()

    async def dead(_said: Any) -> None:
        crashes.append(asyncio.create_task(house.crash(0)))
        dies.set()
        await asyncio.Event().wait()

    async def is_late() -> bool:
        """The others look now and then too; here they come to it when the one that leads is dead."""
        await dies.wait()
        return False

    leads.bus.publish = dead  # type: ignore[method-assign]
    for other in house.gateways[1:]:
        step = other.projector.step
        other.projector.step = lambda step=step: step() if dies.is_set() else is_late()  # type: ignore[method-assign]
    assert (await people[1].ask("chat", text="numbered, and told to nobody"))["ok"]
    await until(lambda: leads not in house.gateways)
    house.viewers.remove(people[0])
    await same_everywhere(house, show_id, since)
    assert people[1].lines == people[2].lines == ["numbered, and told to nobody"]
    assert (await people[2].ask("chat", text="and on it goes"))["ok"]
    await same_everywhere(house, show_id, since)
    back = await house.enter(show_id, 0, await stage.person(), last_seq=since)
    await until(lambda: back.lines == people[1].lines)
    assert back.snapshots == 0


async def test_viewers_are_added_up_and_a_dead_gateway_counts_no_more(monkeypatch, redis, house, stage) -> None:
    monkeypatch.setattr(store, "GATEWAY_SILENT_SECONDS", 3.0)
    monkeypatch.setattr(peers, "FORGET_SECONDS", 2.0)
    show_id, people, _ = await two_rooms_full(house, stage, redis.url, 3)
    more = [await house.enter(show_id, 2) for _ in range(2)]
    await until(lambda: all(one.totals["viewers"] == 5 for one in [*people, *more]))
    await more[0].close()
    await until(lambda: all(one.totals["viewers"] == 4 for one in people))
    await house.crash(2)
    await until(lambda: all(one.totals["viewers"] == 2 for one in people[:2]))

    async def kept() -> bool:
        async with house.db.read() as read:
            row = await read.fetchrow("select viewers, viewers_peak from show where id = $1", show_id)
            return row is not None and (row["viewers"], row["viewers_peak"]) == (2, 5)

    await until(kept)


async def test_likes_are_counted_once_on_whatever_gateway(redis, house, stage) -> None:
    show_id, people, _ = await two_rooms_full(house, stage, redis.url)
    await house.meet()
    command_id = str(ids.new())
    assert (await people[0].ask("like", count=7))["result"]["likes"] == 7
    first = await people[0].ask("like", id=command_id, count=3)
    again = await people[1].ask("like", id=command_id, count=3)
    assert (first["result"]["likes"], again["result"]["likes"]) == (10, 10)
    other = await people[1].ask("like", id=command_id, count=4)
    assert other["error"]["status"] == 409, "the same id with other contents is an error of its own"
    await asyncio.gather(*(people[n % 2].ask("like", count=1) for n in range(20)))
    await until(lambda: all(one.totals["likes"] == 30 for one in people))
    async with house.db.read() as read:
        assert await read.fetchval("select likes from show where id = $1", show_id) == 30, (
            "already, not some time later"
        )


async def test_garbage_and_forgeries_on_the_bus_change_nothing(redis, house, stage) -> None:
    show_id, people, since = await two_rooms_full(house, stage, redis.url)
    await house.meet()
    assert (await people[0].ask("chat", text="real"))["ok"]
    await same_everywhere(house, show_id, since)
    topic = house.gateways[0].bus._topic  # type: ignore[union-attr]
    forged = json.dumps({"sender": str(ids.new()), "number": 9, "body": {"type": "said", "totals": [
        [str(show_id), "likes", 10**9, None]], "events": [], "marks": {}}}).encode()  # fmt: skip
    heard: list[bytes] = []
    async with Redis.from_url(redis.url) as stranger:
        ears = stranger.pubsub()
        await ears.subscribe(topic)
        await ears.get_message(timeout=2)
        assert (await people[1].ask("like", count=2))["ok"]
        while b'"likes"' not in (heard[-1] if heard else b""):
            message = await ears.get_message(timeout=2)
            heard += [message["data"]] if message else []
        for data in (b"", b"\xff" * 100, b"0" * 64 + forged, b"0" * 64, heard[-1], heard[-1][:64] + forged):
            await stranger.publish(topic, data)
        await ears.aclose()
    assert (await people[1].ask("chat", text="still real"))["ok"]
    await same_everywhere(house, show_id, since)
    await until(lambda: people[0].totals["likes"] == people[1].totals["likes"] == 2)
    assert all(one.bus.is_up for one in house.gateways)


async def test_totals_that_were_lost_are_right_a_moment_later(redis, house, stage) -> None:
    """Stock is told as totals, which no later number would bring back."""
    await house.open(redis.url)
    host = await stage.host()
    show_id = await stage.show(host)
    seller_id, variant_id = ids.new(), ids.new()
    draft = catalog.ProductDraft(
        ids.new(), "Teapot", [catalog.VariantDraft(variant_id, {"Colour": "Red"}, 12_900)],
        state=catalog.ProductState.active, options=[catalog.OptionAxis("Colour", ["Red"])],
    )  # fmt: skip
    async with house.db.write() as tx:
        await tx.execute(
            "insert into seller (id, name, state, applied_by, created_at) values ($1, 'Kiln', 'approved', $2, now())",
            seller_id, host.user_id,
        )  # fmt: skip
        product = await catalog.create_product(tx, seller_id, draft, "CNY")
        await set_tray(tx, host, show_id, [Listing(ids.new(), show_id, product.id, seller_id, 1, None, {})])
        await stock.receive(tx, [stock.OnHand(variant_id, seller_id, 20)])
    await numbered(house.db, show_id)
    people = [await house.enter(show_id, at) for at in range(2)]
    assert all(one.totals["stock"] == {str(variant_id): 20} for one in people)

    async def lost(_said: Any) -> None:
        raise ConnectionError("lost on the way")

    for gateway in house.gateways:
        gateway.bus.publish = lost  # type: ignore[method-assign]
    async with house.db.write() as tx:
        await stock.receive(tx, [stock.OnHand(variant_id, seller_id, 3)])
    await until(lambda: all(one.totals["stock"] == {str(variant_id): 3} for one in people))
