"""A flash sale opens by the server's clock whatever the phone's says, and who waits in line sees their place."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
import pytest
from playwright.sync_api import Locator, Page, expect

from helpers.browser import become_somebody, enter
from helpers.patience import PATIENCE_SECONDS, slowness
from livestall.app.demo.client import Socket
from livestall.base import ids

LOCKED = "() => document.querySelector('dialog fieldset:disabled, [data-testid=in-line]')"
WRONG_CLOCK = """
const Real = Date, wrong = HOURS * 3600e3
window.Date = class extends Real {
  constructor(...given) { given.length ? super(...given) : super(Real.now() + wrong) }
  static now() { return Real.now() + wrong }
}"""


def in_time(page: Page) -> Locator:
    """The button of the sheet that waits for the opening."""
    page.get_by_test_id("flash-card").get_by_role("button", name="Get ready").click()
    buy = page.get_by_role("dialog").locator("button[data-opening]")
    expect(buy).to_contain_text(re.compile(r"Opens in [012]:\d\d"))
    expect(buy).to_be_disabled()
    return buy


def test_phones_whose_clocks_are_wrong_by_hours_buy_at_the_opening(window: Any, market: Any) -> None:
    """Not before it, which the server would refuse, and not hours off: with the sale that both wait for."""
    phones = {hours: window() for hours in (-7, 26)}
    for hours, one in phones.items():
        one.page.add_init_script(WRONG_CLOCK.replace("HOURS", str(hours)))
        become_somebody(one.page)
        enter(one.page, market.show_id)
    countdown_seconds = min(120, round(max(12, 3 * slowness())))  # both pages must get to it before it opens
    deal = market.flash_sale(market.show_id, countdown_seconds=countdown_seconds)
    buttons = {hours: in_time(one.page) for hours, one in phones.items()}
    for hours, one in phones.items():
        one.axe()
        one.shot(f"flash-get-ready{hours}")
    for hours, buy in buttons.items():
        expect(buy).to_be_enabled()
        buy.click()
        page = phones[hours].page
        expect(page.get_by_text("Set aside for you for")).to_contain_text(re.compile(r"[34]:\d\d"))
        after = datetime.fromisoformat(only_order(page)["placed_at"]) - datetime.fromisoformat(deal["opens_at"])
        assert 0 <= after.total_seconds() < PATIENCE_SECONDS, "served at the opening, not before and not hours off"


@contextmanager
def sale_held_up(market: Any, variant_id: str) -> Iterator[None]:
    """The database is busy with this article for a while."""
    with psycopg.connect(market.served.dsn) as connection:
        connection.execute("select 1 from stock_pool where pool_id = %s for update", [variant_id])
        yield


def others_stand_in_line(market: Any, item: dict[str, Any], count: int) -> None:
    line = {"variant_id": item["variants"][0]["variant_id"], "listing_id": item["listing_id"], "quantity": 1}

    async def play(cast: Any) -> None:
        for _ in range(count):
            socket = await Socket(await cast.buyer(), market.show_id).open()
            with suppress(TimeoutError):  # they leave, and stay in line
                await socket.ask({"type": "buy", "id": str(ids.new()), "lines": [line]}, 0.05)
            await socket.close()
            await asyncio.sleep(0)

    market.do(play)


def choose_two(page: Page, market: Any, item: dict[str, Any], *, phone: bool) -> Locator:
    """The buy sheet with the first kind and two of it chosen."""
    enter(page, market.show_id)
    if phone:
        page.get_by_role("button", name=re.compile("^(Goods|小黄车)")).click()
    page.locator(f'li[data-listing="{item["listing_id"]}"] button').last.click()
    sheet = page.get_by_role("dialog")
    sheet.locator("[aria-pressed]:not([aria-disabled])").first.click()
    sheet.get_by_role("group").locator("button").last.click()
    expect(sheet.locator("output")).to_have_text("2")
    return sheet


def only_order(page: Page) -> dict[str, Any]:
    (order,) = page.request.get("/api/orders").json()["items"]
    return dict(order)


@pytest.mark.parametrize(("language", "phone", "scheme"), [("en", True, "light"), ("zh", False, "dark")])
def test_who_waits_sees_their_place_and_then_the_outcome(
    window: Any, market: Any, language: str, phone: bool, scheme: str
) -> None:
    one = window(phone=phone, language=language, scheme=scheme)
    page: Page = one.page
    become_somebody(page)
    item = market.do(lambda cast: cast.tray(market.show_id))[-1]
    sheet = choose_two(page, market, item, phone=phone)
    with sale_held_up(market, item["variants"][0]["variant_id"]):
        others_stand_in_line(market, item, 6)
        sheet.locator("button[data-opening]").click()
        page.wait_for_function(LOCKED)
        line = page.get_by_test_id("in-line")
        expect(line).to_be_visible()
        expect(line.get_by_role("status")).to_contain_text("You are number" if language == "en" else "你排在第")
        assert int(line.locator("b").inner_text()) >= 1
        # What was asked for stands, and nothing is left that would seem to change it.
        expect(sheet.get_by_text("× 2")).to_be_visible()
        expect(sheet.locator("fieldset")).to_have_count(0)
        one.fits()
        one.axe()
        one.shot("in-line")
    expect(line).to_have_count(0)
    expect(page.locator("[name=recipient]")).to_be_visible()
    assert [one["quantity"] for one in only_order(page)["lines"]] == [2]


@pytest.mark.parametrize(("language", "scheme", "won", "pay"), [
    ("en", "dark", "Your turn came", "Pay"), ("zh", "light", "轮到你了", "付款"),
])  # fmt: skip
def test_who_closes_the_sheet_stays_in_line_and_is_told_the_outcome(
    window: Any, market: Any, language: str, scheme: str, won: str, pay: str
) -> None:
    one = window(language=language, scheme=scheme)
    page: Page = one.page
    become_somebody(page)
    item = market.do(lambda cast: cast.tray(market.show_id))[-1]
    sheet = choose_two(page, market, item, phone=True)
    with sale_held_up(market, item["variants"][0]["variant_id"]):
        others_stand_in_line(market, item, 6)
        sheet.locator("button[data-opening]").click()
        expect(page.get_by_test_id("in-line")).to_be_visible()
        page.keyboard.press("Escape")
        expect(sheet).to_have_count(0)
    told = page.get_by_text(won)
    expect(told).to_be_visible()
    one.axe()
    one.shot("won-meanwhile")
    page.get_by_role("button", name=pay, exact=True).click()
    expect(page.locator("[name=recipient]")).to_be_visible()
    assert [one["quantity"] for one in only_order(page)["lines"]] == [2]
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
