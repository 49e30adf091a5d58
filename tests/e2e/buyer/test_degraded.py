"""What the page says while a part of the market is away, and that it stops saying so."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from helpers.browser import READY_TO_BUY, become_somebody, enter
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
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    expect(page.get_by_role("log").get_by_role("listitem").first).to_be_visible()
    with kept_down(market.served, "postgres"):
        expect(page.get_by_test_id("paused")).to_contain_text(words)
        at = page.evaluate("() => document.querySelector('video').currentTime")
        page.wait_for_function("at => document.querySelector('video').currentTime > at + 1", arg=at)
        one.axe()
        one.shot("paused")
    expect(page.get_by_test_id("paused")).to_be_hidden()
    one.errors.clear()  # requests that failed meanwhile are reported on the console, as they should be


def test_a_sheet_says_that_buying_is_paused_and_whoever_enters_is_let_in_afterwards(
    window: Window, market: Any
) -> None:
    buyer, late = window(language="zh", phone=False), window(scheme="dark")
    page = buyer.page
    page.goto(f"/shows/{market.show_id}")
    pinned = page.get_by_test_id("pinned-card")
    expect(pinned).to_be_visible()
    owner, regular = window(), window(language="zh")
    for one, role in ((owner, "operator"), (regular, "buyer")):
        sign_in(one, *market.logins[role])
    owner.page.goto("/operator")
    database = owner.page.locator('[data-plane="postgres"], [data-plane="database"]')
    expect(database).to_have_attribute("data-state", "up")
    with kept_down(market.served, "postgres"):
        expect(page.get_by_test_id("paused")).to_be_visible()
        regular.page.goto("/orders")
        pinned.get_by_role("button").click()
        sheet = page.get_by_role("dialog")
        expect(sheet.get_by_text("你选好的商品会留在这里", exact=False)).to_be_visible()
        buyer.axe()
        buyer.shot("paused-sheet")
        late.page.goto(f"/shows/{market.show_id}")
        expect(late.page.get_by_text("We keep trying", exact=False)).to_be_visible()
        late.axe()
        late.shot("entering")
        # Nobody is told what is not known: that all is well, or that they are signed out.
        expect(owner.page.get_by_text("has not answered since")).to_be_visible()
        expect(database).to_have_attribute("data-state", "unknown")
        owner.look("operator-silent")
        expect(regular.page.get_by_text("市场暂时没有响应")).to_be_visible()
        expect(regular.page.get_by_role("button", name="登录")).to_have_count(0)
        regular.look("nobody-answers")
    expect(database).to_have_attribute("data-state", "up")
    expect(regular.page.get_by_text("市场暂时没有响应")).to_have_count(0)
    expect(regular.page.get_by_role("link", name="我的账号")).to_be_visible()
    expect(sheet.get_by_text("你选好的商品会留在这里", exact=False)).to_be_hidden()
    again = late.page.get_by_role("button", name="Try again")
    room = late.page.locator("video[data-status=playing]")
    expect(again.or_(room)).to_be_visible()
    again.evaluate_all("found => found.forEach(button => button.click())")  # it may have come in by itself just now
    expect(room).to_be_visible()
    for one in (buyer, late, owner, regular):
        one.errors.clear()  # requests that failed meanwhile are reported on the console, as they should be


def sign_in(one: Any, login: str, password: str) -> None:
    answer = one.page.request.post("/api/sign-in", data={"login": login, "password": password})
    assert answer.ok, answer.text()


def plays_on(page: Page) -> None:
    at = page.evaluate("() => document.querySelector('video').currentTime")
    page.wait_for_function("at => document.querySelector('video').currentTime > at + 1", arg=at)


def say(page: Page, text: str) -> None:
    page.get_by_placeholder(re.compile("Say something|说点什么")).fill(text)
    page.keyboard.press("Enter")


def hears(page: Page, text: str) -> None:
    expect(page.get_by_role("log").get_by_text(text)).to_have_count(1)


def buy(page: Page) -> None:
    """What is pinned, up to the sheet that takes an address."""
    page.get_by_test_id("pinned-card").get_by_role("button").click()
    sheet = page.get_by_role("dialog")
    sheet.locator("[aria-pressed]:not([aria-disabled])").first.click()
    sheet.locator("button[data-opening]").click()
    expect(sheet.get_by_text(re.compile("Set aside for you for|商品为你保留"))).to_be_visible()


def close_sheet(page: Page) -> None:
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)


def bought(page: Page) -> int:
    """Pieces in placed orders."""
    orders = page.request.get("/api/orders").json()["items"]
    return sum(line["quantity"] for order in orders if order["state"] == "placed" for line in order["lines"])


@pytest.fixture
def people(window: Window, market: Any) -> Iterator[list[Any]]:
    """Two phones in the room, each somebody's: in English by day, in Chinese by night."""
    both = [window(language="en", scheme="light"), window(language="zh", scheme="dark")]
    for one in both:
        become_somebody(one.page)
        enter(one.page, market.show_id)
        expect(one.page.get_by_role("log").get_by_role("listitem").first).to_be_visible()
        one.page.wait_for_function(READY_TO_BUY)
    yield both
    for one in both:
        assert one.page.evaluate("window.stayed"), "nobody reloaded"
        assert bought(one.page) == 1
        one.errors.clear()  # requests that failed meanwhile are reported on the console, as they should be


def test_without_the_gateway_the_room_plays_and_sells_and_what_is_said_comes_later(
    people: list[Any], market: Any
) -> None:
    away = [one.page.get_by_text(re.compile("chat is reconnecting|弹幕正在重连")) for one in people]
    with kept_down(market.served, "live"):
        for one, told in zip(people, away, strict=True):
            expect(told).to_be_visible()
            say(one.page, f"by and by {one.name}")
            one.look("gateway-away")
            plays_on(one.page)
            buy(one.page)
            one.look("gateway-away-bought")
            close_sheet(one.page)
            expect(told).to_be_visible()
    for one, told in zip(people, away, strict=True):
        expect(told).to_be_hidden()
        hears(one.page, f"by and by {people[0].name}")
        hears(one.page, f"by and by {people[1].name}")


def test_without_the_pages_the_open_room_plays_talks_and_sells(people: list[Any], market: Any) -> None:
    with kept_down(market.served, "web"):
        for one in people:
            say(one.page, f"the shop window is dark {one.name}")
            hears(one.page, f"the shop window is dark {one.name}")
            plays_on(one.page)
            buy(one.page)
            one.look("pages-away-bought")
    for one in people:
        expect(one.page.locator("[name=recipient]")).to_be_visible()


def test_without_the_video_the_room_talks_and_sells_until_the_picture_is_back(people: list[Any], market: Any) -> None:
    with kept_down(market.served, "media"):
        for one in people:
            words = one.page.get_by_text(re.compile("Picture is reconnecting|画面正在重连"))
            expect(words.or_(one.page.get_by_test_id("slate"))).to_be_visible()
            one.look("picture-away")
            say(one.page, f"no picture, but us {one.name}")
            hears(one.page, f"no picture, but us {one.name}")
            buy(one.page)
            close_sheet(one.page)
        for one in people:
            expect(one.page.get_by_test_id("slate")).to_have_attribute("data-kind", "interrupted")
            one.look("picture-away-slate")
    market.drop()
    market.push()
    for one in people:
        expect(one.page.get_by_test_id("slate")).to_have_count(0)
        expect(one.page.locator("video")).to_have_attribute("data-status", "playing")
        plays_on(one.page)
