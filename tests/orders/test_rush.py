"""The short way of `POST /api/orders`: the same answers as the framework's, and nobody comes in who should not."""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any
from uuid import UUID

import httpx
import pytest
import uvicorn
from litestar.types import Receive, Scope, Send
from prometheus_client import REGISTRY

from helpers.patience import PATIENCE_SECONDS, until
from helpers.shop import Article, Shop
from livestall import accounts
from livestall.accounts import web as accounts_web
from livestall.app.http_connection import connections
from livestall.app.main import create_app
from livestall.base import config, devices, ids, keys
from livestall.base.db import Database
from livestall.orders.model import Settings
from livestall.orders.rush import Rush


class Door:
    """The web process's application behind a real socket, with the short way; counts what reaches the framework."""

    def __init__(self, db: Database, listener: socket.socket) -> None:
        self.db, self.handed_on = db, 0
        self.sessions = accounts_web.Sessions(db)
        api = create_app(db)

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            self.handed_on += scope["type"] == "http"
            await api(scope, receive, send)

        self.line = api.state.line
        options = uvicorn.Config(
            counted, http=connections(Rush(self.line, self.sessions)), ws="none", lifespan="on", log_config=None,  # type: ignore[arg-type]
            access_log=False,
        )  # fmt: skip
        self.server = uvicorn.Server(options)
        self.port = listener.getsockname()[1]
        self.origin = f"http://127.0.0.1:{self.port}"
        self.client = httpx.AsyncClient(base_url=self.origin, timeout=PATIENCE_SECONDS)

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
        return {"Cookie": cookies, "Origin": self.origin}

    async def buy(self, headers: Mapping[str, str], order: Any) -> httpx.Response:
        return await self.client.post("/api/orders", json=order, headers=dict(headers))


@pytest.fixture
async def door(db: Database) -> AsyncGenerator[Door]:
    keys.use("00" * 32)
    async with opened(db) as door:
        yield door


@asynccontextmanager
async def opened(db: Database) -> AsyncGenerator[Door]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        door = Door(db, listener)
        serving = asyncio.create_task(door.server.serve(sockets=[listener]))
        async with door.client:
            yield door
        door.server.should_exit = True
        await serving


def wish(tea: Article, show: UUID, quantity: int = 1) -> dict[str, Any]:
    line = {"variant_id": str(tea.variant), "listing_id": str(tea.listing), "quantity": quantity}
    return {"id": str(ids.new()), "show_id": str(show), "lines": [line]}


def in_flight() -> float | None:
    """How many requests are being answered, as the numbers say."""
    return REGISTRY.get_sample_value("livestall_http_requests_in_flight")


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


async def test_a_short_way_that_breaks_answers_once_and_counts_once(
    door: Door, shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Rush.take

    def breaks(self: Rush, headers: Any, body: bytes, reply: Any) -> None:
        take(self, headers, body, reply)
        raise RuntimeError("after all was done")

    monkeypatch.setattr(Rush, "take", breaks)
    tea, buyer = await shop.product(3), await door.buyer()
    before, order = in_flight(), wish(tea, shop.show)
    stranger = await door.buy({**buyer, "Cookie": ""}, order)
    assert (stranger.status_code, door.handed_on) == (401, 1), "it had been handed on"
    assert (await door.buy(buyer, order)).status_code in {200, 201}, "it replies once the session is looked up"
    assert door.handed_on == 2
    with config.override(Settings(same_waiting_max=0)):
        refused = await door.buy(buyer, wish(tea, shop.show))
    assert (refused.status_code, door.handed_on) == (429, 2), "it had replied"
    await until(lambda: in_flight() == before, what="nobody being answered any more")
    assert await shop.pool(tea.variant) == (3, 3, 1, 0)


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


def request(headers: Mapping[str, str], order: Any, *, first: str = "POST /api/orders HTTP/1.1", **more: str) -> bytes:
    """A request as it goes over the wire."""
    body = json.dumps(order).encode()
    lines = {"Host": headers["Origin"].removeprefix("http://"), "Content-Type": "application/json", **headers, **more}
    lines.setdefault("Content-Length", str(len(body)))
    return "\r\n".join([first, *(f"{name}: {value}" for name, value in lines.items()), "", ""]).encode() + body


async def answer_from(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], Any]:
    """Status, headers and body of the next answer."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    return int(head[0].split()[1]), headers, json.loads(await reader.readexactly(int(headers["content-length"])))


@asynccontextmanager
async def wire(door: Door) -> AsyncGenerator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", door.port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def test_orders_that_come_one_behind_the_other_are_answered_in_that_order(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    orders = [wish(tea, shop.show) for _ in range(3)]
    read = f"GET /api/orders/{orders[0]['id']} HTTP/1.1\r\nHost: x\r\nCookie: {buyer['Cookie']}\r\n\r\n".encode()
    async with wire(door) as (reader, writer):
        writer.write(request(buyer, orders[0]) + read + request(buyer, orders[1]) + request(buyer, orders[2]))
        answers = [await answer_from(reader) for _ in range(4)]
    assert [status for status, _, _ in answers] == [201, 200, 201, 201]
    ids_told = [answer["id"] for _, _, answer in answers]
    assert ids_told == [orders[0]["id"], orders[0]["id"], orders[1]["id"], orders[2]["id"]]
    assert door.handed_on == 1  # the one that reads
    assert answers[0][1]["x-content-type-options"] == "nosniff"
    assert "date" in answers[0][1]


async def test_hundreds_of_orders_sent_in_one_piece_are_each_answered(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    many = 400
    async with wire(door) as (reader, writer):
        writer.write(b"".join(request(buyer, wish(tea, shop.show)) for _ in range(many)))
        answers = [await answer_from(reader) for _ in range(many)]
    refused = [answer["code"] for status, _, answer in answers if status != 201]
    assert set(refused) <= {"too-fast", "device-too-fast", "sold-out"}
    assert (len(answers) - len(refused), door.handed_on) == (3, 0)
    assert await shop.pool(tea.variant) == (3, 3, 3, 0)


async def test_an_order_may_come_in_crumbs(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    async with wire(door) as (reader, writer):
        for byte in request(buyer, wish(tea, shop.show)):
            writer.write(bytes((byte,)))
            await writer.drain()
        status, _, _ = await answer_from(reader)
    assert (status, door.handed_on) == (201, 0)


async def test_a_connection_that_is_to_be_closed_is_closed_after_its_answer(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    for first, more in (("POST /api/orders HTTP/1.0", {}), ("POST /api/orders HTTP/1.1", {"Connection": "close"})):
        async with wire(door) as (reader, writer):
            writer.write(request(buyer, wish(tea, shop.show), first=first, **more))
            status, headers, _ = await answer_from(reader)
            assert (status, headers["connection"], await reader.read()) == (201, "close", b"")
    assert door.handed_on == 0


@pytest.mark.parametrize(
    ("more", "said", "handed_on"),
    [
        ({"Expect": "100-continue"}, b"HTTP/1.1 100 ", 1),
        ({"Content-Length": "9" * 7}, b"", 1),
        ({"Content-Length": "9" * 40}, b"HTTP/1.1 400 ", 0),
        ({"Content-Length": "x"}, b"HTTP/1.1 400 ", 0),
        ({"Transfer-Encoding": "chunked", "Content-Length": ""}, b"HTTP/1.1 400 ", 0),
    ],
    ids=["asks first", "never ends", "too long a number", "no number", "two lengths"],
)
async def test_a_body_that_is_not_simply_sent_is_not_for_the_short_way(
    door: Door, shop: Shop, more: dict[str, str], said: bytes, handed_on: int
) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    async with wire(door) as (reader, writer):
        writer.write(request(buyer, wish(tea, shop.show), **more))
        if "Expect" not in more:
            writer.write_eof()
        first = await reader.readline()
    assert (first[: len(said)], door.handed_on) == (said, handed_on)


async def test_who_hangs_up_keeps_the_order(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    order = wish(tea, shop.show)
    async with wire(door) as (_, writer):
        writer.write(request(buyer, order))
        await writer.drain()
        writer.transport.abort()

    async def is_there() -> bool:
        return (await door.client.get(f"/api/orders/{order['id']}", headers=buyer)).status_code == 200

    await until(is_there)
    assert (await door.buy(buyer, order)).status_code == 200


async def test_who_waits_long_is_given_a_place(door: Door, shop: Shop) -> None:
    tea, buyer = await shop.product(3), await door.buyer()
    order = wish(tea, shop.show)
    with config.override(Settings(line_patience_seconds=0.0)):
        answer = await door.buy(buyer, order)
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/orders/{order['id']}/place")
    assert answer.json()["order_id"] == order["id"]

    async def is_placed() -> bool:
        return (await door.client.get(answer.headers["location"], headers=buyer)).json()["state"] == "placed"

    await until(is_placed)
    assert door.handed_on > 0
    assert await shop.pool(tea.variant) == (3, 3, 1, 0)
