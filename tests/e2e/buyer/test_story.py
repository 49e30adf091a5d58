"""A stranger watches, signs up in the room, wins in a flash sale, pays, comes back, and owns a paid order."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e
ADDRESS = {
    "recipient": "Ana Lima",
    "phone": "+351 912 345 678",
    "city": "Lisboa",
    "line1": "Rua Augusta 1",
    "postcode": "1100",
}
Window = Callable[..., Any]


def live_show(page: Page) -> str:
    shows = page.request.get("/api/shows?state=live").json()["items"]
    assert shows, "the market has no live show"
    return str(shows[0]["id"])


def sign_up(page: Page, name: str = "Ana") -> None:
    page.get_by_role("button", name="New here").click()
    page.fill("[name=name]", name)
    page.fill("[name=login]", f"{uuid.uuid4().hex}@people.example")
    page.fill("[name=password]", "a long enough password")
    page.get_by_role("button", name="Sign up").click()


def fill_address(page: Page) -> None:
    for field, text in ADDRESS.items():
        page.fill(f"[name={field}]", text)


def pay(page: Page, card: str = "4242 4242 4242 4242") -> None:
    page.get_by_role("button", name="Go to payment").click()
    page.wait_for_url("**/sandbox/pay/**")
    page.click(f'[data-card="{card}"]')
    page.click("form button")
    page.wait_for_url("**/shows/**")


def test_watch_sign_up_buy_in_a_flash_sale_pay_and_find_the_order(window: Window, market: Any) -> None:
    one = window()
    page = one.page
    show = live_show(page)
    page.goto(f"/shows/{show}")
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    deal = market.flash_sale(show)

    card = page.get_by_test_id("flash-card")
    expect(card).to_be_visible()
    one.shot("flash-countdown")
    expect(card).to_have_attribute("data-phase", "open")
    expect(card.get_by_text(f"of {deal['released']} left")).to_be_visible()
    one.shot("flash-open")

    card.get_by_role("button", name="Buy").click()
    page.get_by_role("button", name="Buy now").click()
    sign_up(page)
    expect(page.locator("[name=recipient]")).to_be_visible()
    assert page.evaluate("!document.querySelector('video').paused"), "the video never stops"
    fill_address(page)
    one.shot("pay")
    pay(page)

    assert f"/shows/{show}" in page.url
    expect(page.get_by_test_id("order-paid")).to_be_visible()
    one.axe()
    one.shot("paid")
    page.get_by_role("link", name="See the order").click()
    expect(page.get_by_text("Paid").first).to_be_visible()
    expect(page.get_by_role("heading", name="Who gets what")).to_be_visible()
    one.axe()
    one.shot("order")
    page.goto("/orders")
    expect(page.get_by_text("Paid", exact=True)).to_have_count(1)
    one.axe()
    one.shot("orders")


def buy_something(page: Page, show: str) -> None:
    page.goto(f"/shows/{show}")
    page.get_by_role("button", name="Goods").click()
    page.locator("li[data-listing] button:not([disabled])").last.click()
    page.get_by_role("dialog").locator("[aria-pressed]:not([aria-disabled])").first.click()
    page.get_by_role("button", name="Buy now").click()


def test_a_reload_and_a_second_tap_never_buy_twice(window: Window) -> None:
    one = window()
    page = one.page
    show = live_show(page)
    buy_something(page, show)
    sign_up(page)
    expect(page.locator("[name=recipient]")).to_be_visible()
    page.reload()
    buy_something(page, show)
    expect(page.locator("[name=recipient]")).to_be_visible()
    assert len(page.request.get("/api/orders").json()["items"]) == 1


def test_a_declined_card_can_be_followed_by_a_good_one(window: Window) -> None:
    one = window()
    page = one.page
    buy_something(page, live_show(page))
    sign_up(page)
    fill_address(page)
    page.get_by_role("button", name="Go to payment").click()
    page.wait_for_url("**/sandbox/pay/**")
    page.click('[data-card="4000 0000 0000 0002"]')
    page.click("form button")
    expect(page.get_by_role("alert")).to_be_visible()
    page.click('[data-card="4242 4242 4242 4242"]')
    page.click("form button")
    page.wait_for_url("**/shows/**")
    expect(page.get_by_test_id("order-paid")).to_be_visible()
    one.errors[:] = [error for error in one.errors if "422" not in error and "402" not in error]


def test_what_one_says_the_other_reads(window: Window) -> None:
    speaker, reader = window(), window(phone=False)
    show = live_show(speaker.page)
    for one in (speaker, reader):
        one.page.goto(f"/shows/{show}")
    words = f"hello {uuid.uuid4().hex[:8]}"
    box = speaker.page.get_by_role("textbox", name="Say something")
    box.fill(words)
    box.press("Enter")
    sign_up(speaker.page, "Kofi")
    expect(speaker.page.get_by_role("log").get_by_text(words)).to_be_visible()
    expect(reader.page.get_by_role("log").get_by_text(words)).to_be_visible()


def test_a_lost_network_comes_back_without_a_reload(window: Window) -> None:
    one = window()
    page = one.page
    page.goto(f"/shows/{live_show(page)}")
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    page.evaluate("window.stayed = true")
    page.context.set_offline(True)
    expect(page.get_by_text("you are offline")).to_be_visible()
    page.context.set_offline(False)
    expect(page.get_by_text("s behind")).to_be_visible()
    page.wait_for_function("() => { const v = document.querySelector('video'); return v.readyState > 2 && !v.paused }")
    assert page.evaluate("window.stayed")
    one.errors.clear()
