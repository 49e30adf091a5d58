"""Forged, old, repeated and disordered notices; a provider that is away; money that comes twice or too late."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import msgspec
import pytest

from livestall import payments
from livestall.base import clock, ids
from livestall.base.errors import SameIdOtherContents
from livestall.payments import jobs
from livestall.payments.backends.sandbox.model import Notice, Session, sign
from livestall.payments.model import ForeignReturn, own_url

NOTICES = "/api/payments/notices/sandbox"


def notice(reference: str, *, version: int = 2, status: str = "authorised", amount: int = 5_990, session: str = "ss_x"):
    body = Session(
        id=session, version=version, status=status, reference=reference, amount=amount, currency="CNY", captured=0,
        refunds=[], method="visa ···· 4242", refusal=None, expires_at=clock.now(), pay_path="/",
    )  # fmt: skip
    return msgspec.json.encode(Notice(f"session.{status}", clock.now(), body))


async def send(market: Any, body: bytes, *, age: float = 0, signature: str | None = None, notice_id: str = "") -> int:
    notice_id, when = notice_id or f"msg_{ids.new()}", int((clock.now() - timedelta(seconds=age)).timestamp())
    headers = {
        "webhook-id": notice_id,
        "webhook-timestamp": str(when),
        "webhook-signature": signature or sign(notice_id, when, body),
    }
    return (await market.buyer.post(NOTICES, content=body, headers=headers)).status_code


async def session_of(market: Any, order: Any) -> tuple[str, str]:
    async with market.db.read() as read:
        row = await read.fetchrow("select reference, id from sandbox_session order by created_at desc limit 1")
    return row["reference"], row["id"]


async def test_only_a_fresh_and_rightly_signed_notice_is_stored(market: Any) -> None:
    body = notice(str(ids.new()))
    assert await send(market, body, signature="v1,AAAA") == 401
    assert await send(market, body, signature="v1," + "=" * 5_000) == 401
    assert await send(market, body, age=301) == 401
    assert await send(market, body, age=-301) == 401
    assert (await market.buyer.post(NOTICES, content=body)).status_code == 401
    assert (await market.buyer.post("/api/payments/notices/nobody", content=body)).status_code == 404
    assert (await market.buyer.post(NOTICES, content=b"x" * 70_000)).status_code == 413
    assert await market.count("select count(*) from payment_notice") == 0
    assert await send(market, body, signature="v1,AAAA " + "v1,BBBB", age=10) == 401
    assert await send(market, body, age=290) == 200
    assert await market.count("select count(*) from payment_notice") == 1


async def test_a_notice_changed_on_the_way_is_refused(market: Any) -> None:
    body, when = notice(str(ids.new())), int(clock.now().timestamp())
    signature = sign("msg_1", when, body)
    assert await send(market, body.replace(b"5990", b"1"), signature=signature, notice_id="msg_1") == 401


async def test_strange_notices_are_put_aside_and_stop_no_other(market: Any) -> None:
    order = await market.paid()
    assert await send(market, b"no JSON at all") == 200
    assert await send(market, notice(str(ids.new()))) == 200
    assert await send(market, notice("no id")) == 200
    await market.beat()
    assert await market.state(order) == "authorised"
    async with market.db.read() as read:
        rows = await read.fetch("select outcome, count(*) as n from payment_notice group by 1 order by 1")
    assert {row["outcome"]: row["n"] for row in rows} == {"settled": 1, "unknown": 2, "unreadable": 1}


async def test_captured_is_told_before_authorised(market: Any) -> None:
    order = await market.expect()
    await market.start(order)
    reference, session = await session_of(market, order)
    await send(market, notice(reference, version=3, status="captured", session=session))
    await send(market, notice(reference, version=2, status="authorised", session=session))
    await jobs.settle_notices(market.db)
    assert await market.events(order) == ["authorised", "captured"]
    assert await market.history(order) == ["authorised", "captured"]


async def test_the_wrong_amount_pays_nothing_and_goes_back(market: Any) -> None:
    order = await market.expect()
    await market.start(order)
    reference, session = await session_of(market, order)
    await send(market, notice(reference, session=session, amount=1))
    await jobs.settle_notices(market.db)
    assert await market.state(order) == "expected"
    assert await market.events(order) == ["surplus"]
    assert await market.count("select count(*) from payment_notice where outcome = 'wrong-amount'") == 1
    assert await market.count("select count(*) from payment_request where kind = 'void'") == 1


@pytest.mark.parametrize("fault", ["down", "500", "half", "429"])
async def test_the_provider_is_away_while_we_capture(market: Any, fault: str) -> None:
    order = await market.paid()
    await market.beat()

    def broken(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("/capture"):
            return None
        if fault == "down":
            raise httpx.ConnectError("refused")
        return httpx.Response({"500": 500, "half": 200, "429": 429}[fault], content=b'{"id": "ss_')

    await market.ask(payments.request_capture, [order])
    market.wire.fault = broken
    await market.beat()
    assert await market.state(order) == "authorised"
    market.wire.fault = lambda _request: None
    await market.beat()
    assert await market.state(order) == "authorised", "it waits before it asks again"
    with clock.travel(3):
        await market.beat()
    assert await market.events(order) == ["authorised", "captured"]


async def test_the_answer_to_a_capture_is_lost_and_it_is_not_taken_twice(market: Any) -> None:
    order = await market.paid("4000000000000119")
    with clock.travel(16):
        await market.beat()
        await market.ask(payments.request_capture, [order])
        inner = market.wire._inner

        class Deaf(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                await inner.handle_async_request(request)
                raise httpx.ReadTimeout("no answer")

        market.wire._inner = Deaf()
        await market.beat()
        market.wire._inner = inner
        assert await market.at_provider() == [("captured", 5_990, 0)]
        assert await market.state(order) == "authorised"
    with clock.travel(80):
        await market.beat()
    assert await market.events(order) == ["authorised", "captured"]
    assert await market.count("select count(*) from sandbox_movement") == 1


async def test_the_provider_is_away_when_the_buyer_wants_to_pay(market: Any) -> None:
    order = await market.expect()
    market.wire.fault = lambda _request: httpx.Response(503)
    with pytest.raises(payments.ProviderAway):
        await market.start(order)
    market.wire.fault = lambda _request: None
    page = await market.start(order)
    assert (await market.page(page)).status_code == 200
    assert len(await market.at_provider()) == 1


async def test_a_market_that_is_away_is_told_again(market: Any) -> None:
    order = await market.paid()
    market.wire.fault = lambda request: httpx.Response(500) if request.url.path == NOTICES else None
    await market.beat()
    market.wire.fault = lambda _request: None
    assert await market.state(order) == "expected"
    with clock.travel(6):
        await market.beat()
    assert await market.events(order) == ["authorised"]


async def test_start_again_is_the_same_page_until_the_way_back_changes(market: Any) -> None:
    order = await market.expect()
    pages = await asyncio.gather(*(market.start(order) for _ in range(4)))
    assert len({one.pay_url for one in pages}) == 1
    other = await market.start(order, "/shows/1")
    assert other.pay_url != pages[0].pay_url
    await market.beat()
    assert [status for status, _, _ in await market.at_provider()] == ["voided", "open"]


async def test_paying_on_two_pages_takes_one_and_gives_the_other_back(market: Any) -> None:
    order = await market.expect()
    first = await market.start(order)
    second = await market.start(order, "/shows/1")
    for page in (first, second):  # before the first page could be closed
        assert (await market.click(page, "4242424242424242")).status_code == 303
    await market.beat()
    assert await market.events(order) == ["authorised", "surplus"]
    assert sorted(status for status, _, _ in await market.at_provider()) == ["authorised", "voided"]
    with pytest.raises(payments.AlreadyPaid):
        await market.start(order)


async def test_two_clicks_and_a_second_visit_pay_once(market: Any) -> None:
    order = await market.expect()
    page = await market.start(order)
    answers = await asyncio.gather(*(market.click(page, "4242424242424242", token="same-click") for _ in range(5)))
    assert {one.status_code for one in answers} == {303}
    assert "Paid" in (await market.page(page)).text
    await market.beat()
    assert await market.count("select count(*) from sandbox_attempt") == 1
    assert await market.events(order) == ["authorised"]


async def test_late_money_within_the_grace_is_the_orders_to_decide(market: Any) -> None:
    order = await market.paid("4000000000000119")
    with clock.travel(310):
        await jobs.fail_overdue(market.db)
        await market.beat()
        async with market.db.read() as read:
            payload = await read.fetchval("select payload from outbox where topic = 'payment.authorised'")
        assert payload["late"] is True
        await market.ask(payments.request_void, [order])
        await market.beat()
    assert await market.events(order) == ["authorised", "voided"]
    assert await market.at_provider() == [("voided", 0, 0)]


@pytest.mark.parametrize(
    ("number", "heard"), [("4242424242424242", ["failed", "surplus"]), ("4000000000000119", ["failed"])]
)
async def test_late_money_after_the_payment_was_given_up_goes_back_by_itself(
    market: Any, number: str, heard: list[str]
) -> None:
    """With its notice we hear of it; without, closing the page lets the money go all the same."""
    order = await market.paid(number)
    with clock.travel(361):
        await jobs.fail_overdue(market.db)
        assert await market.state(order) == "failed"
        await market.beat()
    assert await market.events(order) == heard
    assert await market.at_provider() == [("voided", 0, 0)]


async def test_nobody_pays_and_the_page_closes(market: Any) -> None:
    order = await market.expect()
    page = await market.start(order)
    with clock.travel(301):
        answer = await market.click(page, "4242424242424242")
        assert answer.status_code == 410
        assert "time to pay is over" in answer.text
        with pytest.raises(payments.NotPayable):
            await market.start(order)
    with clock.travel(361):
        assert await jobs.fail_overdue(market.db) == 1
        assert await jobs.fail_overdue(market.db) == 0
    assert await market.events(order) == ["failed"]


async def test_more_time_for_the_order_is_more_time_on_the_page(market: Any) -> None:
    order = await market.expect(seconds=60)
    first = await market.start(order)
    until = clock.now() + timedelta(seconds=180)
    await market.ask(payments.extend, [payments.Extension(order, until)])
    second = await market.start(order)
    assert second.expires_at > first.expires_at
    with clock.travel(100):
        assert (await market.click(second, "4242424242424242")).status_code == 303


async def test_expecting_again_changes_nothing(market: Any) -> None:
    order = await market.expect()
    again = payments.Expected(
        order_id=order, seller_id=ids.new(), amount=1, currency="CNY", expires_at=clock.now()
    )  # fmt: skip
    await market.ask(payments.expect, [again])
    assert (await market.payment(order)).amount.amount == 5_990
    with pytest.raises(payments.NoPayment):
        await market.start(ids.new())


async def test_a_refund_id_with_other_contents_is_its_own_error(market: Any) -> None:
    order = await market.paid()
    await market.beat()
    await market.ask(payments.request_capture, [order])
    await market.beat()
    refund_id = ids.new()
    await market.ask(payments.request_refund, [payments.Refund(id=refund_id, order_id=order, amount=5)])
    with pytest.raises(SameIdOtherContents):
        await market.ask(payments.request_refund, [payments.Refund(id=refund_id, order_id=order, amount=6)])


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.test/x", "//evil.test/x", "/\\evil.test", "javascript:alert(1)", "https://market.test.evil.test/",
        "https://market.test@evil.test/", "http://market.test/", "/a\nb", "orders", "", "https://[", "/好",
    ],
)  # fmt: skip
def test_the_way_back_leads_to_our_own_pages_only(url: str) -> None:
    with pytest.raises(ForeignReturn):
        own_url(url, "https://market.test")


def test_our_own_pages_are_a_way_back() -> None:
    assert own_url("/orders/1?paid=1", "https://market.test") == "https://market.test/orders/1?paid=1"
    assert own_url("https://market.test/a", "https://market.test") == "https://market.test/a"
    assert own_url("https://market.test/a", "http://market.test") == "https://market.test/a", "behind a TLS proxy"
