"""Every page of a buyer at both sizes, in both languages, light and dark: drawn, accessible, and kept as a picture."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.e2e
# Each pair of size, language and scheme once.
LOOKS = [(True, "en", "light"), (True, "zh", "dark"), (False, "en", "dark"), (False, "zh", "light")]
look = pytest.mark.parametrize(("phone", "language", "scheme"), LOOKS)
Window = Callable[..., Any]


@look
def test_the_feed_shows_who_is_live_and_what_is_pinned(window: Window, phone: bool, language: str, scheme: str) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    one.page.goto("/")
    tile = one.page.locator('a[href^="/shows/"]').first
    expect(tile.get_by_text("直播中" if language == "zh" else "Live", exact=True)).to_be_visible()
    expect(tile.locator("img").first).to_be_visible()
    one.page.wait_for_function("() => [...document.images].every(image => image.complete)")
    one.axe()
    one.fits()
    one.shot("feed")


def test_the_feed_moves(window: Window) -> None:
    page = window().page
    page.goto("/")
    preview = page.locator('a[href^="/shows/"] img').first
    before = preview.get_attribute("src")
    expect(preview).not_to_have_attribute("src", before or "")


def test_the_feed_of_whom_one_follows(window: Window, market: Any) -> None:
    """Signed out, following nobody, and a host followed from the room: who is live is there at once."""
    one = window()
    page = one.page
    page.goto("/?tab=following")
    expect(page.get_by_role("heading", name="Sign in to see whom you follow")).to_be_visible()
    one.look("following-signed-out")
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="New here").click()
    page.fill("[name=name]", "Ana")
    page.fill("[name=login]", f"{uuid.uuid4().hex}@people.example")
    page.fill("[name=password]", "a long enough password")
    page.get_by_role("button", name="Sign up").click()
    expect(page.get_by_role("heading", name="Nobody you follow is on")).to_be_visible()
    expect(page.locator('a[href^="/shows/"]')).to_have_count(0)
    one.look("following-nobody")
    page.get_by_role("tab", name="For you").click()
    page.locator(f'a[href="/shows/{market.show_id}"]').first.click()
    page.get_by_role("button", name="Follow", exact=True).click()
    expect(page.get_by_role("button", name="Following", exact=True)).to_be_visible()
    page.get_by_role("link", name="Leave the room").click()
    page.get_by_role("tab", name="Following").click()
    expect(page.locator(f'a[href="/shows/{market.show_id}"]')).to_be_visible()
    one.look("following")
    page.reload()
    expect(page.get_by_role("tab", name="Following")).to_have_attribute("aria-selected", "true")
    expect(page.locator(f'a[href="/shows/{market.show_id}"]')).to_be_visible()


@look
def test_the_room_plays_talks_and_sells(window: Window, phone: bool, language: str, scheme: str) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    page = one.page
    page.goto("/")
    page.locator('a[href^="/shows/"]').first.click()
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    page.wait_for_function("() => document.querySelector('video').currentTime > 0.5")
    expect(page.get_by_role("log").get_by_role("listitem").first).to_be_visible()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    one.axe()
    one.fits()
    one.shot("room")
    if phone:
        page.get_by_role("button", name="小黄车" if language == "zh" else "Goods").click()
        one.axe()
        one.shot("tray")
    page.locator("li[data-listing] button:not([disabled])").last.click()
    expect(page.get_by_role("dialog")).to_be_visible()
    one.axe()
    one.shot("choose")


@look
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/orders", {"en": "Sign in to see your orders", "zh": "登录后查看订单"}),
        ("/me", {"en": "You are not signed in", "zh": "你还没有登录"}),
        ("/?q=nothing-is-called-that", {"en": "No goods go by", "zh": "有关的商品"}),
    ],
)
def test_pages_without_a_session_say_what_to_do(
    window: Window, path: str, words: dict[str, str], phone: bool, language: str, scheme: str
) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    one.page.goto(path)
    expect(one.page.get_by_role("heading", level=1)).to_be_attached()
    expect(one.page.get_by_text(words[language], exact=False)).to_be_visible()
    one.axe()
    one.fits()
    one.shot(path.strip("/?").split("=")[0].replace("q", "search"))


@look
def test_a_product_outside_a_show(window: Window, phone: bool, language: str, scheme: str) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    one.page.goto("/")
    found = one.page.request.get("/api/products").json()["items"][0]
    one.page.goto(f"/products/{found['id']}")
    expect(one.page.get_by_role("heading", level=1, name=found["title"])).to_be_visible()
    one.axe()
    one.fits()
    one.shot("product")


@look
def test_a_product_that_is_sold_out_says_so_and_leads_on(
    window: Window, phone: bool, language: str, scheme: str
) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    page = one.page
    product = page.request.get("/api/products").json()["items"][0]["id"]

    def sell_out(route: Any) -> None:
        found = route.fetch()
        body = found.json()
        body["variants"] = [variant | {"available": 0} for variant in body["variants"]]
        route.fulfill(response=found, json=body)

    page.route(f"**/api/products/{product}", sell_out)
    page.goto(f"/products/{product}")
    gone, onward = ("已售完", "看看谁在直播") if language == "zh" else ("Sold out", "See who is live now")
    expect(page.get_by_role("button", name=gone)).to_be_disabled()
    one.look("product-sold-out")
    page.locator("main").get_by_role("link", name=onward).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="正在直播" if language == "zh" else "Live now")).to_be_visible()


def test_the_language_follows_the_button_and_stays(window: Window) -> None:
    page = window(language="en").page
    page.goto("/")
    page.get_by_role("button", name="中文").click()
    expect(page.get_by_role("heading", level=1, name="正在直播")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", level=1, name="正在直播")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
