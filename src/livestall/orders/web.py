"""HTTP of orders: buying, my orders, the seller's orders, the address book."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, post, put
from msgspec import Meta

from livestall import accounts, payments, rooms
from livestall.accounts import Actor
from livestall.base import config, devices
from livestall.base.db import Database
from livestall.base.errors import NotFound, Refusal, Unauthenticated
from livestall.base.http import PAGE_MAX, Page, Problem, Who, cursor_of, locale_of, may, problem, read_cursor
from livestall.live import Asked, Caller, Command
from livestall.orders import actions, model, store
from livestall.orders.counter import Counter
from livestall.orders.line import Line
from livestall.orders.model import LineTicket, Order, wishes
from livestall.orders.model.wishes import Address, Basket, NewOrder, NewOrderLine, SavedAddress
from livestall.orders.rush import BODY_BYTES_MAX as ORDERS_BYTES_MAX
from livestall.orders.rush import PATH as ORDERS_PATH
from livestall.orders.rush import Answer, Rush
from livestall.payments import PayPage

__all__ = ["ORDERS_BYTES_MAX", "ORDERS_PATH", "ROUTES", "Answer", "BuyCommand", "Rush", "buy"]
"""`Rush` and its answers are the short way of `place_order`: see `orders/rush.py`."""


class StartPayment(msgspec.Struct, frozen=True):
    """`return_url`: the page of this market that the buyer comes back to."""

    return_url: Annotated[str, Meta(min_length=1, max_length=2000)]


class BuyCommand(msgspec.Struct, frozen=True):
    """`buy` over a show's socket; the command's id is the order's."""

    lines: Annotated[list[NewOrderLine], Meta(min_length=1, max_length=wishes.LINES_MAX)]
    address: Address | None = None


ASYNC_SECONDS = 0.25
"""A client that asks for its place gets the answer itself if that comes so soon."""


class LinePlace(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a claim: in line with its place, placed with its order, or refused with the reason."""

    state: Literal["waiting", "placed", "refused"]
    ticket: LineTicket | None = None
    order: Order | None = None
    refusal: Problem | None = None


def buy(db: Database, hurry: Callable[[], None]) -> Command:
    """The socket command, with a counter of its own: the place in line as progress, then the order. `hurry` is called
    when a batch was committed."""
    counter = Counter(db, committed=hurry)
    line = Line(counter, gate_db=db)  # over a socket an answer comes by itself

    def grasp(body: BuyCommand) -> Basket:
        return Basket(body.lines, body.address)

    def start(caller: Caller, order_id: UUID, basket: Basket, asked: Asked) -> None:
        if caller.person is None:
            raise Unauthenticated
        line.ask(basket.draft(order_id, caller.person, caller.channel), asked, caller.device)

    return Command(BuyCommand, grasp=grasp, start=start, close=line.close)


@post("/api/orders", opt=may(Who.signed_in, "orders:write"))
async def place_order(
    request: Request[Any, Any, Any], line: Line, actor: Actor, data: NewOrder
) -> Response[Order | LineTicket]:
    """Buy. 201 with the order, 200 if it came before; 202 with the place in line after a while, or soon with
    `Prefer: respond-async`. Then ask for the place, or send the same order again: both find the one claim."""
    device, cookies = devices.of(request)
    waiting = line.enter(wishes.draft(actor.need_user(), data), device)
    hurried = "respond-async" in request.headers.get("prefer", "")
    patience = ASYNC_SECONDS if hurried else config.of(model.Settings).line_patience_seconds
    answer = waiting.answer
    done, _ = await asyncio.wait([answer], timeout=patience)
    if not done:
        answer.add_done_callback(lambda late: late.exception())  # whoever asks for the place is told
        headers = {"Location": f"/api/orders/{data.id}/place"}
        return Response(line.ticket(waiting), status_code=202, headers=headers, cookies=cookies)
    placed = answer.result()
    return Response(placed.order, status_code=201 if placed.new else 200, cookies=cookies)


@get("/api/orders/{order_id:uuid}/place", opt=may(Who.signed_in, "orders:read"))
async def place_in_line(
    request: Request[Any, Any, Any], db: Database, line: Line, actor: Actor, order_id: UUID
) -> LinePlace:
    """What became of my claim. 404 if nobody here knows it: then send the same order again."""
    found = line.find(order_id, actor.need_user())
    if isinstance(found, Refusal):
        return LinePlace(state="refused", refusal=problem(found, locale_of(request)))
    if found is not None:
        return LinePlace(state="waiting", ticket=line.ticket(found))
    async with db.read() as read:
        return LinePlace(state="placed", order=await actions.order(read, actor, order_id))


@get("/api/orders", opt=may(Who.signed_in, "orders:read"))
async def my_orders(db: Database, actor: Actor, cursor: str | None = None) -> Page[Order]:
    return await _page(db, "buyer_id", actor.need_user(), cursor)


@get("/api/orders/{order_id:uuid}", opt=may(Who.signed_in, "orders:read"))
async def order(db: Database, actor: Actor, order_id: UUID) -> Order:
    async with db.read() as read:
        return await actions.order(read, actor, order_id)


@post("/api/orders/{order_id:uuid}/cancel", status_code=200, opt=may(Who.signed_in, "orders:write"))
async def cancel_order(db: Database, actor: Actor, order_id: UUID) -> Order:
    return await db.run(lambda tx: actions.cancel(tx, actor, order_id))


@put("/api/orders/{order_id:uuid}/address", opt=may(Who.signed_in, "orders:write"))
async def set_order_address(db: Database, actor: Actor, order_id: UUID, data: Address) -> Order:
    return await db.run(lambda tx: actions.set_address(tx, actor, order_id, data))


@post("/api/orders/{order_id:uuid}/pay", status_code=200, opt=may(Who.signed_in, "orders:write"))
async def pay_order(
    request: Request[Any, Any, Any],
    db: Database,
    actor: Actor,
    addresses: rooms.Addresses,
    order_id: UUID,
    data: StartPayment,
) -> PayPage:
    record = await db.run(lambda tx: actions.start_paying(tx, actor, order_id))
    async with db.read() as read:
        market = await accounts.market(read)
    return await payments.start(
        db, order_id, return_url=data.return_url, origin=addresses.web, merchant=market.name,
        title=f"{record.lines[0].title} · {record.number}", locale=locale_of(request),
    )  # fmt: skip


@get("/api/sellers/{seller_id:uuid}/orders", opt=may(Who.seller, "orders:read"))
async def orders_of_seller(db: Database, actor: Actor, seller_id: UUID, cursor: str | None = None) -> Page[Order]:
    if seller_id not in actor.seller_ids and not actor.is_operator:
        raise NotFound
    return await _page(db, "seller_id", seller_id, cursor)


async def _page(db: Database, column: str, owner_id: UUID, cursor: str | None) -> Page[Order]:
    before: store.Before = None
    if cursor is not None:
        placed_at, order_id = read_cursor(cursor, (datetime, UUID))
        before = (placed_at, order_id)
    size = PAGE_MAX // 4
    async with db.read() as read:
        records = await store.page(read, column, owner_id, before, size + 1)
        last = records[size - 1] if len(records) > size else None
        items = await actions.views(read, records[:size])
    return Page(items, None if last is None else cursor_of(last.placed_at, last.id))


@get("/api/me/addresses", opt=may(Who.signed_in, "orders:read"))
async def my_addresses(db: Database, actor: Actor) -> list[SavedAddress]:
    async with db.read() as read:
        return await store.addresses(read, actor.need_user())


@post("/api/me/addresses", opt=may(Who.signed_in, "orders:write"))
async def add_address(db: Database, actor: Actor, data: SavedAddress) -> SavedAddress:
    return await db.run(lambda tx: actions.save_address(tx, actor, data, new=True))


@put("/api/me/addresses/{address_id:uuid}", opt=may(Who.signed_in, "orders:write"))
async def change_address(db: Database, actor: Actor, address_id: UUID, data: SavedAddress) -> SavedAddress:
    if data.id != address_id:
        raise NotFound
    return await db.run(lambda tx: actions.save_address(tx, actor, data, new=False))


@delete("/api/me/addresses/{address_id:uuid}", opt=may(Who.signed_in, "orders:write"))
async def delete_address(db: Database, actor: Actor, address_id: UUID) -> None:
    await db.run(lambda tx: actions.drop_address(tx, actor, address_id))


ROUTES = [
    place_order, place_in_line, my_orders, order, cancel_order, set_order_address, pay_order, orders_of_seller,
    my_addresses, add_address, change_address, delete_address,
]  # fmt: skip
