"""A flash sale over HTTP, as its host runs it: announced, released in steps, ended; one at a time, not by others."""

from __future__ import annotations

from typing import Any

import pytest

from helpers.http import Http
from helpers.shop import Article, Shop
from livestall.base import clock, ids


def sale(tea: Article, **more: Any) -> dict[str, Any]:
    return {
        "id": str(ids.new()), "listing_id": str(tea.listing), "variant_id": str(tea.variant), "price_amount": 500,
        "quota": 10, "released": 4, "countdown_seconds": 10, "duration_seconds": 60, "per_buyer": 1, **more,
    }  # fmt: skip


async def test_announced_released_in_steps_and_ended(shop: Shop, http: Http) -> None:
    tea = await shop.product(20)
    at, body = f"/api/shows/{shop.show}/flash-sales", sale(tea)
    deal = (await http(shop.host, "POST", at, body)).json()
    assert (deal["state"], deal["quota"], deal["released"], deal["left"]) == ("countdown", 10, 4, 4)
    assert (await http(shop.host, "POST", at, body)).json()["id"] == deal["id"], "the same again"
    other = await http(shop.host, "POST", at, {**body, "quota": 9})
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")
    second = await http(shop.host, "POST", at, sale(tea))
    assert (second.status_code, second.json()["code"]) == (409, "deal-running")
    with clock.travel(11):
        (seen,) = (await http(None, "GET", f"/api/shows/{shop.show}/deals")).json()
        assert seen["state"] == "running"
        more = {"id": str(ids.new()), "quantity": 6}
        for _ in range(2):
            released = (await http(shop.host, "POST", f"/api/deals/{deal['id']}/release", more)).json()
            assert (released["released"], released["left"]) == (10, 10), "sent twice, released once"
        too_much = await http(shop.host, "POST", f"/api/deals/{deal['id']}/release", {**more, "id": str(ids.new())})
        assert (too_much.status_code, too_much.json()["code"]) == (409, "not-enough-stock")
        ended = (await http(shop.host, "POST", f"/api/deals/{deal['id']}/end")).json()
        assert (ended["state"], ended["left"]) == ("ended", 0)
        assert await shop.pool(tea.variant) == (20, 20, 0, 0)
        assert (await http(shop.host, "POST", at, sale(tea))).status_code == 201, "the article is free again"


async def test_nobody_elses_show(shop: Shop, http: Http) -> None:
    tea, stranger = await shop.product(20), await http.person()
    deal = await shop.flash(tea)
    for path, body in [
        (f"/api/shows/{shop.show}/flash-sales", sale(tea)), (f"/api/deals/{deal.id}/end", None),
        (f"/api/deals/{deal.id}/release", {"id": str(ids.new()), "quantity": 1}),
    ]:  # fmt: skip
        assert (await http(stranger, "POST", path, body)).status_code in {403, 404}, path
        assert (await http(None, "POST", path, body)).status_code == 401, path
    assert (await http(shop.host, "POST", f"/api/deals/{ids.new()}/end")).status_code == 404


@pytest.mark.parametrize("wrong", [
    {"price_amount": 1000}, {"price_amount": 0}, {"quota": 0}, {"quota": 2**40}, {"released": 11},
    {"countdown_seconds": 301}, {"duration_seconds": 10**6}, {"per_buyer": 0}, {"quota": 21},
])  # fmt: skip
async def test_terms_that_make_no_sense_are_refused(shop: Shop, http: Http, wrong: dict[str, int]) -> None:
    tea = await shop.product(20)
    answer = await http(shop.host, "POST", f"/api/shows/{shop.show}/flash-sales", sale(tea, **wrong))
    assert answer.status_code in {400, 409, 422}, answer.text
    assert await shop.pool(tea.variant) == (20, 20, 0, 0)


async def test_a_sale_ends_with_its_show(shop: Shop, http: Http) -> None:
    tea = await shop.product(20)
    deal = (await http(shop.host, "POST", f"/api/shows/{shop.show}/flash-sales", sale(tea))).json()
    assert (await http(shop.host, "POST", f"/api/shows/{shop.show}/end")).json()["state"] == "ended"
    await http.beat()
    (seen,) = (await http(shop.host, "GET", f"/api/shows/{shop.show}/deals")).json()
    assert (seen["id"], seen["state"]) == (deal["id"], "cancelled"), "it never opened"
    assert await shop.pool(tea.variant) == (20, 20, 0, 0)
    late = await http(shop.host, "POST", f"/api/shows/{shop.show}/flash-sales", sale(tea))
    assert late.status_code == 409
