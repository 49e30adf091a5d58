"""An evening with its mishaps: a hold runs out, the host's picture goes and comes back, and the replay sells on."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect

from helpers.browser import become_somebody, enter

pytestmark = pytest.mark.e2e
Window = Callable[..., Any]
HOLD_SECONDS = 30


@pytest.fixture(scope="module")
def market(open_market: Callable[..., Any]) -> Iterator[Any]:
    """A market where a flash sale's units are kept as shortly as can be set."""
    with open_market(orders__flash_hold_seconds=HOLD_SECONDS) as stage:
        yield stage


def test_a_hold_runs_out_while_the_host_is_away(window: Window, market: Any) -> None:
    phone, desk = window(), window(phone=False)
    become_somebody(phone.page)
    buyer, watcher = enter(phone.page, market.show_id), enter(desk.page, market.show_id)
    market.flash_sale(market.show_id, quota=1)
    card = watcher.get_by_test_id("flash-card")
    buyer.get_by_test_id("flash-card").get_by_role("button", name="Buy").click()
    buyer.get_by_role("button", name="Buy now").click()
    expect(buyer.get_by_text("Set aside for you for")).to_be_visible()
    expect(card).to_have_attribute("data-phase", "gone")
    expect(card.get_by_text("0 of 1 left")).to_be_visible()

    # The picture stops: the room says so, stays open, and goes on by itself.
    market.drop()
    slate = watcher.get_by_test_id("slate")
    expect(slate).to_have_attribute("data-kind", "interrupted")
    expect(slate.get_by_text("will be right back")).to_be_visible()
    desk.axe()
    desk.shot("slate")
    market.push()
    expect(slate).to_have_count(0)
    expect(watcher.locator("video")).to_have_attribute("data-status", "playing")

    # Nobody paid: the unit is on sale again in every room, and the buyer is told and may take it.
    expect(card).to_have_attribute("data-phase", "open")
    expect(card.get_by_text("1 of 1 left")).to_be_visible()
    expect(buyer.get_by_text("The time to pay has run out")).to_be_visible()
    phone.axe()
    phone.shot("expired")
    buyer.get_by_role("button", name="Buy again").click()
    buyer.get_by_role("button", name="Buy now").click()
    expect(buyer.get_by_text("Set aside for you for")).to_be_visible()
    expect(card.get_by_text("0 of 1 left")).to_be_visible()
    orders = buyer.request.get("/api/orders").json()["items"]
    assert sorted((order["state"], order["cancel_reason"]) for order in orders) == [
        ("cancelled", "expired"), ("placed", None),
    ]  # fmt: skip
    assert buyer.evaluate("window.stayed")
    assert watcher.evaluate("window.stayed")
    for one in (phone, desk):  # the playlist of a picture that is away is a 404 by right
        one.errors[:] = [error for error in one.errors if "/media/" not in error]


def test_the_replay_has_chapters_its_chat_and_goods_at_the_ordinary_price(window: Window, market: Any) -> None:
    async def pin_and_say(cast: Any) -> None:
        tray = await cast.tray(market.show_id)
        pin = {"id": str(uuid.uuid4()), "listing_id": tray[1]["listing_id"]}
        await cast.creator.post(f"/api/shows/{market.show_id}/pins", pin)
        said = {"id": str(uuid.uuid4()), "text": "good night everybody"}
        await cast.creator.post(f"/api/shows/{market.show_id}/chat", said)

    market.do(pin_and_say)
    one = window()
    become_somebody(one.page)
    page = enter(one.page, market.show_id)
    expect(page.get_by_role("log").get_by_text("good night everybody")).to_be_visible()
    market.do(lambda cast: cast.creator.post(f"/api/shows/{market.show_id}/end"))
    position = page.get_by_role("slider", name="Position in the show")
    expect(position).to_be_visible()  # the room turns into its replay under the viewer
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    one.axe()
    one.shot("replay")

    # What was said is heard again when the picture comes to it, and not before.
    last = page.get_by_role("log").get_by_text("good night everybody")
    page.locator("video").evaluate("video => { video.currentTime = 1 }")
    expect(last).to_have_count(0)
    page.locator("video").evaluate("video => { video.currentTime = video.duration - 0.5 }")
    expect(last).to_be_visible()

    # A chapter leads back from the end to where the mug was shown; it costs what it always costs, not what the flash
    # sale asked.
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
    page.get_by_role("button", name="Goods").click()
    row = page.locator("li[data-listing]").first
    expect(row.get_by_text("89.00")).to_be_visible()
    row.locator("button").first.click()
    expect(page.get_by_test_id("pinned-card").get_by_text("Hand-thrown Mug")).to_be_visible()
    page.get_by_test_id("pinned-card").get_by_role("button", name="Buy").click()
    page.get_by_role("dialog").locator("[aria-pressed]:not([aria-disabled])").first.click()
    page.get_by_role("button", name="Buy now").click()
    expect(page.get_by_text("Set aside for you for")).to_be_visible()
    (order,) = page.request.get("/api/orders").json()["items"]
    assert order["total"]["amount"] == 8_900
    one.errors[:] = [error for error in one.errors if "/media/" not in error]
