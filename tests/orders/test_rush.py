"""The short way of `POST /api/orders`: the same answers as the framework's, and nobody comes in who should not."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar.types import Receive, Scope, Send
from shop import Article, Shop

from livestall import accounts
from livestall.accounts import web as accounts_web
from livestall.app.main import create_app
from livestall.base import devices, ids, keys
from livestall.base.db import Database
from livestall.orders.rush import Rush

ORIGIN = "http://shop.example:8000"


class Door:
    """The web process's application with the short way in front; counts what reaches the framework."""

    def __init__(self, db: Database) -> None:
        self.db, self.handed_on = db, 0
        self.sessions = accounts_web.Sessions(db)
        api = create_app(db)

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self.handed_on += 1
            await api(scope, receive, send)

        transport = httpx.ASGITransport(Rush(counted, api.state.line, self.sessions.person))  # type: ignore[arg-type]
        self.client = httpx.AsyncClient(transport=transport, base_url=ORIGIN)
        self.line = api.state.line

    async def buyer(self) -> dict[str, str]:
        """The headers of a browser that is signed in."""
        person = ids.new()
        async with self.db.write() as tx:
            await tx.execute(
                """insert into user_account (id, login, password_hash, name, created_at)
                   values ($1, $2, '-', 'Bo', now())""",
                person, f"{person.hex}@example.com",
            )  # fmt: skip
            token = await accounts.open_session(tx, person)
        cookies = f"livestall_session={token}; {devices.COOKIE}={devices.mint(ids.new())}"
        return {"Cookie": cookies, "Origin": ORIGIN}

    async def buy(self, headers: Mapping[str, str], order: Any) -> httpx.Response:
        return await self.client.post("/api/orders", json=order, headers=dict(headers))


@pytest.fixture
async def door(db: Database) -> AsyncGenerator[Door]:
    keys.use("00" * 32)
    async with opened(Door(db)) as door:
        yield door


@asynccontextmanager
async def opened(door: Door) -> AsyncGenerator[Door]:
    async with door.client:
        yield door


def wish(tea: Article, show: UUID, quantity: int = 1) -> dict[str, Any]:
    line = {"variant_id": str(tea.variant), "listing_id": str(tea.listing), "quantity": quantity}
    return {"id": str(ids.new()), "show_id": str(show), "lines": [line]}


async def test_the_short_way_answers_what_the_framework_answers(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    order = wish(tea, shop.show)
    placed = await door.buy(buyer, order)
    again = await door.buy(buyer, order)
    assert (placed.status_code, again.status_code, door.handed_on) == (201, 200, 0)
    assert again.json() == placed.json()
    read = await door.client.get(f"/api/orders/{order['id']}", headers=buyer)
    assert read.json() == placed.json()
    assert await shop.pool(tea.variant) == (3, 3, 1, 0)

    refused = await door.buy(buyer, wish(tea, shop.show, 9))
    same = await door.buy({**buyer, "Prefer": "respond-async"}, wish(tea, shop.show, 9))
    assert (refused.status_code, refused.json()["code"]) == (409, "sold-out")
    assert refused.json() == same.json()
    assert refused.headers["content-type"] == same.headers["content-type"] == "application/problem+json"
    chinese = await door.buy({**buyer, "Accept-Language": "zh-CN"}, wish(tea, shop.show, 9))
    assert chinese.json()["detail"].startswith("已售罄")
    other = await door.buy(buyer, {**order, "lines": wish(tea, shop.show, 2)["lines"]})
    assert other.json()["code"] == "id-reused"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Cookie": ""}, 401),
        ({"Cookie": "livestall_session=made-up; livestall_device=x"}, 401),
        ({"Origin": "http://elsewhere.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Authorization": "Bearer made-up"}, 401),
        ({"Content-Type": "text/plain"}, None),
    ],
)
async def test_whatever_is_not_plain_is_the_frameworks_to_judge(
    door: Door, shop: Shop, change: dict[str, str], status: int | None
) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    answer = await door.buy({**buyer, **change}, wish(tea, shop.show))
    assert door.handed_on == 1
    assert status is None or answer.status_code == status


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"id":"x"}', b'{"id":"\xff"}', b"{" + b" " * 70_000 + b"}"],
    ids=["nothing", "half", "list", "no order", "no text", "too long"],
)  # fmt: skip
async def test_a_wrong_body_gets_the_frameworks_problem(door: Door, body: bytes) -> None:
    headers = {**await door.buyer(), "Content-Type": "application/json"}
    answer = await door.client.post("/api/orders", content=body, headers=headers)
    assert (door.handed_on, answer.headers["content-type"]) == (1, "application/problem+json")
    assert 400 <= answer.status_code < 500


async def test_a_session_that_ended_buys_no_more_after_a_moment(
    door: Door, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    assert (await door.buy(buyer, wish(tea, shop.show))).status_code == 201
    async with door.db.write() as tx:
        await tx.execute("delete from session")
    monkeypatch.setattr(sys.modules["livestall.accounts.web.guard"], "SESSION_SECONDS", 0.0)
    assert (await door.buy(buyer, wish(tea, shop.show))).status_code == 401
    assert await shop.pool(tea.variant) == (3, 3, 1, 0)
