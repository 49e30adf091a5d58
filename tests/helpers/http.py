"""The market's real application without a network: HTTP by people, the sandbox provider, the worker's beat."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from livestall import accounts, payments
from livestall.app import wiring
from livestall.app.main import create_app
from livestall.base import ids
from livestall.base.db import Database
from livestall.base.outbox import Relay
from livestall.payments import jobs as payments_jobs
from livestall.payments.backends import sandbox
from livestall.payments.backends.sandbox import jobs as provider_jobs

ORIGIN = "http://shop.example:8000"


class Http:
    """`await http(person, "POST", path, body)` → the response; `None` is somebody signed out."""

    def __init__(self, db: Database, transport: httpx.AsyncBaseTransport, client: httpx.AsyncClient) -> None:
        self.db, self.transport, self.client = db, transport, client
        self._cookies: dict[UUID, str] = {}

    async def __call__(
        self, person: UUID | None, method: str, path: str, body: Any = None, language: str = "en"
    ) -> httpx.Response:
        headers = {"Origin": ORIGIN, "Accept-Language": language}
        if person is not None:
            if person not in self._cookies:
                async with self.db.write() as tx:
                    self._cookies[person] = await accounts.open_session(tx, person)
            headers["Cookie"] = f"livestall_session={self._cookies[person]}"
        return await self.client.request(method, path, json=body, headers=headers)

    async def person(self, name: str = "Bo") -> UUID:
        user_id = ids.new()
        async with self.db.write() as tx:
            await tx.execute(
                "insert into user_account (id, login, password_hash, name, created_at) values ($1, $2, '-', $3, now())",
                user_id, f"{user_id.hex}@example.com", name,
            )  # fmt: skip
        return user_id

    async def pay_with(self, pay_url: str, card: str = "4242424242424242") -> httpx.Response:
        """The buyer types the card on the provider's page."""
        path = urlsplit(pay_url).path
        token = re.search(r'name="token" value="([^"]+)"', (await self.client.get(path)).text)
        assert token is not None
        fields = {"number": card, "expiry": "12/34", "cvc": "123", "token": token[1]}
        return await self.client.post(path, data=fields)

    async def notice(self) -> None:
        """The provider's notices arrive and are used; nobody else has heard of it."""
        await provider_jobs.send(self.db, self.transport)
        await payments_jobs.settle_notices(self.db)

    async def beat(self) -> None:
        """Everything that the worker does for the sale, through the lists of the wiring, until nothing moves."""
        sweeps = [one for one in wiring.SWEEPS if one.name.startswith(("payments.", "orders.", "deals."))]
        for _ in range(20):
            moved = await provider_jobs.send(self.db, self.transport)
            for sweep in sweeps:
                moved += await sweep.run(self.db)
            moved += await Relay(self.db, wiring.LISTENERS).drain()
            if not moved:
                return
        raise AssertionError("the worker never comes to rest")


@asynccontextmanager
async def application(db: Database) -> AsyncGenerator[Http]:
    app = create_app(db)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    payments.plug({"sandbox": sandbox.SandboxBackend(lambda: ORIGIN, transport)})
    try:
        async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
            yield Http(db, transport, client)
        await app.state.line.close()
    finally:
        payments.plug(wiring.BACKENDS)
