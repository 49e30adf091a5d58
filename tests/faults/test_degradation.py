"""The degradation contract: in a running show each plane is taken away for some seconds. What still works, what the
viewer is told, and how soon it heals by itself. The same table stands in docs/degradation.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from helpers.faults import kept_down
from helpers.market import Cast, Pusher, Served, in_thread, seed, until
from helpers.patience import slowness
from helpers.redis_server import RedisServer
from helpers.rooms import AWAY, Picture, Viewer
from livestall.app.demo.client import Door, Json, Person, Refused, Socket
from livestall.base import ids

TOLD_SECONDS, HEALED_SECONDS = 5, 20
"""On a quiet machine."""

VIEWERS = 3


class Evening:
    """A market with a show on air, whose people any test may play."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.show: Json = {}
        self.cast: Cast | None = None
        self.pusher: Pusher | None = None

    def prepare(self) -> None:
        async def run() -> None:
            async with Door(self.served.base) as door:
                self.cast = cast = await seed(door, self.served.first_run_token, products=1, on_hand=5000)
                show = await cast.live_show()
                self.pusher = await cast.push(show["id"])
                self.show = await cast.go_live(show["id"])

        in_thread(run)

    def stop(self) -> None:
        if self.pusher is not None:
            self.pusher.stop()


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    server = RedisServer().start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def evening(redis: RedisServer) -> Iterator[Evening]:
    served = Served(rooms__grace_seconds=60, bus_url=redis.url, live__processes=2, secret="5e" * 32)
    try:
        served.start()
        stage = Evening(served)
        try:
            stage.prepare()
            yield stage
        finally:
            stage.stop()
    finally:
        served.stop()
        served.remove()


class Room:
    """The room as a test sees it: viewers, a buyer, the picture."""

    def __init__(self, evening: Evening, cast: Cast, door: Door) -> None:
        self.cast, self.door, self.served = cast, door, evening.served
        self.show_id = evening.show["id"]
        self.picture = Picture(door.session, evening.show["playback"]["hls_url"])
        self.viewers: list[Viewer] = []
        self.buyer = Person(door)
        self.line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}

    async def order(self) -> Json:
        """Over HTTP. Raises Refused and what aiohttp raises."""
        return await self.buyer.post("/api/orders", {"id": ids.new(), "show_id": self.show_id, "lines": [self.line]})

    async def picture_moves(self) -> None:
        """Two more segments than now can be fetched."""
        first = await self.picture.loads()

        async def later() -> bool:
            return await self.picture.loads() >= first + 2

        await until(later, what="two more segments")

    async def all_hear(self, text: str) -> None:
        async def heard() -> bool:
            return all(one.said(text) for one in self.viewers)

        await until(heard, what=f"everybody hearing {text!r}")

    async def healed(self) -> float:
        """Seconds until an order, a chat line and every viewer are there again, and health says that all is up."""
        began = time.monotonic()

        wrong: object = None

        async def well() -> bool:
            nonlocal wrong
            try:
                health = await self.cast.operator.get("/api/operator/health")
                await self.order()
            except (*AWAY, Refused) as error:
                wrong = error
                return False
            wrong = health
            return health["drift"] == 0 and all(one["state"] == "up" for one in health["planes"])

        try:
            await until(well, HEALED_SECONDS * slowness(), "health")
        except AssertionError as error:
            raise AssertionError(f"not healed: {wrong!r}") from error

        async def inside() -> bool:
            return all(one.is_inside and not one.paused for one in self.viewers)

        await until(inside, HEALED_SECONDS * slowness(), "every viewer back")
        text = f"still here {ids.new().hex[:8]}"
        socket = await Socket(self.buyer, self.show_id).open()
        await socket.chat(text)
        await socket.close()
        await self.all_hear(text)
        assert [one.gaps for one in self.viewers] == [[]] * VIEWERS, "nothing was missed"
        return time.monotonic() - began


@asynccontextmanager
async def room_of(evening: Evening) -> AsyncIterator[Room]:
    async with Door(evening.served.base) as door:
        assert evening.cast is not None
        await until(lambda: asyncio.to_thread(evening.served.healthy), what="the database being back")
        room = Room(evening, evening.cast.at(door), door)
        room.buyer = await room.cast.buyer()
        room.viewers = [Viewer(await room.cast.buyer(f"Viewer {n}"), room.show_id).start() for n in range(VIEWERS)]
        try:
            await room.healed()
            yield room
        finally:
            await asyncio.gather(*(one.stop() for one in room.viewers))


@pytest.fixture
async def room(evening: Evening) -> AsyncIterator[Room]:
    async with room_of(evening) as one:
        yield one


async def refusal_of(work: Any) -> Refused:
    with pytest.raises(Refused) as told:
        await work
    return told.value


async def test_without_the_database_the_picture_goes_on_and_the_room_is_told_that_buying_waits(room: Room) -> None:
    inside = [one.socket for one in room.viewers]
    with kept_down(room.served, "postgres"):

        async def told() -> bool:
            return all(one.paused for one in room.viewers)

        await until(told, TOLD_SECONDS * slowness(), "being told that buying is paused")
        await room.picture_moves()
        refused = await refusal_of(room.order())
        assert (refused.status, refused.code) == (503, "unavailable")
        assert inside[0] is not None
        refused = await refusal_of(inside[0].chat("anybody?"))
        assert refused.code == "unavailable"
        async with room.door.session.get(f"{room.served.base}/api/health") as answer:
            assert (answer.status, (await answer.json())["buying"]) == (503, False)
        async with room.door.session.get(f"{room.served.base}/shows/{room.show_id}") as answer:
            assert answer.status == 200, "the page itself still opens"
    await room.healed()
    assert [one.socket for one in room.viewers] == inside, "nobody had to leave"


async def test_without_the_gateways_orders_go_on_by_http(room: Room) -> None:
    with kept_down(room.served, "live"):

        async def outside() -> bool:
            return not any(one.is_inside for one in room.viewers)

        await until(outside, TOLD_SECONDS * slowness(), "sockets closing")
        assert (await room.order())["state"] == "placed"
        await room.picture_moves()
        snapshot = await room.buyer.get(f"/api/shows/{room.show_id}/snapshot")
        assert snapshot["show"]["state"] == "live"
        message = await room.buyer.post(f"/api/shows/{room.show_id}/chat", {"id": ids.new(), "text": "by HTTP"})
        assert message["text"] == "by HTTP"
    await room.healed()
    await room.all_hear("by HTTP")


async def test_without_the_video_chat_and_orders_go_on(evening: Evening, room: Room) -> None:
    with kept_down(room.served, "media"):
        socket = room.viewers[0].socket
        assert socket is not None
        await socket.chat("no picture, but us")
        await room.all_hear("no picture, but us")
        assert (await room.order())["state"] == "placed"
        with pytest.raises(AWAY):
            await room.picture.loads()
    evening.stop()
    evening.pusher = await room.cast.push(room.show_id)  # the host's encoder connects again, as encoders do

    async def moves() -> bool:
        try:
            await room.picture.loads()
        except (*AWAY, AssertionError):
            return False
        return (await room.cast.creator.get(f"/api/shows/{room.show_id}"))["state"] == "live"

    await until(moves, HEALED_SECONDS * slowness(), "the picture")
    await room.picture_moves()
    await room.healed()


async def test_without_the_pages_the_room_talks_and_buys_over_the_socket(room: Room) -> None:
    socket = await Socket(room.buyer, room.show_id).open()
    inside = [one.socket for one in room.viewers]
    with kept_down(room.served, "web"):
        with pytest.raises(AWAY):
            await room.order()
        assert (await socket.buy(room.line))["state"] == "placed"
        await socket.chat("the shop window is dark")
        await room.all_hear("the shop window is dark")
        await room.picture_moves()
    await socket.close()
    await room.healed()
    assert [one.socket for one in room.viewers] == inside, "nobody had to leave"


async def test_without_the_workers_everything_sells_and_what_they_owe_is_done_afterwards(room: Room) -> None:
    with kept_down(room.served, "work"):
        order = await room.order()
        await room.buyer.post(f"/api/orders/{order['id']}/cancel")
        socket = room.viewers[0].socket
        assert socket is not None
        await socket.chat("who sweeps the floor?")
        await room.all_hear("who sweeps the floor?")
        listing = (await room.cast.tray(room.show_id))[0]["listing_id"]
        pin = await room.cast.creator.post(f"/api/shows/{room.show_id}/pins", {"id": ids.new(), "listing_id": listing})

        async def pinned() -> bool:
            return all(any(e["kind"] == "pin.started" and e["body"]["id"] == pin["id"] for e in one.heard)
                       for one in room.viewers)  # fmt: skip

        await until(pinned, what="the pin")
        await room.picture_moves()
        bought = await room.order()
        await pay(room, bought)
    await room.healed()

    async def paid() -> bool:
        return (await room.buyer.get(f"/api/orders/{bought['id']}"))["state"] == "paid"

    await until(paid, HEALED_SECONDS * slowness(), "the payment being settled")


async def pay(room: Room, order: Json) -> None:
    from helpers.market import CITY

    await room.buyer.put(f"/api/orders/{order['id']}/address", CITY)
    assert await room.buyer.pay(order["id"]) < 400


async def test_without_the_bus_two_gateways_still_tell_everyone_everything(room: Room, redis: RedisServer) -> None:
    redis.kill()
    try:
        for n in range(3):
            socket = room.viewers[n].socket
            assert socket is not None
            await socket.chat(f"by the database {n}")
            assert (await room.order())["state"] == "placed"
        for n in range(3):
            await room.all_hear(f"by the database {n}")
        await room.picture_moves()
    finally:
        redis.start()
    await room.healed()
