"""The market is opened, a seller gets in, brings goods by CSV, sees what is wrong with it, and counts stock."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from helpers.market import PASSWORD, Served

pytestmark = pytest.mark.e2e
Open = Callable[..., Any]
OPERATOR = "operator@test.example"
SELLER = "farm@test.example"

HEAD = (
    "Handle,Title,Body (HTML),Published,Option1 Name,Option1 Value,"
    "Variant SKU,Variant Inventory Qty,Variant Price,Status\n"
)
LINES = """\
honey,Wildflower honey,Cold pressed,TRUE,Size,250 g,HONEY-250,40,68.00,active
honey,,,,,500 g,HONEY-500,25,118.00,
tea,Green tea,Spring harvest,TRUE,Title,Default Title,TEA,12,not a price,active
apples,Mountain apples,From 900 m,TRUE,Title,Default Title,APPLES,70,45.90,active
"""


def test_first_run_makes_the_operator(served: Served, open_window: Open) -> None:
    phone = open_window()
    page: Page = phone.page
    page.goto("/first-run")
    expect(page.get_by_text("The link is not complete")).to_be_visible()
    page.goto(f"/first-run?token={served.first_run_token}")
    page.get_by_label("Name of the market").fill("Qingshan Market")
    page.get_by_label("Currency").select_option("CNY")
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Your e-mail or phone").fill(OPERATOR)
    page.get_by_label("Password").fill(PASSWORD)
    phone.look("first-run")
    page.get_by_role("button", name="Open the market").click()
    page.wait_for_url("**/operator")
    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    expect(page.get_by_text("Drift")).to_be_visible()
    phone.look("operator")
    page.goto("/first-run?token=again")
    expect(page.get_by_text("This market is already open")).to_be_visible()


def test_a_seller_applies_and_is_approved(open_window: Open) -> None:
    phone = open_window()
    page: Page = phone.page
    page.request.post("/api/sign-up", data={
        "id": "01a20000-0000-7000-8000-00000000000a", "login": SELLER, "password": PASSWORD, "name": "Farm",
    })  # fmt: skip
    page.goto("/seller")
    page.get_by_label("Name of your shop").fill("Qingshan Farm")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Your application is with the operator")).to_be_visible()
    phone.look("seller-waiting")
    desk = open_window(phone=False, login=OPERATOR)
    desk.page.goto("/operator")
    desk.page.get_by_role("button", name="Approve").click()
    desk.look("operator-approve")
    desk.page.get_by_role("dialog").get_by_role("button", name="Approve").click()
    expect(desk.page.get_by_text("Qingshan Farm can sell now")).to_be_visible()
    page.get_by_role("button", name="Look again").click()
    expect(page.get_by_text("Nothing to ship")).to_be_visible()
    phone.look("seller-board")


def test_import_shows_each_bad_line_and_stock_is_set(open_window: Open, tmp_path: Path) -> None:
    file = tmp_path / "products.csv"
    file.write_text(HEAD + LINES, encoding="utf-8")
    desk = open_window(phone=False, login=SELLER)
    page: Page = desk.page
    page.goto("/seller/import")
    with page.expect_download() as template:
        page.get_by_role("button", name="Download a template").click()
    assert Path(template.value.path()).read_text("utf-8-sig").startswith("Handle,Title,")
    page.locator("input[type=file]").set_input_files(file)
    expect(page.get_by_role("heading", name="Import finished")).to_be_visible()
    bad = page.get_by_role("row").filter(has_text="not a price")
    expect(bad.get_by_role("cell", name="4", exact=True)).to_be_visible()
    desk.look("import-report")
    phone = open_window(language="zh", scheme="dark", login=SELLER)
    phone.page.goto("/seller/import")
    phone.page.get_by_role("button", name="报告").first.click()
    column = phone.page.get_by_role("cell", name="Variant Price", exact=True).first
    expect(column).to_be_visible()
    assert column.evaluate("cell => cell.getBoundingClientRect().height") < 40, "a word in one line"
    phone.look("import-report")

    page.get_by_role("navigation", name="Seller's pages").get_by_role("link", name="Products").click()
    expect(page.get_by_text("Wildflower honey")).to_be_visible()
    price = page.get_by_label(re.compile("^Price of Wildflower honey 250 g"))
    price.fill("59.00")
    price.press("Enter")
    desk.look("products")
    page.get_by_role("navigation", name="Seller's pages").get_by_role("link", name="Stock").click()
    on_hand = page.get_by_label(re.compile("^On hand: Wildflower honey 250 g"))
    expect(on_hand).to_have_value("40")
    on_hand.fill("77")
    on_hand.press("Enter")
    desk.look("stock")
    page.reload()
    expect(on_hand).to_have_value("77")
    page.goto("/seller/products")
    expect(price).to_have_value("59.00")


def test_a_product_with_options_is_made_by_hand(open_window: Open) -> None:
    phone = open_window(login=SELLER, scheme="dark")
    page: Page = phone.page
    page.goto("/seller/products")
    page.get_by_role("button", name="New product").first.click()
    sheet = page.get_by_role("dialog")
    sheet.get_by_label("Title").fill("Linen shirt")
    sheet.get_by_role("button", name="Add an option").click()
    sheet.get_by_label("Option", exact=True).fill("Size")
    sheet.get_by_label("Values").fill("S, M, L")
    expect(sheet.get_by_text("3 variants")).to_be_visible()
    sheet.get_by_role("button", name="Save").click()
    expect(sheet.get_by_role("alert")).to_contain_text("Each variant needs a price")
    for size in ("S", "M", "L"):
        sheet.get_by_label(f"Price of {size}", exact=True).fill("199")
    phone.look("product-sheet")
    sheet.get_by_role("button", name="Save").click()
    expect(page.get_by_role("button", name="Add pictures")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_text("Linen shirt")).to_be_visible()


def test_pictures_of_a_product_are_uploaded_shown_and_removed(open_window: Open, tmp_path: Path) -> None:
    """A good one is drawn in the sheet, the list and the shop; what is no picture is refused in a sentence."""
    good, bad = tmp_path / "front.png", tmp_path / "notes.png"
    Image.new("RGB", (900, 900), (24, 120, 96)).save(good)
    bad.write_text("not a picture at all")
    phone = open_window(login=SELLER)
    page: Page = phone.page
    page.goto("/seller/products")
    page.get_by_role("button", name=re.compile("^Edit Linen shirt")).click()
    sheet = page.get_by_role("dialog")
    chooser = sheet.locator("input[type=file]")
    drawn = sheet.locator("img")
    chooser.set_input_files(good)
    expect(drawn).to_have_count(1)
    page.wait_for_function("() => document.querySelector('dialog[open] img')?.naturalWidth > 0")
    chooser.set_input_files(bad)
    expect(page.get_by_text("not a picture", exact=False)).to_be_visible()
    expect(drawn).to_have_count(1)
    phone.look("product-pictures")
    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("listitem").filter(has_text="Linen shirt").locator("img")).to_be_visible()

    found = page.request.get("/api/products?q=linen").json()["items"]
    page.goto(f"/products/{found[0]['id']}")
    page.wait_for_function("() => document.querySelector('main img')?.naturalWidth > 0")
    page.goto("/seller/products")
    page.get_by_role("button", name=re.compile("^Edit Linen shirt")).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove picture").click()
    page.get_by_role("dialog", name="Remove this picture?").get_by_role("button", name="Delete").click()
    expect(drawn).to_have_count(0)
    phone.errors[:] = [error for error in phone.errors if "/pictures" not in error]  # the refusal of the bad one


def test_a_product_is_archived(open_window: Open) -> None:
    page: Page = open_window(login=SELLER, scheme="dark").page
    page.goto("/seller/products")
    page.get_by_role("button", name=re.compile("^Edit Linen shirt")).click()
    page.get_by_role("button", name="Archive", exact=True).click()
    page.get_by_role("dialog", name="Archive this product?").get_by_role("button", name="Archive", exact=True).click()
    page.get_by_role("button", name="Archived", exact=True).click()
    expect(page.get_by_text("Linen shirt")).to_be_visible()
