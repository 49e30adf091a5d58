"""A small market to sell in: a seller, a creator with a live show, products in its tray, stock. Rows of the features
below orders are written as those features store them; everything from stock up is done by its verbs.

`from helpers.shop import http, shop` in a conftest.py gives its tests the shop, and the application over it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from helpers.http import Http, application
from livestall import catalog, deals, orders, stock
from livestall.accounts import Actor
from livestall.base import clock, ids
from livestall.base.db import Database, Tx
from livestall.base.errors import Refusal
from livestall.base.money import Money
from livestall.base.outbox import Relay
from livestall.orders import NewOrder, NewOrderLine, Paid, Placed, settlement
from livestall.orders.actions import place

CURRENCY = "CNY"
ADDRESS = orders.Address(recipient="Li Wei", phone="+86 138 0000 0000", city="杭州", line1="文三路 1 号", country="CN")


class Shop:
    """`Shop.open(db)`; then `product`, `flash`, `buy`."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.seller, self.host, self.creator, self.show = ids.new(), ids.new(), ids.new(), ids.new()
        self.host_actor = Actor(self.host, "Host", False, self.creator, frozenset({self.seller}), None)

    @classmethod
    async def open(cls, db: Database) -> Shop:
        shop = cls(db)
        async with db.write() as tx:
            await shop.person(tx, shop.host)
            await tx.execute(
                """insert into seller (id, name, state, applied_by, created_at)
                   values ($1, 'Tea', 'approved', $2, now())""",
                shop.seller, shop.host,
            )  # fmt: skip
            await tx.execute(
                "insert into creator (id, user_id, name, created_at) values ($1, $2, 'Ming', now())",
                shop.creator, shop.host,
            )  # fmt: skip
            room = ids.new()
            await tx.execute("insert into room (id, creator_id) values ($1, $2)", room, shop.creator)
            await tx.execute(
                """insert into show (id, room_id, creator_id, host_id, title, state, started_at)
                   values ($1, $2, $3, $4, 'Evening', 'live', now())""",
                shop.show, room, shop.creator, shop.host,
            )  # fmt: skip
        return shop

    async def person(self, tx: Tx, user_id: UUID) -> None:
        await tx.execute(
            """insert into user_account (id, login, password_hash, name, created_at)
               values ($1, $2, 'x', 'Somebody', now())""",
            user_id, f"{user_id.hex}@example.com",
        )  # fmt: skip

    async def another_seller(self, tx: Tx, seller: UUID) -> None:
        await tx.execute(
            """insert into seller (id, name, state, applied_by, created_at)
               values ($1, 'Another', 'approved', $2, now())""",
            seller, self.host,
        )  # fmt: skip

    async def product(
        self, units: int, *, amount: int = 1000, per_buyer: int | None = None, show_price: int | None = None,
        seller: UUID | None = None,
    ) -> Article:  # fmt: skip
        """One product with one variant, in the show's tray, `units` on hand."""
        product, variant, listing = ids.new(), ids.new(), ids.new()
        async with self.db.write() as tx:
            if seller is not None:
                await self.another_seller(tx, seller)
            seller = seller or self.seller
            await add_variant(tx, seller, product, variant, amount)
            await tx.execute(
                """insert into listing (id, show_id, product_id, seller_id, slot, per_buyer)
                   select $1, $2, $3, $4, count(*) + 1, $5 from listing where show_id = $2""",
                listing, self.show, product, seller, per_buyer,
            )  # fmt: skip
            if show_price is not None:
                await tx.execute("insert into listing_price values ($1, $2, $3)", listing, variant, show_price)
            await stock.receive(tx, [stock.OnHand(variant, seller, units)])
        return Article(product, variant, listing)

    async def flash(self, article: Article, **more: Any) -> deals.Deal:
        """A flash sale; it opens when the countdown of 10 s is over."""
        fields: dict[str, Any] = {"price_amount": 500, "quota": 10, "countdown_seconds": 10, "per_buyer": 1, **more}
        wanted = deals.NewFlashSale(
            id=fields.pop("id", ids.new()), listing_id=article.listing, variant_id=article.variant, **fields
        )
        return await self.db.run(lambda tx: deals.publish_flash_sale(tx, self.host_actor, self.show, wanted))

    async def place(self, *drafts: orders.Draft) -> list[Placed | Refusal]:
        return await self.db.run(lambda tx: place(tx, drafts))

    async def pay(self, *placed: Placed) -> set[UUID]:
        """As if the provider had set the money aside."""
        paid = [Paid(one.order.id, one.order.total) for one in placed]
        return await self.db.run(lambda tx: settlement.settle(tx, paid))

    async def pool(self, pool_id: UUID) -> tuple[int, int, int, int]:
        """on hand, open, held, sold; and everything about stock adds up."""
        async with self.db.read() as read:
            assert await stock.drift(read) == 0
            found = (await stock.pools(read, [pool_id]))[pool_id]
        return found.on_hand, found.open, found.held, found.sold

    async def relay(self, *listeners: Any) -> None:
        await Relay(self.db, listeners).drain()


class Article:
    def __init__(self, product: UUID, variant: UUID, listing: UUID) -> None:
        self.product, self.variant, self.listing = product, variant, listing

    def line(self, quantity: int = 1, *, listed: bool = True, deal: deals.Deal | None = None) -> NewOrderLine:
        listing = self.listing if listed and deal is None else None
        return NewOrderLine(self.variant, quantity, listing, deal.id if deal else None)


async def add_variant(tx: Tx, seller: UUID, product: UUID, variant: UUID, amount: int) -> None:
    wanted = catalog.ProductDraft(
        product, "Green tea", [catalog.VariantDraft(variant, {}, amount)], state=catalog.ProductState.active
    )
    await catalog.create_product(tx, seller, wanted, CURRENCY)


def draft(
    *lines: NewOrderLine, buyer: UUID | None = None, show: UUID | None = None, order_id: UUID | None = None
) -> orders.Draft:
    """A buyer's wish; everyone new unless said."""
    return orders.draft(buyer or ids.new(), NewOrder(order_id or ids.new(), list(lines), show, ADDRESS))


def actor(user_id: UUID) -> Actor:
    return Actor(user_id, "Somebody", False, None, frozenset(), None)


def money(amount: int) -> Money:
    return Money(amount, CURRENCY)


__all__ = ["ADDRESS", "Article", "Shop", "actor", "clock", "draft", "money"]


@pytest.fixture
async def shop(db: Database) -> Shop:
    return await Shop.open(db)


@pytest.fixture
async def http(db: Database) -> AsyncIterator[Http]:
    async with application(db) as http:
        yield http
