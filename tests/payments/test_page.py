"""The provider's hosted page: what it says, what it accepts, what it never keeps."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from livestall.base import clock, config
from livestall.payments.backends.sandbox.model import CARDS, Settings, check_card, luhn


async def test_the_page_says_what_is_paid_to_whom_and_that_it_is_a_test(market: Any) -> None:
    page = await market.start(await market.expect())
    english = await market.page(page)
    assert english.status_code == 200
    for words in ("¥59.90", "Tea &amp; Co", "Order A-17", "Test payment", "Time left", "4242 4242 4242 4242"):
        assert words in english.text
    chinese = await market.buyer.get(urlsplit(page.pay_url).path + "?lang=zh")
    for words in ("¥59.90", "测试支付", "剩余支付时间", 'lang="zh-CN"'):
        assert words in chinese.text


async def test_nothing_comes_from_elsewhere_and_the_policy_says_so(market: Any) -> None:
    answer = await market.page(await market.start(await market.expect()))
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "form-action 'self' https://market.test;" in policy
    assert answer.headers["cache-control"] == "no-store"
    assert " style=" not in answer.text
    assert re.findall(r'(?:src|href)="(https?:[^"]+)"', answer.text) == ["https://market.test/orders/1?paid=1"]
    for asset in re.findall(r'"(/sandbox/assets/[^"]+)"', answer.text):
        assert (await market.buyer.get(asset)).status_code == 200
    assert (await market.buyer.get("/sandbox/assets/model.py")).status_code == 404


@pytest.mark.parametrize(
    ("number", "expiry", "cvc", "field"),
    [
        ("4242424242424241", "12/34", "123", "number"),  # a wrong digit
        ("4111111111111111", "12/34", "123", "number"),  # a real kind of card
        ("", "12/34", "123", "number"),
        ("٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢", "12/34", "123", "number"),
        ("4242424242424242", "13/34", "123", "expiry"),
        ("4242424242424242", "10/26", "123", "expiry"),
        ("4242424242424242", "12/99", "123", "expiry"),
        ("4242424242424242", "", "123", "expiry"),
        ("4242424242424242", "12/34", "12", "cvc"),
        ("4242424242424242", "12/34", "<b>", "cvc"),
    ],
)
async def test_a_wrong_field_is_named_and_nothing_is_kept(
    market: Any, number: str, expiry: str, cvc: str, field: str
) -> None:
    page = await market.start(await market.expect())
    answer = await market.click(page, number, expiry=expiry, cvc=cvc)
    assert answer.status_code == 422
    assert re.findall(r'id="(\w+)-wrong"', answer.text) == [field]
    assert f'aria-describedby="{field}-wrong"' in answer.text
    assert "<b>" not in answer.text
    assert await market.count("select count(*) from sandbox_attempt") == 0
    assert await market.at_provider() == [("open", 0, 0)]


async def test_no_whole_card_number_is_stored_anywhere(market: Any) -> None:
    order = await market.paid()
    await market.beat()
    async with market.db.read() as read:
        tables = await read.fetch("select tablename as name from pg_tables where schemaname = 'public'")
        for table in tables:
            rows = await read.fetch(f'select t::text as text from "{table["name"]}" t')
            assert not any("4242424242424242" in row["text"] for row in rows), table["name"]
        raw = b"".join(row["raw"] for row in await read.fetch("select raw from payment_notice"))
    assert b"424242" not in raw
    assert (await market.payment(order)).method == "visa ···· 4242"


async def test_a_test_card_may_be_tapped_without_scripts(market: Any) -> None:
    page = await market.start(await market.expect())
    path = urlsplit(page.pay_url).path
    assert 'value="4000000000000002"' in (await market.buyer.get(f"{path}?card=4000000000000002")).text
    assert "<script>alert" not in (await market.buyer.get(f'{path}?card="><script>alert(1)</script>')).text


async def test_titles_are_text_never_markup(market: Any) -> None:
    order = await market.expect()
    from livestall import payments

    page = await payments.start(
        market.db, order, return_url="/", origin="https://market.test", merchant="<script>x</script>", title='"><img>'
    )
    text = (await market.page(page)).text
    assert "<script>x" not in text
    assert "<img>" not in text


async def test_an_unknown_session_is_a_page_too(market: Any) -> None:
    answer = await market.buyer.get("/sandbox/pay/ss_nothing")
    assert answer.status_code == 404
    assert "no such payment" in answer.text
    assert (await market.buyer.post("/sandbox/pay/ss_nothing", data={"number": "1"})).status_code == 404


async def test_the_server_api_needs_its_key_and_its_form(market: Any) -> None:
    new = {"amount": 5, "currency": "CNY", "merchant": "a", "title": "b", "reference": "c"}
    assert (await market.buyer.post("/sandbox/v1/sessions", json=new)).status_code == 401
    assert (await market.buyer.get("/sandbox/v1/sessions/x", headers={"authorization": "Bearer x"})).status_code == 401
    from livestall.payments.backends.sandbox.model import api_key

    headers = {"authorization": f"Bearer {api_key()}", "idempotency-key": "0123456789"}
    whole = {
        **new, "return_url": "https://a.test/", "notify_url": "http://a.test/", "expires_at": "2031-01-01T00:00:00Z"
    }  # fmt: skip
    client = httpx.AsyncClient(transport=market.wire, base_url="http://inside.test", headers=headers)
    async with client:
        wrong = [("amount", -1), ("amount", 10**30), ("currency", "QQQ"), ("expires_at", "2031-01-01T00:00:00"),
                 ("return_url", "javascript:x"), ("merchant", ""), ("title", "x" * 201)]  # fmt: skip
        for bad in (new, *({**whole, name: value} for name, value in wrong)):
            assert (await client.post("/sandbox/v1/sessions", json=bad)).status_code == 422, bad
        first = await client.post("/sandbox/v1/sessions", json=whole)
        assert first.status_code == 200
        assert (await client.post("/sandbox/v1/sessions", json=whole)).json()["id"] == first.json()["id"]
        assert (await client.post("/sandbox/v1/sessions", json={**whole, "amount": 6})).status_code == 409
        answer = await client.post(f"/sandbox/v1/sessions/{first.json()['id']}/capture", json={"amount": 5})
        assert answer.status_code == 409
        assert (await client.get("/sandbox/v1/sessions/nothing")).status_code == 404


async def test_a_market_with_real_money_switches_the_sandbox_off(market: Any) -> None:
    page = await market.start(await market.expect())
    with config.override(Settings(enabled=False)):
        assert (await market.page(page)).status_code == 404
        assert (await market.buyer.get("/sandbox/v1/sessions/x")).status_code == 404


def test_every_test_card_is_a_card_number() -> None:
    assert all(luhn(number) for number in CARDS)
    for number in CARDS:
        card, wrong = check_card(" ".join(number[n : n + 4] for n in range(0, 16, 4)), "12 / 34", "1234", clock.now())
        assert card is not None
        assert wrong == {}
