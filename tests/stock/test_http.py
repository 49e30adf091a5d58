"""Products with what is available of them, and counting stock, over HTTP as a seller does it."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.http import Http
from helpers.shop import Shop, draft
from livestall.base import ids


@pytest.fixture
async def seller(shop: Shop) -> str:
    async with shop.db.write() as tx:
        await tx.execute(
            "insert into seller_member (seller_id, user_id, added_at) values ($1, $2, now())", shop.seller, shop.host
        )
    return f"/api/sellers/{shop.seller}"


def cup(**more: Any) -> dict[str, Any]:
    variants = [{"id": str(ids.new()), "options": {"Size": size}, "price_amount": 4500} for size in "SL"]
    return {
        "id": str(ids.new()), "title": "Cup", "description": "", "state": "active",
        "options": [{"name": "Size", "values": ["S", "L"]}], "variants": variants, **more,
    }  # fmt: skip


async def test_a_product_is_written_counted_sold_and_changed(shop: Shop, http: Http, seller: str) -> None:
    body = cup()
    made = await http(shop.host, "POST", f"{seller}/products", body)
    assert made.status_code == 201, made.text
    assert [one["available"] for one in made.json()["variants"]] == [0, 0]
    small = body["variants"][0]["id"]
    count = {"id": str(ids.new()), "rows": [{"variant_id": small, "on_hand": 7}]}
    for _ in range(2):
        (row,) = (await http(shop.host, "PUT", f"{seller}/stock", count)).json()
        assert (row["on_hand"], row["available"], row["held"]) == (7, 7, 0), "a count is absolute"
    product = (await http(None, "GET", f"/api/products/{body['id']}")).json()
    assert {one["id"]: one["available"] for one in product["variants"]}[small] == 7
    changed = await http(shop.host, "PUT", f"{seller}/products/{body['id']}", {**body, "title": "Tall cup"})
    assert (changed.json()["title"], changed.json()["variants"][0]["available"]) == ("Tall cup", 7)
    (card,) = (await http(None, "GET", "/api/products?q=tall")).json()["items"]
    assert (card["available"], card["variants"]) == (7, 2)
    draft_now = await http(shop.host, "PUT", f"{seller}/products/{body['id']}", {**body, "state": "draft"})
    assert draft_now.status_code == 200
    assert (await http(None, "GET", f"/api/products/{body['id']}")).status_code == 404
    assert (await http(shop.host, "GET", f"{seller}/products?state=draft")).json()["items"][0]["id"] == body["id"]


async def test_a_count_below_what_was_promised_says_so(shop: Shop, http: Http, seller: str) -> None:
    tea = await shop.product(20)
    await shop.place(draft(tea.line(3)))
    await shop.flash(tea, quota=10)
    rows = [{"variant_id": str(tea.variant), "on_hand": 12}]
    said = await http(shop.host, "PUT", f"{seller}/stock", {"id": str(ids.new()), "rows": rows})
    assert (said.status_code, said.json()["code"]) == (409, "stock-below-promised")
    assert said.json()["detail"].startswith("13 units are sold, held or set aside for a flash sale")
    (row,) = (await http(shop.host, "GET", f"{seller}/stock")).json()["items"]
    assert (row["on_hand"], row["held"], row["available"], row["in_deals"]) == (20, 3, 7, 10)


@pytest.mark.parametrize("on_hand", [-1, 10**9 + 1, 2**70, None])
async def test_an_impossible_count_is_bad_input(shop: Shop, http: Http, seller: str, on_hand: int | None) -> None:
    tea = await shop.product(5)
    rows = [{"variant_id": str(tea.variant), "on_hand": on_hand}]
    said = await http(shop.host, "PUT", f"{seller}/stock", {"id": str(ids.new()), "rows": rows})
    assert said.status_code in {400, 422}, said.text


async def test_other_peoples_goods_cannot_be_touched(shop: Shop, http: Http, seller: str) -> None:
    stranger, foreign = await http.person(), await shop.product(5, seller=ids.new())
    body, rows = cup(), [{"variant_id": str(foreign.variant), "on_hand": 1}]
    for method, path, sent in [
        ("POST", "/products", body), ("PUT", f"/products/{body['id']}", body), ("GET", "/products", None),
        ("GET", "/stock", None), ("PUT", "/stock", {"id": str(ids.new()), "rows": rows}),
    ]:  # fmt: skip
        assert (await http(stranger, method, seller + path, sent)).status_code in {403, 404}, path
    said = await http(shop.host, "PUT", f"{seller}/stock", {"id": str(ids.new()), "rows": rows})
    assert (said.status_code, said.json()["code"]) == (404, "not-for-sale")
    assert await shop.pool(foreign.variant) == (5, 5, 0, 0)
