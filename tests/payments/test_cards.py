"""Every test card's story, from the buyer's click to what the order hears."""

from __future__ import annotations

from typing import Any

import pytest

from livestall import payments
from livestall.base import clock, ids


async def test_authorise_then_capture(market: Any) -> None:
    order = await market.paid()
    await market.beat()
    assert await market.state(order) == "authorised"
    assert await market.at_provider() == [("authorised", 0, 0)]
    await market.ask(payments.request_capture, [order])
    await market.ask(payments.request_capture, [order])
    await market.beat()
    assert await market.history(order) == ["authorised", "captured"]
    assert await market.events(order) == ["authorised", "captured"]
    assert await market.at_provider() == [("captured", 5_990, 0)]
    assert (await market.payment(order)).method == "visa ···· 4242"


@pytest.mark.parametrize(
    ("number", "refusal", "words"),
    [
        ("4000 0000 0000 0002", "declined", "declined the card"),
        ("4000 0000 0000 9995", "insufficient-funds", "not enough money"),
    ],
)
async def test_a_refused_card_says_why_and_another_one_may_be_tried(
    market: Any, number: str, refusal: str, words: str
) -> None:
    order = await market.expect()
    page = await market.start(order)
    answer = await market.click(page, number)
    assert words in answer.text
    assert 'role="alert"' in answer.text
    await market.beat()
    assert (await market.payment(order)).refusal == refusal
    assert await market.state(order) == "expected"
    assert await market.events(order) == []
    assert (await market.click(page, "4242 4242 4242 4242")).status_code == 303
    await market.beat()
    assert await market.events(order) == ["authorised"]
    assert (await market.payment(order)).refusal is None


async def test_a_notice_that_comes_twice_is_used_once(market: Any) -> None:
    order = await market.paid("4000000000000259")
    await market.beat()
    assert market.wire.seen.count("POST /api/payments/notices/sandbox") == 2
    assert await market.count("select count(*) from payment_notice") == 1
    assert await market.events(order) == ["authorised"]


async def test_a_late_notice_is_not_waited_for_but_found_out(market: Any) -> None:
    order = await market.paid("4000000000000341")
    await market.beat()
    assert await market.state(order) == "expected"
    with clock.travel(16):
        await market.beat()
        assert await market.state(order) == "authorised"
        assert await market.count("select count(*) from payment_notice") == 0
    with clock.travel(31):
        await market.beat()
    assert await market.count("select count(*) from payment_notice where outcome = 'old'") == 1
    assert await market.events(order) == ["authorised"]


async def test_a_notice_that_never_comes_is_found_out(market: Any) -> None:
    order = await market.paid("4000000000000119")
    with clock.travel(16):
        await market.beat()
    assert await market.events(order) == ["authorised"]
    assert await market.count("select count(*) from sandbox_notice") == 0


async def test_a_refused_capture_fails_the_payment(market: Any) -> None:
    order = await market.paid("4000000000000127")
    await market.beat()
    await market.ask(payments.request_capture, [order])
    await market.beat()
    assert await market.history(order) == ["authorised", "failed"]
    assert await market.events(order) == ["authorised", "failed"]
    assert await market.at_provider() == [("failed", 0, 0)]


async def test_called_off_before_it_was_paid(market: Any) -> None:
    order = await market.expect()
    page = await market.start(order)
    await market.ask(payments.request_void, [order])
    assert await market.events(order) == ["voided"]
    await market.beat()
    assert await market.at_provider() == [("voided", 0, 0)]
    answer = await market.click(page, "4242424242424242")
    assert answer.status_code == 410
    assert "called off" in answer.text
    with pytest.raises(payments.NotPayable):
        await market.start(order)


async def test_the_stock_is_gone_so_the_authorisation_is_let_go_never_refunded(market: Any) -> None:
    order = await market.paid()
    await market.beat()
    await market.ask(payments.request_void, [order])
    await market.ask(payments.request_void, [order])
    await market.beat()
    assert await market.events(order) == ["authorised", "voided"]
    assert await market.at_provider() == [("voided", 0, 0)]


async def test_called_off_after_the_capture_gives_all_back_once(market: Any) -> None:
    order = await market.paid()
    await market.beat()
    await market.ask(payments.request_capture, [order])
    await market.beat()
    await market.ask(payments.request_void, [order])
    await market.ask(payments.request_void, [order])
    await market.beat()
    assert await market.events(order) == ["authorised", "captured", "refunded"]
    assert await market.at_provider() == [("captured", 5_990, 5_990)]


async def test_refunds_in_parts_up_to_the_whole_and_no_further(market: Any) -> None:
    order = await market.paid()
    await market.beat()
    with pytest.raises(payments.NoPayment):
        await market.ask(payments.request_refund, [payments.Refund(id=ids.new(), order_id=order)])
    await market.ask(payments.request_capture, [order])
    await market.beat()
    part = payments.Refund(id=ids.new(), order_id=order, amount=990, reason="a cup was broken")
    await market.ask(payments.request_refund, [part])
    await market.ask(payments.request_refund, [part])
    with pytest.raises(payments.RefundTooLarge):
        await market.ask(payments.request_refund, [payments.Refund(id=ids.new(), order_id=order, amount=5_001)])
    await market.beat()
    assert (await market.payment(order)).refunded.amount == 990
    assert await market.state(order) == "captured"
    await market.ask(payments.request_refund, [payments.Refund(id=ids.new(), order_id=order)])
    await market.beat()
    assert await market.state(order) == "refunded"
    assert await market.events(order) == ["authorised", "captured", "refunded", "refunded"]
    async with market.db.read() as read:
        rows = await read.fetch("select payload from outbox where topic = 'payment.refunded' order by id")
    assert [(row["payload"]["amount"]["amount"], row["payload"]["whole"]) for row in rows] == [
        (990, False),
        (5_000, True),
    ]
    assert rows[0]["payload"]["refund_id"] == str(part.id)
