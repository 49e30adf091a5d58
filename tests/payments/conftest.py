"""A market with one kind of order, and the sandbox provider beside it, joined by HTTP only."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx
import pytest
from litestar import Litestar
from litestar.di import Provide

from livestall import payments
from livestall.app import wiring
from livestall.base import clock, ids
from livestall.base.db import Database
from livestall.base.http import EXCEPTION_HANDLERS
from livestall.payments import jobs, store
from livestall.payments import web as payments_web
from livestall.payments.backends import sandbox
from livestall.payments.backends.sandbox import jobs as provider_jobs

ORIGIN = "https://market.test"
BACK = f"{ORIGIN}/orders/1?paid=1"


class Wire(httpx.AsyncBaseTransport):
    """The network between market and provider. `fault(request)` may answer in their place or raise."""

    def __init__(self, app: Litestar) -> None:
        self._inner = httpx.ASGITransport(app)  # type: ignore[arg-type]
        self.fault: Callable[[httpx.Request], httpx.Response | None] = lambda _request: None
        self.seen: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.seen.append(f"{request.method} {request.url.path}")
        return self.fault(request) or await self._inner.handle_async_request(request)


class Market:
    def __init__(self, db: Database) -> None:
        async def provide_db() -> Database:
            return db

        self.db = db
        app = Litestar(
            [*payments_web.ROUTES, *sandbox.ROUTES],
            dependencies={"db": Provide(provide_db)},
            exception_handlers=EXCEPTION_HANDLERS,
            openapi_config=None,
        )
        self.wire = Wire(app)
        self.buyer = httpx.AsyncClient(transport=Wire(app), base_url=ORIGIN)
        payments.plug({"sandbox": sandbox.SandboxBackend(lambda: "http://inside.test", self.wire)})

    async def expect(self, amount: int = 5_990, seconds: float = 300) -> UUID:
        order_id = ids.new()
        expected = payments.Expected(
            order_id=order_id, seller_id=ids.new(), amount=amount, currency="CNY",
            expires_at=clock.now() + timedelta(seconds=seconds),
        )  # fmt: skip
        async with self.db.write() as tx:
            await payments.expect(tx, [expected])
        return order_id

    async def start(self, order_id: UUID, return_url: str = BACK) -> payments.PayPage:
        return await payments.start(
            self.db, order_id, return_url=return_url, origin=ORIGIN, merchant="Tea & Co", title="Order A-17"
        )

    async def page(self, page: payments.PayPage) -> httpx.Response:
        return await self.buyer.get(urlsplit(page.pay_url).path)

    async def click(
        self, page: payments.PayPage, number: str, *, token: str = "", expiry: str = "12/34", cvc: str = "123"
    ) -> httpx.Response:
        if not token:
            found = re.search(r'name="token" value="([^"]+)"', (await self.page(page)).text)
            token = found[1] if found else "none"
        fields = {"number": number, "expiry": expiry, "cvc": cvc, "token": token}
        return await self.buyer.post(urlsplit(page.pay_url).path, data=fields)

    async def paid(self, number: str = "4242424242424242", **more: Any) -> UUID:
        """An order whose buyer has clicked "pay" with this card."""
        order_id = await self.expect(**more)
        assert (await self.click(await self.start(order_id), number)).status_code == 303
        return order_id

    async def beat(self) -> None:
        """One round of everything that the worker does for payments, until nothing moves."""
        for _ in range(10):
            moved = await provider_jobs.send(self.db, self.wire)
            moved += await jobs.settle_notices(self.db)
            moved += await jobs.carry_out(self.db)
            moved += await jobs.look(self.db)
            if not moved:
                return

    async def state(self, order_id: UUID) -> str:
        return str((await self.payment(order_id)).state)

    async def payment(self, order_id: UUID) -> payments.OrderPayment:
        async with self.db.read() as read:
            return (await payments.of_orders(read, [order_id]))[order_id]

    async def history(self, order_id: UUID) -> list[str]:
        async with self.db.read() as read:
            return [str(one) for one in await store.history(read, (await self.payment(order_id)).id)]

    async def events(self, order_id: UUID) -> list[str]:
        async with self.db.read() as read:
            rows = await read.fetch("select topic from outbox where subject = $1 order by id", order_id)
        return [row["topic"].removeprefix("payment.") for row in rows]

    async def at_provider(self) -> list[tuple[str, int, int]]:
        """(status, captured, refunded) of the provider's sessions, oldest first."""
        async with self.db.read() as read:
            rows = await read.fetch("select status, captured, refunded from sandbox_session order by created_at")
        return [tuple(row) for row in rows]

    async def ask(self, verb: Callable[..., Any], *args: Any) -> None:
        async with self.db.write() as tx:
            await verb(tx, *args)

    async def count(self, sql: str) -> int:
        async with self.db.read() as read:
            return await read.fetchval(sql)


@pytest.fixture
async def market(db: Database) -> AsyncIterator[Market]:
    market = Market(db)
    yield market
    await market.buyer.aclose()
    payments.plug(wiring.BACKENDS)
