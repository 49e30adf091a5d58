"""The whole story over HTTP and socket, on real video: planned, on air, pinned, sold, paid, ended, replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import aiohttp
import pytest

from helpers.market import CITY, Cast, Served, seed, serving, until
from livestall.app.demo.client import Door, Json, Person, Refused, Socket
from livestall.base import ids

HOLD_SECONDS = 30


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(orders__flash_hold_seconds=HOLD_SECONDS, orders__notice_grace_seconds=1) as market:
        yield market


class Eyes:
    """All that one viewer's socket has said."""

    def __init__(self) -> None:
        self.snapshot: Json = {}
        self.events: list[Json] = []
        self.totals: Json = {}
        self.deals: Json = {}

    def see(self, frame: Json) -> None:
        if frame["type"] == "snapshot":
            self.snapshot = frame
        self.events += frame.get("events", [])
        self.totals |= frame.get("totals", {})
        self.deals |= frame.get("totals", {}).get("deals", {})

    def kinds(self) -> set[str]:
        return {event["kind"] for event in self.events}

    async def wait(self, kind: str) -> Json:
        async def seen() -> Any:
            return next((event for event in self.events if event["kind"] == kind), None)

        return await until(seen, what=f"{kind} in {self.kinds()}")


async def segments(door: Door, url: str) -> list[str]:
    """Addresses of the media segments of a playlist, followed down from a master playlist."""
    async with door.session.get(url) as answer:
        assert answer.status == 200, url
        lines = [line for line in (await answer.text()).splitlines() if line and not line.startswith("#")]
        at = str(answer.url)
    base = at.rsplit("/", 1)[0]
    if lines and ".m3u8" in lines[0]:
        return await segments(door, f"{base}/{lines[0]}")
    return [f"{base}/{line}" for line in lines]


async def buy(person: Person, show_id: str, line: Json) -> Json:
    socket = await Socket(person, show_id).open()
    try:
        return await socket.buy(line)
    finally:
        await socket.close()


async def paid(person: Person, order_id: str) -> Json:
    async def look() -> Json | None:
        order = await person.get(f"/api/orders/{order_id}")
        return order if order["state"] == "paid" else None

    return await until(look, what="the paid order")


async def test_a_live_show_sells_from_the_camera_to_the_replay(served: Served):
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=2, on_hand=100)
        show = await cast.live_show("Evening market")
        show_id = show["id"]
        with pytest.raises(Refused) as refused:
            await cast.creator.post(f"/api/shows/{show_id}/go-live")
        assert refused.value.code == "no-stream"
        pusher = await cast.push(show_id)
        try:
            await cast.go_live(show_id)
            await watch(door, show_id)
            eyes = Eyes()
            viewer = await Socket(Person(door), show_id, eyes.see).open()
            await until(lambda: asyncio.sleep(0, eyes.snapshot), what="the snapshot")
            await sell_what_is_pinned(cast, show_id, eyes)
            await flash_sale(cast, show_id, eyes)
            await cast.creator.post(f"/api/shows/{show_id}/end")
            assert (await eyes.wait("show.moved"))["body"]["state"] in {"ended", "replay"}
            await viewer.close()
        finally:
            pusher.stop()
        await replay(cast, show_id)
        await numbers(cast, show_id)


async def watch(door: Door, show_id: str) -> None:
    """Anyone finds the show in the feed and gets a picture."""
    cards = (await Person(door).get("/api/shows?state=live"))["items"]
    card = next(one for one in cards if one["id"] == show_id)
    assert card["live_url"].startswith("ws://")

    async def picture() -> bool:
        try:
            found = await segments(door, card["playback"]["hls_url"])
        except (AssertionError, aiohttp.ClientError):
            return False
        return len(found) >= 2

    await until(picture, what="two segments")
    newest = (await segments(door, card["playback"]["hls_url"]))[-1]
    async with door.session.get(newest) as answer:
        assert answer.status == 200
        assert len(await answer.read()) > 5_000


async def sell_what_is_pinned(cast: Cast, show_id: str, eyes: Eyes) -> None:
    """Pin, buy over the socket, pay on the provider's page; the books show it."""
    item = (await cast.tray(show_id))[0]
    await cast.creator.post(f"/api/shows/{show_id}/pins", {"id": ids.new(), "listing_id": item["listing_id"]})
    pin = (await eyes.wait("pin.started"))["body"]
    assert pin["listing_id"] == item["listing_id"]
    variant = item["variants"][0]
    buyer = await cast.buyer()
    line = {"variant_id": variant["variant_id"], "listing_id": item["listing_id"], "quantity": 2}
    order = await buy(buyer, show_id, line)
    assert order["state"] == "placed"
    assert order["total"]["amount"] == 2 * variant["price"]["amount"]
    assert (await cast.stock_row(variant["variant_id"]))["held"] == 2
    await buyer.put(f"/api/orders/{order['id']}/address", CITY)
    await buyer.pay(order["id"])
    done = await paid(buyer, order["id"])
    assert sum(part["amount"]["amount"] for part in done["waterfall"]) == done["total"]["amount"]
    row = await cast.stock_row(variant["variant_id"])
    assert (row["held"], row["sold"]) == (0, 2)
    sale = (await eyes.wait("sale.made"))["body"]
    assert sale["quantity"] == 2
    mine = (await cast.seller.get(f"/api/sellers/{cast.seller_id}/orders"))["items"]
    assert order["id"] in {one["id"] for one in mine}


async def flash_sale(cast: Cast, show_id: str, eyes: Eyes) -> None:
    """One pays, one is refused a second unit, one forgets: the unit comes back and the room hears it."""
    payer, forgetful, late = await cast.buyer("Pia"), await cast.buyer("Fo"), await cast.buyer("Lu")
    deal = await cast.flash_sale(show_id, quota=3, released=2)
    line = {"variant_id": deal["variant_id"], "listing_id": deal["listing_id"], "deal_id": deal["id"], "quantity": 1}
    with pytest.raises(Refused) as early:
        await buy(payer, show_id, line)
    assert early.value.code == "deal-not-open"

    async def running() -> bool:
        return (await cast.deal(show_id, deal["id"]))["state"] == "running"

    await until(running, what="the sale")
    order = await buy(payer, show_id, line)
    assert order["total"]["amount"] == 100
    with pytest.raises(Refused) as over:
        await buy(payer, show_id, line)
    assert over.value.code == "limit-reached"
    lost = await buy(forgetful, show_id, line)
    with pytest.raises(Refused) as none_left:
        await buy(late, show_id, line)
    assert none_left.value.code == "sold-out"
    await until(lambda: asyncio.sleep(0, eyes.deals.get(deal["id"], {}).get("left") == 0), what="0 left in the room")
    await payer.put(f"/api/orders/{order['id']}/address", CITY)
    await payer.pay(order["id"])
    await paid(payer, order["id"])

    await cast.creator.post(f"/api/deals/{deal['id']}/release", {"id": ids.new(), "quantity": 1})
    await until(lambda: asyncio.sleep(0, eyes.deals.get(deal["id"], {}).get("left") == 1), what="1 more in the room")

    async def expired() -> bool:
        return (await forgetful.get(f"/api/orders/{lost['id']}"))["state"] == "cancelled"

    await until(expired, what="the expiry")
    await until(lambda: asyncio.sleep(0, eyes.deals[deal["id"]]["left"] == 2), what="the unit back in the room")
    await cast.creator.post(f"/api/deals/{deal['id']}/end")
    row = await cast.stock_row(deal["variant_id"])
    assert row["in_deals"] == 0
    assert row["available"] == row["on_hand"] - row["held"] - row["sold"]


async def replay(cast: Cast, show_id: str) -> None:
    """Within a minute: a replay with a chapter per pin, and the goods still for sale at their list price."""

    async def ready() -> Json | None:
        show = await cast.creator.get(f"/api/shows/{show_id}")
        return show if show["state"] == "replay" else None

    show = await until(ready, what="the replay")
    assert show["playback"]["kind"] == "replay"
    assert len(await segments(cast.door, show["playback"]["hls_url"])) >= 3
    chapters = await cast.creator.get(f"/api/shows/{show_id}/chapters")
    assert len(chapters) >= 1
    assert all(one["at_seconds"] >= 0 for one in chapters)
    variant = cast.products[1]["variants"][0]
    order = await (await cast.buyer()).post(
        "/api/orders", {"id": ids.new(), "lines": [{"variant_id": variant["id"], "quantity": 1}]}
    )
    assert order["total"] == variant["price"]


async def numbers(cast: Cast, show_id: str) -> None:
    totals = (await cast.creator.get(f"/api/shows/{show_id}/numbers"))["totals"]
    assert totals["paid_orders"] == 2
    assert totals["money"]["amount"] > 0
    health = await cast.operator.get("/api/operator/health")
    assert health["drift"] == 0
    assert {one["state"] for one in health["planes"]} == {"up"}
