"""What a stranger runs into: addresses that lead nowhere, orders that began elsewhere, long titles, high prices."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from helpers.browser import READY_TO_BUY, become_somebody, enter
from helpers.market import Cast
from livestall.app.demo.client import Json
from livestall.base import ids

pytestmark = pytest.mark.e2e
Window = Callable[..., Any]
TITLE = (
    "Hand-knotted heirloom celadon tea service for twelve guests with matching bamboo tray, linen wrap and "
    "certificate of origin · 龙泉青瓷十二人茶具全套附竹盘麻布包与产地证书"
)
ON_TOP = """button => {
    const box = button.getBoundingClientRect()
    return button.contains(document.elementFromPoint(box.left + box.width / 2, box.bottom - 2))
}"""
ADDRESS = {
    "recipient": "王" * 60, "phone": "+351 912 345 678", "city": "Lisboa", "line1": "Rua Augusta " * 12,
    "postcode": "1100",
}  # fmt: skip


@pytest.fixture(scope="module")
def dear(market: Any) -> Json:
    """An article as dear and with as long a title as the market takes."""

    async def play(cast: Cast) -> Json:
        variant = {
            "id": ids.new(), "sku": "dear", "options": {}, "price_amount": 999_999_900,
            "compare_at_amount": 1_299_999_900,
        }  # fmt: skip
        body = {"id": ids.new(), "title": TITLE, "state": "active", "options": [], "variants": [variant]}
        product = await cast.seller.post(f"/api/sellers/{cast.seller_id}/products", body)
        await cast.set_stock(5, [str(variant["id"])])
        return product

    return market.do(play)


def buy_on_its_page(page: Page, product: Json) -> str:
    """Up to the sheet that asks for an address; the order's id."""
    page.goto(f"/products/{product['id']}")
    page.get_by_role("main").get_by_role("button", name="Buy").click()
    page.get_by_role("button", name="Buy now").click()
    expect(page.locator("[name=recipient]")).to_be_visible()
    return page.request.get("/api/orders").json()["items"][0]["id"]


def test_an_address_that_leads_nowhere_says_so_in_the_readers_language_and_leads_on(window: Window) -> None:
    one = window(language="zh")
    page = one.page
    for path in ("/shows/nonsense", "/products/nonsense", f"/shows/{uuid.uuid4()}", "/no/such/page"):
        page.goto(path)
        expect(page.get_by_text("这里什么都没有")).to_be_visible()
        expect(page.get_by_text("Not Found")).to_have_count(0)
        one.axe()
        page.get_by_role("link", name="看看谁在直播").click()
        expect(page.get_by_role("heading", level=1, name="正在直播")).to_be_visible()
    one.errors.clear()  # what is not there is a 404 by right


def test_an_order_from_an_articles_own_page_is_paid_from_my_orders(window: Window, dear: Json) -> None:
    one = window()
    page = one.page
    become_somebody(page)
    order = buy_on_its_page(page, dear)
    one.look("pay-dear")
    page.goto("/orders")
    one.look("orders-dear")
    page.goto(f"/orders/{order}")
    one.look("order-dear")
    page.get_by_role("link", name="Give the address and pay").click()
    for field, text in ADDRESS.items():
        page.fill(f"[name={field}]", text)
    page.get_by_role("button", name="Go to payment").click()
    page.wait_for_url("**/sandbox/pay/**")
    page.click('[data-card="4242 4242 4242 4242"]')
    page.click("form button")
    page.wait_for_url("**/products/**")
    expect(page.get_by_test_id("order-paid")).to_be_visible()
    one.fits()
    page.get_by_role("button", name="Back to the article").click()
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_on_a_phone_the_way_round_the_market_does_not_lie_over_the_buy_button(window: Window, dear: Json) -> None:
    page = window().page
    become_somebody(page)
    page.goto(f"/products/{dear['id']}")
    expect(page.get_by_role("navigation", name="Main")).to_be_visible()
    buy = page.get_by_role("main").get_by_role("button", name="Buy")
    expect(buy).to_be_in_viewport(ratio=1)
    assert buy.evaluate(ON_TOP)


def test_who_loses_the_network_while_buying_is_told_and_buys_once_and_after_a_reload_is_reminded(
    window: Window, market: Any
) -> None:
    one = window()
    page = one.page
    become_somebody(page)
    enter(page, market.show_id)
    page.wait_for_function(READY_TO_BUY)
    page.get_by_test_id("pinned-card").get_by_role("button").click()
    sheet = page.get_by_role("dialog")
    sheet.locator("[aria-pressed]:not([aria-disabled])").first.click()
    page.context.set_offline(True)
    sheet.locator("button[data-opening]").click()
    expect(sheet.get_by_text("ordered as soon as the network is back")).to_be_visible()
    one.shot("offline-in-the-sheet")
    page.context.set_offline(False)
    expect(page.locator("[name=recipient]")).to_be_visible()
    (order,) = page.request.get("/api/orders").json()["items"]
    assert order["state"] == "placed"
    page.goto("/")
    expect(page.get_by_text("waits to be paid")).to_be_visible()
    one.look("reminded")
    page.get_by_role("button", name="Pay", exact=True).click()
    expect(page.locator("[name=recipient]")).to_be_visible()
    assert f"/shows/{market.show_id}?order={order['id']}" in page.url
    one.errors.clear()  # requests that failed meanwhile are reported on the console, as they should be


def test_a_cancelled_order_says_why_shares_nothing_out_and_leads_on(window: Window, dear: Json) -> None:
    one = window()
    page = one.page
    become_somebody(page)
    page.goto(f"/orders/{buy_on_its_page(page, dear)}")
    page.get_by_role("button", name="Cancel the order").click()
    expect(page.get_by_text("Cancelled by you")).to_be_visible()
    expect(page.get_by_role("heading", name="Who gets what")).to_have_count(0)
    page.get_by_role("link", name="See the article").click()
    expect(page.get_by_role("main").get_by_role("button", name="Buy")).to_be_enabled()
    one.fits()


def test_a_room_is_shared_where_the_browser_has_no_clipboard(window: Window, market: Any) -> None:
    """As on any page without https: what was not copied is not said to be."""
    one = window(phone=False)
    page = one.page
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    page.add_init_script("Object.defineProperty(navigator, 'share', {value: undefined})")
    page.goto(f"/shows/{market.show_id}")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_label("Copy this address")).to_have_value(page.url)
    expect(page.get_by_text("Link copied")).to_have_count(0)
    one.axe()


def test_goods_that_are_gone_say_so_on_the_front_page(window: Window) -> None:
    page = window().page

    def sell_out(route: Any) -> None:
        found = route.fetch()
        body = found.json()
        body["items"] = [item | {"available": 0} for item in body["items"]]
        route.fulfill(response=found, json=body)

    page.route("**/api/products*", sell_out)
    page.goto("/")
    expect(page.locator('a[href^="/products/"]').first.get_by_text("Sold out")).to_be_visible()
