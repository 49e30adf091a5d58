"""The degradation contract: in a running show each plane is taken away for some seconds. What still works, what the
viewer is told, and how soon it heals by itself. The same table stands in docs/degradation.md.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from helpers.faults import kept_down
from helpers.market import AWAY, CITY, Cast, Pusher, Served, in_thread, seed, serving, until
from helpers.patience import Not, soon
from helpers.redis_server import RedisServer, redis_running
from helpers.rooms import Picture, Viewer
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
    with redis_running() as server:
        yield server


@pytest.fixture(scope="module")
def evening(redis: RedisServer) -> Iterator[Evening]:
    with serving(
        rooms__grace_seconds=60, bus_url=redis.url, live__processes=2, secret="5e" * 32,
        orders__claims_per_second=1000, orders__claims_burst=1000,
        orders__device_claims_per_second=10000, orders__device_claims_burst=10000,
    ) as served:  # fmt: skip
        stage = Evening(served)
        try:
            stage.prepare()
            yield stage
        finally:
            stage.stop()


class Room:
    """The room as a test sees it: viewers, a buyer, the picture."""

    def __init__(self, evening: Evening, cast: Cast, door: Door) -> None:
        self.cast, self.door, self.served = cast, door, evening.served
        self.show_id = evening.show["id"]
        self.picture = Picture(door.session, evening.show["playback"]["hls_url"])
        self.viewers: list[Viewer] = []
        self.buyer = Person(door)
        self.line = cast.line()

    async def order(self) -> Json:
        """Over HTTP. Raises Refused and what aiohttp raises."""
        return await self.buyer.post("/api/orders", {"id": ids.new(), "show_id": self.show_id, "lines": [self.line]})

    async def picture_moves(self) -> None:
        """Two more segments than now can be fetched."""
        first = await self.picture.loads()

        async def later() -> bool:
            return await self.picture.loads() >= first + 2

        await until(later, what="two more segments")

    def inside(self, number: int = 0) -> Socket:
        """The socket of a viewer, who is in the room."""
        socket = self.viewers[number].socket
        assert socket is not None
        return socket

    async def all_hear(self, text: str) -> None:
        await until(lambda: all(one.said(text) for one in self.viewers), what=f"everybody hearing {text!r}")

    async def healed(self) -> float:
        """Seconds until an order, a chat line and every viewer are there again, and health says that all is up."""
        began = time.monotonic()

        async def well() -> bool | Not:
            try:
                await self.order()
            except (*AWAY, Refused) as error:
                return Not(error)
            return await self.cast.all_is_well()

        await soon(well, HEALED_SECONDS, "an order, and health")
        await soon(self.everybody_is_back, HEALED_SECONDS, "every viewer back")
        text = f"still here {ids.new().hex[:8]}"
        socket = await Socket(self.buyer, self.show_id).open()
        await socket.chat(text)
        await socket.close()
        await self.all_hear(text)
        assert [(one.gaps, one.contradictions) for one in self.viewers] == [([], [])] * VIEWERS, "nothing was missed"
        return time.monotonic() - began

    def everybody_is_back(self) -> bool:
        return all(one.is_inside and not one.paused for one in self.viewers)


@asynccontextmanager
async def room_of(evening: Evening) -> AsyncGenerator[Room]:
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
        await soon(lambda: all(one.paused for one in room.viewers), TOLD_SECONDS, "being told that buying is paused")
        await room.picture_moves()
        refused = await refusal_of(room.order())
        assert (refused.status, refused.code) == (503, "unavailable")
        refused = await refusal_of(room.inside().chat("anybody?"))
        assert refused.code == "unavailable"
        async with room.door.session.get(f"{room.served.base}/api/health") as answer:
            assert (answer.status, (await answer.json())["buying"]) == (503, False)
        async with room.door.session.get(f"{room.served.base}/shows/{room.show_id}") as answer:
            assert answer.status == 200, "the page itself still opens"
    await room.healed()
    assert [one.socket for one in room.viewers] == inside, "nobody had to leave"


async def test_without_the_gateways_orders_go_on_by_http(room: Room) -> None:
    with kept_down(room.served, "live"):
        await soon(lambda: not any(one.is_inside for one in room.viewers), TOLD_SECONDS, "sockets closing")
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
        await room.inside().chat("no picture, but us")
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
        return (await room.cast.show(room.show_id))["state"] == "live"

    await soon(moves, HEALED_SECONDS, "the picture")
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
        await room.inside().chat("who sweeps the floor?")
        await room.all_hear("who sweeps the floor?")
        listing = (await room.cast.tray(room.show_id))[0]["listing_id"]
        pin = await room.cast.creator.post(f"/api/shows/{room.show_id}/pins", {"id": ids.new(), "listing_id": listing})
        pinned = "pin.started", pin["id"]
        await until(lambda: all(one.heard_of(*pinned) for one in room.viewers), what="the pin")
        await room.picture_moves()
        bought = await room.order()
        await room.buyer.put(f"/api/orders/{bought['id']}/address", CITY)
        assert await room.buyer.pay(bought["id"]) < 400
    await room.healed()

    async def paid() -> bool:
        return (await room.buyer.get(f"/api/orders/{bought['id']}"))["state"] == "paid"

    await soon(paid, HEALED_SECONDS, "the payment being settled")


async def test_without_the_bus_two_gateways_still_tell_everyone_everything(room: Room, redis: RedisServer) -> None:
    redis.kill()
    try:
        for n in range(3):
            await room.inside(n).chat(f"by the database {n}")
            assert (await room.order())["state"] == "placed"
        for n in range(3):
            await room.all_hear(f"by the database {n}")
        await room.picture_moves()
    finally:
        redis.start()
    await room.healed()
