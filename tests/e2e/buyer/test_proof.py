"""Anyone checks that nothing is oversold: while it sells, when nothing is on sale, when the check fails, offline."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from livestall.base import ids

pytestmark = pytest.mark.e2e
LOOKS = [(True, "en", "light"), (True, "zh", "dark"), (False, "en", "dark"), (False, "zh", "light")]
look = pytest.mark.parametrize(("phone", "language", "scheme"), LOOKS)
Window = Callable[..., Any]


@look
def test_every_number_stands_beside_its_sum(
    window: Window, market: Any, phone: bool, language: str, scheme: str
) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    one.page.goto(f"/proof?show={market.show_id}")
    expect(one.page.get_by_test_id("verdict")).to_have_attribute("data-drift", "0")
    expect(one.page.locator("li[data-pool]").first).to_be_visible()
    expect(one.page.get_by_text("偏差 0" if language == "zh" else "drift 0", exact=True).first).to_be_visible()
    one.axe()
    one.fits()
    one.shot("proof")


def test_an_order_moves_the_bar_while_the_page_is_open(window: Window, market: Any) -> None:
    page = window(phone=False).page
    variant = market.do(lambda cast: cast.tray(market.show_id))[0]["variants"][0]["variant_id"]
    page.goto(f"/proof?variant={variant}")
    card = page.locator(f'li[data-pool="{variant}"]')
    held = card.locator('dl [data-part="held"] dd')
    expect(held).to_have_text(re.compile(r"^\d+$"))
    before = int(held.inner_text())

    async def buy(cast: Any) -> None:
        buyer = await cast.buyer()
        line = {"variant_id": variant, "quantity": 3}
        await buyer.post("/api/orders", {"id": ids.new(), "show_id": market.show_id, "lines": [line]})

    market.do(buy)
    expect(held).to_have_text(str(before + 3))
    expect(card.get_by_text(re.compile(rf"held {before + 3} = {before + 3} in \d+ order"))).to_be_visible()
    expect(page.get_by_text(re.compile(r"checked (just now|\d+ s ago)"))).to_be_visible()


def test_the_deal_card_and_the_buy_sheet_lead_to_the_proof(window: Window, market: Any) -> None:
    page = window().page
    deal = market.flash_sale(market.show_id, quota=7)
    page.goto(f"/shows/{market.show_id}")
    card = page.get_by_test_id("flash-card")
    expect(card).to_be_visible()
    with page.context.expect_page() as opened:
        card.get_by_role("link", name="Proof: never oversold").click()
    proof = opened.value
    expect(proof.locator(f'li[data-pool="{deal["id"]}"][data-kind="flash"]')).to_be_visible()
    expect(proof.get_by_text("7 on hand")).to_be_visible()
    assert proof.request.get(proof.get_by_role("link", name="JSON").get_attribute("href") or "").json()["drift"] == 0
    proof.close()
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    page.get_by_role("button", name=re.compile("^Goods")).click()
    page.locator("li[data-listing] button:not([disabled])").last.click()
    sheet = page.get_by_role("dialog").filter(has=page.get_by_role("link", name="Proof: never oversold"))
    expect(sheet).to_be_visible()
    market.do(lambda cast: cast.creator.post(f"/api/deals/{deal['id']}/end"))


@look
def test_with_nothing_on_sale_it_says_so(window: Window, phone: bool, language: str, scheme: str) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    one.page.goto(f"/proof?show={ids.new()}")
    words = "目前没有直播在售的商品" if language == "zh" else "Nothing is on sale in a show right now"
    expect(one.page.get_by_role("heading", name=words)).to_be_visible()
    one.axe()
    one.fits()
    one.shot("proof-empty")


def test_a_check_that_fails_says_so_and_heals(window: Window, market: Any) -> None:
    one = window(phone=True)
    page = one.page
    problem = {"title": "unavailable", "status": 503, "detail": "Not at the moment. Try again.", "code": "unavailable"}
    answer: dict[str, Any] = {"status": 503, "json": problem}
    page.route("**/api/proof/stock*", lambda route: route.fulfill(**answer))
    page.goto("/proof")
    expect(page.get_by_text("Not at the moment. Try again.")).to_be_visible()
    one.axe()
    one.shot("proof-error")
    with page.expect_response("**/api/proof/stock*"):  # asked again at once, and still refused
        page.get_by_role("button", name="Try again").click()
    page.unroute("**/api/proof/stock*")
    expect(page.get_by_test_id("verdict")).to_be_visible()
    page.route("**/api/proof/stock*", lambda route: route.fulfill(**answer))
    expect(page.get_by_text("These are the last ones", exact=False)).to_be_visible()
    expect(page.locator("li[data-pool]").first).to_be_visible()
    page.unroute("**/api/proof/stock*")
    expect(page.get_by_text("These are the last ones", exact=False)).to_be_hidden()
    page.context.set_offline(True)
    expect(page.get_by_text("These are the last numbers you were sent", exact=False)).to_be_visible()
    one.axe()
    page.context.set_offline(False)
    expect(page.get_by_text("These are the last numbers you were sent", exact=False)).to_be_hidden()
    one.errors.clear()  # the browser reports each failed check on its console, which is what was asked for


def test_drift_would_be_said_out_loud(window: Window) -> None:
    one = window(phone=False, scheme="dark")
    page = one.page

    def disturb(route: Any) -> None:
        found = route.fetch()
        body = found.json()
        body["items"][0] |= {"held": body["items"][0]["open_holds"] + 2, "drift": 2}
        route.fulfill(response=found, json=body)

    page.route("**/api/proof/stock*", disturb)
    page.goto("/proof")
    expect(page.get_by_test_id("verdict")).to_have_attribute("data-drift", "2")
    expect(page.get_by_text("2 units do not agree", exact=False)).to_be_visible()
    expect(page.get_by_label("differs")).to_be_visible()
    one.axe()
    one.shot("proof-drift")
