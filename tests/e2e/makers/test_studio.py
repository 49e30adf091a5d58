"""A creator goes live from a browser with nothing installed, sells, keeps order, ends, and reads what it brought."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from helpers.market import Cast

pytestmark = pytest.mark.e2e
Open = Callable[..., Any]
CREATOR = "creator@test.example"
SIZE = re.compile("1280×720|960×540|640×360|320×180")
"""As the camera is; a browser sends less while its machine has no time for all of it."""

GONE = """async ([show, text]) => {
    const told = await (await fetch(`/api/shows/${show}/snapshot`)).json()
    return told.chat.every(message => message.text !== text) }"""


def put_in_tray(page: Page, count: int) -> None:
    for done in range(count):
        page.get_by_role("button", name=re.compile("^Put .* in the tray")).first.click()
        expect(page.get_by_role("button", name=re.compile("^Take .* out of the tray"))).to_have_count(done + 1)


def go_live(page: Page) -> str:
    """Three taps from the studio; the control room's address holds the show's id."""
    page.goto("/studio")
    page.get_by_role("button", name="Go live now").click()
    expect(page.get_by_label("Your own picture")).to_be_visible()
    page.get_by_role("button", name="Looks good").click()
    page.get_by_label("Title").fill("Kiln opening, cups still warm")
    page.get_by_role("button", name="Looks good").click()
    put_in_tray(page, 3)
    page.get_by_role("dialog").get_by_role("button", name="Go live").click()
    page.wait_for_url("**/studio/shows/*")
    expect(page.get_by_role("button", name="End the show")).to_be_visible()
    return page.url.rsplit("/", 1)[1]


def end(page: Page) -> None:
    page.get_by_role("button", name="End the show").click()
    page.get_by_role("dialog").get_by_role("button", name="End the show").click()
    expect(page.get_by_role("heading", name="Kiln opening")).to_be_visible()
    expect(page.get_by_text(re.compile("Watch the replay|replay is being made")).first).to_be_visible()


def test_go_live_pin_flash_sale_moderate_and_end(open_window: Open, cast: Cast) -> None:
    desk = open_window(phone=False, login=CREATOR)
    page: Page = desk.page
    show = go_live(page)
    expect(page.get_by_text("Picture arrives")).to_be_visible()
    expect(page.get_by_text(SIZE)).to_be_visible()
    cards = page.locator("[data-row]")
    expect(cards).to_have_count(3)

    # A number key pins; undo takes it back.
    page.keyboard.press("1")
    expect(cards.nth(0).get_by_role("button", name="Unpin")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(cards.nth(0).get_by_role("button", name="Unpin")).to_have_count(0)
    page.keyboard.press("2")
    expect(cards.nth(1).get_by_role("button", name="Unpin")).to_be_visible()

    # F opens the flash sale on what is pinned, with values that can be sent as they are.
    page.keyboard.press("f")
    sale = page.get_by_role("dialog")
    sale.get_by_label("Units").fill("20")
    sale.get_by_label("Released at start").fill("5")
    sale.get_by_label("Countdown").fill("10")
    sale.get_by_role("button", name="Start the countdown").click()
    deal = page.get_by_role("article", name=re.compile("Flash sale"))
    expect(deal.get_by_text("5 of 5 left")).to_be_visible()
    deal.get_by_role("button", name="Release 10 more").click()
    expect(deal.get_by_text("15 of 15 left")).to_be_visible()
    desk.look("control-room")

    # A viewer writes; the host deletes it and mutes them.
    viewer = open_window(login=None)
    viewer.page.request.post("/api/sign-up", data={
        "id": "01a20000-0000-7000-8000-000000000001", "login": "loud@test.example",
        "password": "a long enough password", "name": "Loud",
    })  # fmt: skip
    said = viewer.page.request.post(
        f"/api/shows/{show}/chat", data={"id": "01a20000-0000-7000-8000-000000000002", "text": "buy mine instead"}
    )
    assert said.ok, said.text()
    line = page.get_by_role("listitem").filter(has_text="buy mine instead")
    expect(line).to_be_visible()
    line.get_by_role("button", name="Mute Loud").click()
    expect(line.get_by_text("Muted")).to_be_visible()
    again = viewer.page.request.post(
        f"/api/shows/{show}/chat", data={"id": "01a20000-0000-7000-8000-000000000003", "text": "still me"}
    )
    assert again.status in {403, 409, 429}, again.text()
    line.get_by_role("button", name="Delete the message of Loud").click()
    expect(line).to_have_count(0)
    viewer.page.goto("/")
    viewer.page.wait_for_function(GONE, arg=[show, "buy mine instead"], polling=200)  # 5 s of grace

    deal.get_by_role("button", name="End the sale").click()
    page.get_by_role("dialog").get_by_role("button", name="End the sale").click()
    expect(deal).to_have_count(0)
    end(page)
    desk.look("after-show")


def test_the_tray_is_reordered_by_keyboard_and_priced(open_window: Open, cast: Cast) -> None:
    desk = open_window(phone=False, login=CREATOR)
    page: Page = desk.page
    page.goto("/studio")
    page.get_by_role("button", name="Plan a show").first.click()
    page.get_by_label("Title").fill("Thursday evening")
    page.get_by_role("button", name="Plan the show").click()
    page.wait_for_url("**/studio/shows/*")
    page.get_by_role("button", name="Add goods").first.click()
    put_in_tray(page, 2)
    page.get_by_role("button", name="Done").click()
    cards = page.locator("[data-row]")
    expect(cards).to_have_count(2)
    first = cards.nth(0).get_attribute("data-row")
    cards.nth(0).get_by_role("button", name=re.compile("^Move ")).press("ArrowDown")
    expect(cards.nth(1)).to_have_attribute("data-row", first or "")
    cards.nth(0).get_by_role("button", name=re.compile("^Price and limit")).click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("S", exact=True).fill("1.50")
    sheet.get_by_label("Most per buyer").fill("2")
    sheet.get_by_role("button", name="Save").click()
    expect(cards.nth(0).get_by_text("2 per buyer")).to_be_visible()
    page.reload()
    expect(cards.nth(1)).to_have_attribute("data-row", first or "")
    expect(cards.nth(0).get_by_text("1.50")).to_be_visible()
    desk.look("control-room-planned")
    page.goto("/studio")
    expect(page.get_by_text("Thursday evening")).to_be_visible()
    desk.look("studio")


def test_obs_gets_server_and_a_hidden_key(open_window: Open, cast: Cast) -> None:
    phone = open_window(login=CREATOR)
    page: Page = phone.page
    page.goto("/studio")
    page.get_by_role("button", name="Plan a show").first.click()
    page.get_by_label("Title").fill("By encoder")
    page.get_by_role("button", name="Plan the show").click()
    page.wait_for_url("**/studio/shows/*")
    page.get_by_role("button", name="Open the preview").click()
    page.get_by_role("tab", name="OBS").click()
    key = page.get_by_label("Stream key", exact=True)
    expect(key).to_have_attribute("type", "password")
    before = key.input_value()
    assert "?k=" in before
    page.get_by_role("button", name="Show the key").click()
    expect(key).to_have_attribute("type", "text")
    page.get_by_role("button", name="New key").click()
    page.get_by_role("dialog").get_by_role("button", name="New key").click()
    expect(key).not_to_have_value(before)
    expect(page.get_by_role("button", name="Go live")).to_be_disabled()
    phone.look("control-room-obs")


@pytest.mark.parametrize(("language", "scheme"), [("zh", "dark"), ("en", "light")])
def test_the_control_room_in_one_hand(open_window: Open, cast: Cast, language: str, scheme: str) -> None:
    phone = open_window(language="en", scheme=scheme, login=CREATOR)
    page: Page = phone.page
    go_live(page)
    phone.look("hand-picture")
    page.evaluate(f"localStorage.setItem('livestall.language', '{language}')")
    if language == "zh":
        second = open_window(language="zh", scheme=scheme, login=CREATOR)
        second.page.goto(page.url)
        for tab in ("画面", "商品", "弹幕", "数据"):
            second.page.get_by_role("tab", name=tab, exact=True).click()
            expect(second.page.get_by_role("tab", name=tab, exact=True)).to_have_attribute("aria-selected", "true")
            second.look(f"hand-{tab}")
    for tab in ("Goods", "Chat", "Numbers", "Picture"):
        page.get_by_role("tab", name=tab).click()
        expect(page.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
        phone.look(f"hand-{tab.lower()}")
    end(page)
