"""The endpoints of payments in the market's own application, behind its guard."""

from __future__ import annotations

import httpx

from livestall.app.main import create_app
from livestall.base.db import Database


async def test_notices_api_and_page_are_reached_through_the_market(db: Database) -> None:
    transport = httpx.ASGITransport(create_app(db))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:
        assert (await client.post("/api/payments/notices/sandbox", content=b"{}")).json()["code"] == "bad-signature"
        assert (await client.get("/sandbox/v1/sessions/x")).json()["code"] == "bad-api-key"
        assert (await client.get("/sandbox/pay/x")).status_code == 404
        assert (await client.get("/sandbox/assets/pay.js")).status_code == 200
        paths = (await client.get("/api/openapi.json")).json()["paths"]
    assert "/api/payments/notices/{backend}" in paths
    assert not any(path.startswith("/sandbox") for path in paths)
