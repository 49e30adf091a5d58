"""A small market inside the process, with somebody of every role."""

from __future__ import annotations

from typing import Any

import msgspec

from helpers.market import PASSWORD, product_of
from livestall import accounts
from livestall.app.demo import pictures
from livestall.base import ids
from livestall.base.db import Database


async def seed_rows(client: Any, db: Database) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """A small market behind an in-process client: headers of each role, and ids by the names paths give them."""
    async with db.write() as tx:
        token = await accounts.offer_first_run(tx)
    headers: dict[str, dict[str, str]] = {"anonymous": {}}

    async def send(role: str, method: str, path: str, body: object = None) -> Any:
        answer = await client.request(method, path, json=body, headers=headers[role])
        assert answer.status_code < 300, f"{method} {path}: {answer.status_code} {answer.text}"
        if session := client.cookies.get("livestall_session"):  # beside it, a device is known by a cookie of its own
            headers[role] = {"Cookie": f"livestall_session={session}"}
        client.cookies.clear()
        return answer.json() if answer.content else None

    headers["operator"] = {}
    await send("operator", "POST", "/api/first-run", {
        "token": token, "id": str(ids.new()), "login": "operator@test.example", "password": PASSWORD,
        "name": "Operator", "market_name": "Test market", "currency": "CNY",
    })  # fmt: skip
    for role in ("buyer", "other creator", "host", "seller", "seller of another"):
        headers[role] = {}
        login = f"{role.replace(' ', '-')}@test.example"
        await send(role, "POST", "/api/sign-up", {
            "id": str(ids.new()), "login": login, "password": PASSWORD, "name": role.title(),
        })  # fmt: skip
    made = await send("buyer", "POST", "/api/me/tokens", {"id": str(ids.new()), "name": "narrow", "scopes": []})
    headers["token without scope"] = {"Authorization": f"Bearer {made['secret']}"}
    names: dict[str, str] = {}
    for role in ("seller", "seller of another"):
        seller = await send(role, "POST", "/api/sellers", {"id": str(ids.new()), "name": role.title()})
        await send("operator", "POST", f"/api/operator/sellers/{seller['id']}/approve")
        names.setdefault("seller_id", seller["id"])
    for role in ("other creator", "host"):
        creator = await send(role, "POST", "/api/me/creator", {"id": str(ids.new()), "name": role.title()})
        names["creator_id"] = creator["id"]
    body = msgspec.to_builtins(product_of(pictures.PRODUCTS[0]), str_keys=True)
    product = await send("seller", "POST", f"/api/sellers/{names['seller_id']}/products", body)
    show = await send("host", "POST", "/api/shows", {"id": str(ids.new()), "title": "A show"})
    names |= {"product_id": product["id"], "show_id": show["id"], "user_id": str(ids.new())}
    rows = [{"variant_id": one["id"], "on_hand": 50} for one in product["variants"]]
    await send("seller", "PUT", f"/api/sellers/{names['seller_id']}/stock", {"id": str(ids.new()), "rows": rows})
    line = {"variant_id": product["variants"][0]["id"], "quantity": 1}
    order = await send("buyer", "POST", "/api/orders", {"id": str(ids.new()), "lines": [line]})
    names["order_id"] = order["id"]
    return headers, names
