"""What the page says while a part of the market is away, and that it stops saying so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from helpers.faults import kept_down

pytestmark = pytest.mark.e2e
Window = Callable[..., Any]


@pytest.mark.parametrize(("language", "words"), [("en", "buying and chat pause"), ("zh", "购买与弹幕稍后恢复")])
def test_without_the_database_the_room_says_that_buying_is_paused_and_plays_on(
    window: Window, market: Any, language: str, words: str
) -> None:
    one = window(language=language)
    page = one.page
    page.goto(f"/shows/{market.show_id}")
    expect(page.locator("video")).to_have_attribute("data-status", "playing", timeout=20_000)
    expect(page.get_by_role("log").get_by_role("listitem").first).to_be_visible()
    with kept_down(market.served, "postgres"):
        expect(page.get_by_test_id("paused")).to_contain_text(words, timeout=8000)
        at = page.evaluate("() => document.querySelector('video').currentTime")
        page.wait_for_function("at => document.querySelector('video').currentTime > at + 1", arg=at, timeout=10_000)
        one.axe()
        one.shot("paused")
    expect(page.get_by_test_id("paused")).to_be_hidden(timeout=25_000)
    one.errors.clear()  # requests that failed meanwhile are reported on the console, as they should be


def test_a_sheet_says_that_buying_is_paused_and_whoever_enters_is_let_in_afterwards(
    window: Window, market: Any
) -> None:
    buyer, late = window(language="zh", phone=False), window(scheme="dark")
    page = buyer.page
    page.goto(f"/shows/{market.show_id}")
    pinned = page.get_by_test_id("pinned-card")
    expect(pinned).to_be_visible(timeout=20_000)
    with kept_down(market.served, "postgres"):
        expect(page.get_by_test_id("paused")).to_be_visible(timeout=8000)
        pinned.get_by_role("button").click()
        sheet = page.get_by_role("dialog")
        expect(sheet.get_by_text("你选好的商品会留在这里", exact=False)).to_be_visible()
        buyer.axe()
        buyer.shot("paused-sheet")
        late.page.goto(f"/shows/{market.show_id}")
        expect(late.page.get_by_text("We keep trying", exact=False)).to_be_visible(timeout=8000)
        late.axe()
        late.shot("entering")
    expect(sheet.get_by_text("你选好的商品会留在这里", exact=False)).to_be_hidden(timeout=25_000)
    again = late.page.get_by_role("button", name="Try again")
    room = late.page.locator("video[data-status=playing]")
    expect(again.or_(room)).to_be_visible(timeout=25_000)
    if again.is_visible():
        again.click()
    expect(room).to_be_visible(timeout=25_000)
    for one in (buyer, late):
        one.errors.clear()  # requests that failed meanwhile are reported on the console, as they should be


def test_without_the_gateway_the_room_says_that_chat_reconnects(window: Window, market: Any) -> None:
    one = window()
    page = one.page
    page.goto(f"/shows/{market.show_id}")
    expect(page.get_by_role("log").get_by_role("listitem").first).to_be_visible()
    with kept_down(market.served, "live"):
        expect(page.get_by_text("chat is reconnecting")).to_be_visible(timeout=8000)
    expect(page.get_by_text("chat is reconnecting")).to_be_hidden(timeout=25_000)
    one.errors.clear()
