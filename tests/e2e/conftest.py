"""The browser's market: a real `livestall serve` with goods, people, and a show on air with a real picture."""

from __future__ import annotations

import io
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import pytest

from helpers.market import PASSWORD, Cast, Pusher, Served, in_thread, seed, serving
from livestall.app.demo import pictures
from livestall.app.demo.client import Door, Json, Person, Socket
from livestall.base import ids

T = TypeVar("T")
BUYER = "buyer@test.example"
HELLO = ("just got here", "来了来了", "the glaze is lovely", "这个多少钱", "from Leeds, good evening", "已下单")


class Stage:
    """What the tests know of the market: addresses, logins, the show on air, and hands to play its people."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.url = self.base = served.base
        self.show_id = ""
        self.logins = {
            role: (f"{role}@test.example", PASSWORD) for role in ("operator", "seller", "creator", "buyer")
        }  # fmt: skip
        self._cast: Cast | None = None
        self._pusher: Pusher | None = None

    def do(self, play: Callable[[Cast], Awaitable[T]]) -> T:
        """Run API calls as the market's people, from a test that is not asynchronous."""

        async def run() -> T:
            async with Door(self.base) as door:
                assert self._cast is not None
                return await play(self._cast.at(door))

        return in_thread(run)

    def flash_sale(self, show_id: str, **extra: object) -> Json:
        """A flash sale in that show; whatever a test before left running is ended first."""

        async def play(cast: Cast) -> Json:
            await end_sales(cast, show_id)
            return await cast.flash_sale(show_id, **extra)

        return self.do(play)

    def prepare(self) -> None:
        """Seed the market and put its first show on air."""

        async def run() -> None:
            async with Door(self.base) as door:
                self._cast = cast = await seed(door, self.served.first_run_token, products=4, on_hand=500)
                await draw(cast)
                await Person(door).sign_up(BUYER, PASSWORD, "Bo")
                show = await cast.live_show("Evening market · 晚间集市")
                self.show_id = show["id"]
                await self._push(cast)
                try:
                    await cast.go_live(self.show_id)
                except AssertionError as error:
                    said = self._pusher.stop() if self._pusher else ""
                    raise AssertionError(f"{error}; the camera: {said!r}; the market: {self.served.log()}") from error
                await open_the_evening(cast, self.show_id)

        in_thread(run)

    async def _push(self, cast: Cast) -> None:
        ingest = await cast.creator.get(f"/api/shows/{self.show_id}/ingest")
        self._pusher = Pusher.camera(f"{ingest['rtmp_server']}/{ingest['rtmp_key']}")

    def push(self) -> None:
        """The host's encoder sends again."""
        self.do(self._push)

    def drop(self) -> None:
        """The host's encoder is gone from one moment to the next."""
        if self._pusher is not None:
            self._pusher.stop()
            self._pusher = None


async def draw(cast: Cast) -> None:
    """Each product gets its picture."""
    for goods, product in zip(pictures.PRODUCTS, cast.products, strict=False):
        drawn = io.BytesIO()
        pictures.draw(goods.name, 640).save(drawn, "JPEG", quality=88)
        path = f"/api/sellers/{cast.seller_id}/products/{product['id']}/pictures?id={ids.new()}"
        await cast.seller.upload(path, f"{goods.name}.jpg", drawn.getvalue(), "image/jpeg")


async def end_sales(cast: Cast, show_id: str) -> None:
    for deal in await cast.creator.get(f"/api/shows/{show_id}/deals"):
        if deal["state"] in {"countdown", "running"}:
            await cast.creator.post(f"/api/deals/{deal['id']}/end")


async def open_the_evening(cast: Cast, show_id: str) -> None:
    """Something is pinned, and somebody has said hello."""
    first = (await cast.tray(show_id))[0]
    await cast.creator.post(f"/api/shows/{show_id}/pins", {"id": ids.new(), "listing_id": first["listing_id"]})
    for text in HELLO:
        socket = await Socket(await cast.buyer("Ana" if text.isascii() else "林静"), show_id).open()
        await socket.chat(text)
        await socket.close()


@contextmanager
def on_air(**settings: object) -> Iterator[Stage]:
    """A seeded market with a show on air, for as long as the block lasts."""
    with serving(**settings) as served:
        stage = Stage(served)
        try:
            stage.prepare()
            yield stage
        finally:
            stage.drop()


@pytest.fixture(scope="session")
def open_market() -> Callable[..., AbstractContextManager[Stage]]:
    """A market with settings of its own: `with open_market(orders__hold_seconds=30) as market`."""
    return on_air


@pytest.fixture(scope="session")
def market() -> Iterator[Any]:
    with on_air() as stage:
        yield stage
