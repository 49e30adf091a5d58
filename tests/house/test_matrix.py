"""Every role at every endpoint.

The list of endpoints comes from the application itself, so a new one is walked without a line here. What each role may
do follows from the mark `may(Who.…, scope)`; whose show, order or product it is, the verb checks, so an allowed role
may still hear 403 or 404 there. Nobody ever hears 500, whatever is sent.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from helpers.roles import seed_rows
from livestall.app.main import create_app, describe
from livestall.base import ids
from livestall.base.db import Database
from livestall.base.http import Who

ROLES = (
    "anonymous",
    "buyer",
    "other creator",
    "host",
    "seller",
    "seller of another",
    "operator",
    "token without scope",
)
NEED = {
    Who.anyone: set(ROLES),
    Who.signed_in: set(ROLES) - {"anonymous", "token without scope"},
    Who.creator: {"host", "other creator"},
    Who.seller: {"seller", "operator"},
    Who.operator: {"operator"},
}
"""Which roles the mark lets through to the verb."""

ROLE_CHANGERS = {"/api/me/creator", "/api/sellers"}
"""Walked last: whoever may call them is somebody else afterwards."""

DENIED = {401, 403, 404}
BODIES: tuple[bytes, ...] = (
    b"",
    b"{}",
    b"[]",
    b"null",
    b"{",
    b'"\\ud800"',
    b'{"id": "no id", "quantity": -1, "text": "'
    + b"x" * 5000
    + b'", "items": [null], "rows": [[]], "price_amount": 1e400}',
    b"\xff\xfe\x00" * 50,
)


def endpoints(app: Litestar) -> Iterator[tuple[str, str, Who, str | None]]:
    for route in app.routes:
        if (
            isinstance(route, HTTPRoute)
            and route.path.startswith("/api/")
            and not route.path.startswith("/api/openapi")
        ):
            for handler in route.route_handlers:
                for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                    yield method, route.path_format, handler.opt["who"], handler.opt.get("scope")


def client_of(app: Litestar) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://market.test", timeout=30)


@pytest.fixture
async def stage(db: Database) -> AsyncIterator[tuple[Litestar, dict[str, dict[str, str]], dict[str, str]]]:
    """The application over a small market: headers of each role, and ids for the paths."""
    app = create_app(db)
    async with client_of(app) as client:
        headers, names = await seed_rows(client, db)
        yield app, headers, names


def fill(path: str, names: dict[str, str], *, known: bool) -> str:
    """The path with ids of things that exist (`known`), or of nothing."""

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        return names.get(name, str(ids.new())) if known else str(ids.new())

    return re.sub(r"\{(\w+)(?::\w+)?\}", value, path)


def example(schema: dict[str, Any], part: dict[str, Any], depth: int = 0) -> Any:
    """A body that has the right form, with fresh ids and small numbers."""
    while "$ref" in part:
        part = schema["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    for several in ("oneOf", "anyOf", "allOf"):
        if several in part:
            return example(schema, part[several][0], depth)
    if "enum" in part:
        return part["enum"][0]
    kind = part.get("type")
    if kind == "object" or "properties" in part:
        wanted = part.get("properties", {})
        keys = wanted if depth < 3 else part.get("required", [])
        return {name: example(schema, wanted[name], depth + 1) for name in keys}
    if kind == "array":
        return [example(schema, part["items"], depth + 1)] if depth < 4 and part.get("items") else []
    if kind == "integer":
        return max(part.get("minimum", 1), 1)
    if kind == "number":
        return 1.0
    if kind == "boolean":
        return False
    if part.get("format") == "uuid":
        return str(ids.new())
    if part.get("format") == "date-time":
        return "2030-01-01T10:00:00Z"
    return ("CNY words " * 2)[: part.get("maxLength", 12)] if kind == "string" else None


def good_body(app: Litestar, method: str, path: str) -> bytes | None:
    schema = describe(app)
    plain = re.sub(r"\{(\w+):\w+\}", r"{\1}", path)
    operation = schema["paths"].get(plain, {}).get(method.lower(), {})
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return msgspec.json.encode(example(schema, content["schema"])) if content else None


async def test_every_role_at_every_endpoint(stage: Any):
    app, headers, names = stage
    wrong: list[str] = []
    async with client_of(app) as client:
        for method, path, who, scope in sorted(endpoints(app), key=lambda one: one[1] in ROLE_CHANGERS):
            if who is Who.system or path in {"/api/sign-out", "/api/me/password"}:
                continue
            body = good_body(app, method, path)
            for role in ROLES:
                for known in (True, False):
                    answer = await client.request(
                        method, fill(path, names, known=known), content=body,
                        headers={"Content-Type": "application/json", **headers[role]},
                    )  # fmt: skip
                    allowed = role in NEED[who] and not (role == "token without scope" and scope is not None)
                    told = f"{role}: {method} {path} ({who}) → {answer.status_code} {answer.text[:200]}"
                    if answer.status_code >= 500 and answer.status_code != 503:
                        wrong.append(told)
                    elif not allowed and answer.status_code not in DENIED:
                        wrong.append(f"not refused: {told}")
                    elif allowed and answer.status_code == 401:
                        wrong.append(f"refused: {told}")
                    if method == "DELETE" and known and answer.status_code < 300:
                        break
    assert not wrong, "\n".join(wrong)


async def test_implausible_bodies_are_the_senders_fault(stage: Any):
    app, headers, names = stage
    wrong: list[str] = []
    async with client_of(app) as client:
        for method, path, who, _ in endpoints(app):
            if method == "GET" or path == "/api/sign-out":
                continue
            role = {Who.creator: "host", Who.seller: "seller", Who.operator: "operator"}.get(who, "host")
            for body in BODIES:
                answer = await client.request(
                    method, fill(path, names, known=True), content=body,
                    headers={"Content-Type": "application/json", **headers[role]},
                )  # fmt: skip
                if answer.status_code >= 500 and answer.status_code != 503:
                    wrong.append(f"{method} {path} {body[:40]!r} → {answer.status_code} {answer.text[:200]}")
                elif answer.status_code >= 400 and "problem" not in answer.headers["content-type"]:
                    wrong.append(f"{method} {path} → {answer.headers['content-type']}, not a problem")
    assert not wrong, "\n".join(wrong)


async def test_strange_paths_and_queries_are_the_senders_fault(stage: Any):
    app, headers, names = stage
    strange = ("%00", "..%2f..", "0", "a" * 3000, "%F0%9F%8D%8A", "00000000-0000-0000-0000-000000000000")
    queries = (
        "cursor=%00",
        "cursor=AAAA",
        "state=nonsense",
        "q=%F0%9F%8D%8A%00",
        "limit=-1",
        "after_stream_at=yesterday",
    )
    wrong: list[str] = []
    async with client_of(app) as client:
        for method, path, who, _ in endpoints(app):
            if method != "GET":
                continue
            role = {Who.seller: "seller", Who.operator: "operator"}.get(who, "host")
            targets = [fill(path, names, known=True) + f"?{query}" for query in queries]
            targets += [re.sub(r"\{\w+(?::\w+)?\}", one, path) for one in strange if "{" in path]
            for target in targets:
                answer = await client.get(target, headers=headers[role])
                if answer.status_code >= 500 and answer.status_code != 503:
                    wrong.append(f"{target[:120]} → {answer.status_code} {answer.text[:200]}")
    assert not wrong, "\n".join(wrong)


def test_the_roles_are_all_needed():
    assert set().union(*NEED.values()) == set(ROLES)
