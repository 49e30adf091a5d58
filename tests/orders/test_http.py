"""Buying over HTTP: placing, refusals, addresses, paying at the sandbox until it is paid, and money going back."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from helpers.http import Http
from helpers.shop import Article, Shop
from livestall import ledger, payments
from livestall.app import wiring
from livestall.base import clock, ids, outbox
from livestall.base.money import Money
from livestall.orders import actions, jobs

CITY = {"recipient": "Lin Mei", "phone": "+8613800000000", "city": "江门市", "line1": "会城街道 18 号", "country": "CN"}


def wish(tea: Article, show: UUID | None = None, quantity: Any = 1, **line: Any) -> dict[str, Any]:
    lines = [{"variant_id": str(tea.variant), "quantity": quantity, "listing_id": str(tea.listing), **line}]
    return {"id": str(ids.new()), "show_id": None if show is None else str(show), "lines": lines, "address": CITY}


async def placed(http: Http, buyer: UUID, body: dict[str, Any]) -> dict[str, Any]:
    answer = await http(buyer, "POST", "/api/orders", body)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def look(http: Http, buyer: UUID, order_id: str) -> dict[str, Any]:
    return (await http(buyer, "GET", f"/api/orders/{order_id}")).json()


async def begun(http: Http, buyer: UUID, order_id: str) -> str:
    answer = await http(buyer, "POST", f"/api/orders/{order_id}/pay", {"return_url": f"/orders/{order_id}"})
    assert answer.status_code == 200, answer.text
    return answer.json()["pay_url"]


async def paid(http: Http, buyer: UUID, body: dict[str, Any], card: str = "4242424242424242") -> dict[str, Any]:
    order = await placed(http, buyer, body)
    assert (await http.pay_with(await begun(http, buyer, order["id"]), card)).status_code == 303
    await http.beat()
    return await look(http, buyer, order["id"])


def moments(order: dict[str, Any]) -> list[str]:
    return [one["what"] for one in order["history"]]


async def test_the_same_order_again_is_the_same_order_and_other_contents_are_refused(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(5, show_price=900), await http.person()
    body = wish(tea, shop.show)
    order = await placed(http, buyer, body)
    assert (order["state"], order["total"], order["payment"]) == ("placed", {"amount": 900, "currency": "CNY"}, None)
    assert [(one["account"], one["amount"]["amount"], one["state"]) for one in order["waterfall"]] == [
        ("seller", 810, "estimated"), ("creator", 90, "estimated"), ("market", 0, "estimated"),
    ]  # fmt: skip
    again = await http(buyer, "POST", "/api/orders", body)
    assert (again.status_code, again.json()["number"]) == (200, order["number"])
    body["lines"][0]["quantity"] = 2
    other = await http(buyer, "POST", "/api/orders", body)
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")
    assert (await http(None, "POST", "/api/orders", wish(tea))).status_code == 401
    assert await shop.pool(tea.variant) == (5, 5, 1, 0)


@pytest.mark.parametrize("quantity", [0, -1, 1000, 2**31, 2**70, 1.5, None])
async def test_an_impossible_quantity_is_bad_input(shop: Shop, http: Http, quantity: Any) -> None:
    tea = await shop.product(5)
    answer = await http(await http.person(), "POST", "/api/orders", wish(tea, quantity=quantity))
    assert answer.status_code in {400, 422}, answer.text
    if quantity == 0:
        assert "lines[0].quantity must be at least 1" in answer.json()["detail"]
    assert await shop.pool(tea.variant) == (5, 5, 0, 0)


async def test_each_refusal_has_its_own_code_and_sentence_in_both_languages(shop: Shop, http: Http) -> None:
    tea, few = await shop.product(5, per_buyer=1), await shop.product(1)
    foreign, buyer = await shop.product(5, seller=ids.new()), await http.person()
    flash = await shop.flash(await shop.product(20))
    await placed(http, buyer, wish(tea))
    closed = await shop.product(5)
    two_sellers = wish(few)
    two_sellers["lines"].append({"variant_id": str(foreign.variant), "quantity": 1})
    in_flash = {"variant_id": str(flash.variant_id), "listing_id": None, "deal_id": str(flash.id)}
    cases = [
        (wish(tea), 409, "limit-reached", "Each person may buy 1", "每人限购 1 件"),
        (wish(few, quantity=2), 409, "sold-out", "Sold out: 1 left, 2 asked for", "剩余 1 件"),
        (wish(few, variant_id=str(ids.new())), 404, "not-for-sale", "not for sale", "不在售"),
        (two_sellers, 422, "several-sellers", "one seller", "同一商家"),
        (wish(few, ids.new()), 404, "no-such-show", "not offered in this show", "不在本场直播"),
        (wish(closed, **in_flash), 409, "deal-not-open", "opens in", "秒后开始"),
        (wish(closed, deal_id=str(ids.new())), 404, "no-such-deal", "no such flash sale", "没有此秒杀"),
    ]
    for body, status, code, english, chinese in cases:
        buyer = buyer if code == "limit-reached" else await http.person()  # an account has its pace
        said = await http(buyer, "POST", "/api/orders", body)
        assert (said.status_code, said.json()["code"]) in {(status, code), (400, code)}, said.text
        assert english in said.json()["detail"]
        assert chinese in (await http(buyer, "POST", "/api/orders", body, language="zh")).json()["detail"]
    with clock.travel(3600):
        over = await http(buyer, "POST", "/api/orders", wish(closed, **in_flash))
    assert (over.status_code, over.json()["code"]) == (409, "deal-closed")


async def test_a_suspended_seller_sells_nothing(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(5), await http.person()
    async with shop.db.write() as tx:
        await tx.execute("update seller set state = 'suspended' where id = $1", shop.seller)
    body = wish(tea)
    refused = await http(buyer, "POST", "/api/orders", body)
    assert (refused.status_code, refused.json()["code"]) == (409, "seller-suspended")
    assert "Tea cannot sell at the moment" in refused.json()["detail"]
    assert await shop.pool(tea.variant) == (5, 5, 0, 0)
    async with shop.db.write() as tx:
        await tx.execute("update seller set state = 'approved' where id = $1", shop.seller)
    await placed(http, buyer, body)


async def test_an_order_is_its_buyers_and_its_sellers(shop: Shop, http: Http) -> None:
    tea, buyer, other = await shop.product(5), await http.person(), await http.person()
    order = await placed(http, buyer, wish(tea))
    at = f"/api/orders/{order['id']}"
    for method, path, body in [
        ("GET", at, None), ("POST", f"{at}/cancel", None), ("PUT", f"{at}/address", CITY),
        ("POST", f"{at}/pay", {"return_url": "/"}), ("GET", f"/api/sellers/{shop.seller}/orders", None),
    ]:  # fmt: skip
        assert (await http(other, method, path, body)).status_code in {403, 404}, path
    assert (await http(other, "GET", "/api/orders")).json()["items"] == []
    moved = await http(buyer, "PUT", f"{at}/address", {**CITY, "line1": "建设路 2 号"})
    assert moved.json()["address"]["line1"] == "建设路 2 号"
    cancelled = (await http(buyer, "POST", f"{at}/cancel")).json()
    assert (cancelled["state"], cancelled["cancel_reason"]) == ("cancelled", "buyer")
    assert (await http(buyer, "POST", f"{at}/cancel")).status_code == 200, "again changes nothing"
    late = await http(buyer, "POST", f"{at}/pay", {"return_url": "/"})
    assert (late.status_code, late.json()["code"]) == (409, "wrong-order-state")
    assert await shop.pool(tea.variant) == (5, 5, 0, 0)


async def test_an_address_book_of_ones_own(http: Http) -> None:
    buyer, other = await http.person(), await http.person()
    first, second = ({**CITY, "id": str(ids.new())} for _ in range(2))
    assert (await http(buyer, "POST", "/api/me/addresses", first)).json()["is_default"] is True
    assert (await http(buyer, "POST", "/api/me/addresses", {**second, "is_default": True})).status_code == 201
    book = (await http(buyer, "GET", "/api/me/addresses")).json()
    assert [(one["id"], one["is_default"]) for one in book] == [(second["id"], True), (first["id"], False)]
    at = f"/api/me/addresses/{first['id']}"
    changed = await http(buyer, "PUT", at, {**first, "city": "广州市"})
    assert changed.json()["city"] == "广州市"
    assert (await http(other, "PUT", at, first)).status_code == 404
    assert (await http(other, "DELETE", at)).status_code == 404
    assert (await http(other, "POST", "/api/me/addresses", first)).json()["code"] == "id-reused"
    assert (await http(buyer, "POST", "/api/me/addresses", {**second, "phone": "<b>"})).status_code in {400, 422}
    assert (await http(buyer, "DELETE", f"/api/me/addresses/{second['id']}")).status_code == 204
    assert [(one["id"], one["is_default"]) for one in (await http(buyer, "GET", "/api/me/addresses")).json()] == [
        (first["id"], True)
    ]


async def test_paid_at_the_sandbox_and_listed_as_paid(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(5), await http.person()
    order = await paid(http, buyer, wish(tea, shop.show))
    assert (order["state"], order["payment"]["state"], order["expires_at"]) == ("paid", "captured", None)
    assert moments(order) == ["placed", "paid"]
    (mine,) = (await http(buyer, "GET", "/api/orders")).json()["items"]
    assert mine == order
    assert [(one["account"], one["state"]) for one in mine["waterfall"]] == [
        ("seller", "payable"), ("creator", "estimated"), ("market", "payable"),
    ]  # fmt: skip
    assert await shop.pool(tea.variant) == (5, 5, 0, 1)


async def test_a_refund_gives_the_units_back_and_reverses_the_split_under_its_own_id(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(5), await http.person()
    order = await paid(http, buyer, wish(tea, shop.show))
    refund = payments.Refund(id=ids.new(), order_id=UUID(order["id"]), reason="returned")
    await shop.db.run(lambda tx: payments.request_refund(tx, [refund]))
    await http.beat()
    order = await look(http, buyer, order["id"])
    assert (order["state"], order["payment"]["state"], moments(order)) == (
        "refunded", "refunded", ["placed", "paid", "refunded"],
    )  # fmt: skip
    assert await shop.pool(tea.variant) == (5, 5, 0, 0)
    async with shop.db.read() as read:
        booked = await ledger.transfers_of(read, [refund.id])
        assert await ledger.drift(read) == 0
    assert sorted((one.kind, one.amount) for one in booked) == [("refund.creator", 100), ("refund.seller", 1000)]


async def test_an_unpaid_flash_order_gives_its_units_back_and_everyone_hears_of_it(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(20), await http.person()
    flash = await shop.flash(tea, quota=10)
    with clock.travel(11):
        order = await placed(http, buyer, wish(tea, shop.show, deal_id=str(flash.id), listing_id=None))
        assert (await shop.pool(flash.id))[2] == 1
    with clock.travel(11 + 290):
        await http.beat()
        assert (await look(http, buyer, order["id"]))["state"] == "placed"
    with clock.travel(11 + 305):
        await http.beat()
    async with shop.db.read() as read:
        told = await read.fetch(
            "select payload from outbox where topic = 'stock.changed' and subject = $1 order by id", tea.variant
        )
    assert (await look(http, buyer, order["id"]))["cancel_reason"] == "expired"
    assert 1 in [one["payload"]["held"] for one in told]
    assert told[-1]["payload"]["held"] == 0
    assert await shop.pool(tea.variant) == (20, 20, 0, 0), "the sale is over as well: the quota went home"


async def test_money_that_is_here_but_not_yet_heard_of_keeps_the_units(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(1), await http.person()
    order = await placed(http, buyer, wish(tea))
    assert (await http.pay_with(await begun(http, buyer, order["id"]))).status_code == 303
    await http.notice()
    with clock.travel(3600):
        assert await jobs.expire(shop.db) == 0
    await http.beat()
    assert (await look(http, buyer, order["id"]))["state"] == "paid"


@pytest.mark.parametrize("still_there", [True, False])
async def test_late_money_holds_the_units_again_or_is_let_go(shop: Shop, http: Http, still_there: bool) -> None:
    tea, buyer = await shop.product(1), await http.person()
    order = await placed(http, buyer, wish(tea))
    assert (await http.pay_with(await begun(http, buyer, order["id"]))).status_code == 303
    await http.notice()
    locked = await shop.db.run(lambda tx: actions.store.lock(tx, [UUID(order["id"])]))
    await shop.db.run(
        lambda tx: actions._cancel(tx, list(locked.values()), "expired", None)
    )  # the sweep read too early
    if not still_there:
        await placed(http, await http.person(), wish(tea))
    await shop.relay(*wiring.LISTENERS)
    await http.beat()
    order = await look(http, buyer, order["id"])
    assert moments(order)[:2] == ["placed", "cancelled:expired"]
    assert (order["state"], order["payment"]["state"]) == (
        ("paid", "captured") if still_there else ("cancelled", "voided")
    )
    assert await shop.pool(tea.variant) == ((1, 1, 0, 1) if still_there else (1, 1, 1, 0))


@pytest.mark.parametrize("reason", ["capture-refused", "authorisation-expired"])
async def test_a_sale_whose_money_does_not_come_is_undone(shop: Shop, http: Http, reason: str) -> None:
    tea, buyer = await shop.product(5), await http.person()
    order = await paid(http, buyer, wish(tea, shop.show))
    subject, at = UUID(order["id"]), clock.now()
    failed = payments.PaymentFailed(subject=subject, payment_id=UUID(order["payment"]["id"]), reason=reason, at=at)
    await shop.db.run(lambda tx: outbox.emit(tx, [failed, failed]))
    await http.beat()
    order = await look(http, buyer, order["id"])
    assert (order["state"], order["cancel_reason"]) == ("cancelled", "payment-failed")
    assert await shop.pool(tea.variant) == (5, 5, 0, 0)
    seller = ledger.Account(ledger.Owner.seller, shop.seller, ledger.Purpose.payable, "CNY")
    async with shop.db.read() as read:
        assert (await ledger.balances(read, [seller]))[seller].amount == 0


async def test_what_moves_nothing_is_written_in_the_history(shop: Shop, http: Http) -> None:
    tea, buyer = await shop.product(5), await http.person()
    order = await placed(http, buyer, wish(tea))
    subject, payment_id, at = UUID(order["id"]), ids.new(), clock.now()
    surplus = payments.PaymentSurplus(subject=subject, payment_id=payment_id, amount=Money(1000, "CNY"), at=at)
    refused = payments.PaymentRefundFailed(
        subject=subject, payment_id=payment_id, refund_id=ids.new(), reason="card-closed", at=at
    )
    await shop.db.run(lambda tx: outbox.emit(tx, [surplus, refused]))
    await http.beat()
    order = await look(http, buyer, order["id"])
    assert (order["state"], moments(order)) == ("placed", ["placed", "surplus-goes-back", "refund-failed"])
    expired = payments.PaymentFailed(subject=subject, payment_id=payment_id, reason="expired", at=at)
    await shop.db.run(lambda tx: outbox.emit(tx, [expired]))
    await http.beat()
    assert (await look(http, buyer, order["id"]))["cancel_reason"] == "expired"
