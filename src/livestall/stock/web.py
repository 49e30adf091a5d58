"""HTTP of products with what is available of them, and of stock on hand. Words and prices are catalog's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post, put
from litestar.params import Parameter, QueryParameter
from msgspec import Meta

from livestall import accounts, catalog
from livestall.accounts import Actor
from livestall.base.db import Database, Read, Tx
from livestall.base.errors import NotFound
from livestall.base.http import Page, Who, cursor_of, may, read_cursor
from livestall.base.money import Money
from livestall.catalog import OptionAxis, Picture, ProductDraft, ProductRecord, ProductState
from livestall.stock import actions, store
from livestall.stock.model import ON_HAND_MAX, NotStocked, OnHand, Stand

CARDS, PRODUCTS, ROWS = 50, 25, 100

Search = Annotated[str, Parameter(max_length=200)]
Cursor = Annotated[str | None, Parameter(max_length=500)]


class ProductSeller(msgspec.Struct, frozen=True):
    id: UUID
    name: str


class Variant(msgspec.Struct, frozen=True):
    """`available` units can be bought at the ordinary price right now."""

    id: UUID
    title: str
    sku: str
    options: dict[str, str]
    price: Money
    compare_at: Money | None
    available: int
    picture_id: UUID | None


class Product(msgspec.Struct, frozen=True):
    id: UUID
    seller: ProductSeller
    title: str
    description: str
    state: ProductState
    pictures: list[Picture]
    options: list[OptionAxis]
    variants: list[Variant]
    price_from: Money


class ProductCard(msgspec.Struct, frozen=True):
    """A product in a list; `variants` and `available` are numbers."""

    id: UUID
    title: str
    seller_id: UUID
    seller_name: str
    price_from: Money
    picture_url: str | None
    variants: int
    available: int


class StockRow(msgspec.Struct, frozen=True):
    """A variant in its seller's list of stock; `in_deals` units are set aside for flash sales."""

    variant_id: UUID
    product_title: str
    variant_title: str
    sku: str
    on_hand: int
    held: int
    sold: int
    available: int
    in_deals: int


class Count(msgspec.Struct, frozen=True):
    variant_id: UUID
    on_hand: Annotated[int, Meta(ge=0, le=ON_HAND_MAX)]


class StockCount(msgspec.Struct, frozen=True):
    """What was counted. A count is absolute: sending it again changes nothing."""

    id: UUID
    rows: Annotated[list[Count], Meta(min_length=1, max_length=1000)]


async def products(read: Read, records: Sequence[ProductRecord]) -> list[Product]:
    """The products with names and numbers, in the same order."""
    sellers = await accounts.sellers(read, {one.seller_id for one in records})
    free = await store.available(read, [variant.id for one in records for variant in one.variants])
    return [_product(one, sellers[one.seller_id].name if one.seller_id in sellers else "", free) for one in records]


def _product(record: ProductRecord, seller: str, free: dict[UUID, int]) -> Product:
    variants = [
        Variant(
            one.id, one.title, one.sku, one.options, one.price, one.compare_at, free.get(one.id, 0), one.picture_id
        )
        for one in record.variants
    ]  # fmt: skip
    return Product(
        record.id, ProductSeller(record.seller_id, seller), record.title, record.description, record.state,
        record.pictures, record.options, variants, record.price_from,
    )  # fmt: skip


def _theirs(actor: Actor, seller_id: UUID) -> None:
    if seller_id not in actor.seller_ids and not actor.is_operator:
        raise NotFound


@get("/api/products", opt=may(Who.anyone))
async def search_products(
    db: Database, q: Search = "", seller_id: UUID | None = None, cursor: Cursor = None
) -> Page[ProductCard]:
    after: UUID | None = read_cursor(cursor, (UUID,))[0] if cursor else None
    async with db.read() as read:
        cards = await catalog.search(read, q=q, seller_id=seller_id, after=after, limit=CARDS + 1)
        shown = cards[:CARDS]
        sellers = await accounts.sellers(read, {one.seller_id for one in shown})
        free = await store.available(read, [variant for one in shown for variant in one.variant_ids])
    items = [
        ProductCard(
            one.id, one.title, one.seller_id, sellers[one.seller_id].name if one.seller_id in sellers else "",
            one.price_from, one.picture_url, len(one.variant_ids),
            sum(free.get(variant, 0) for variant in one.variant_ids),
        )
        for one in shown
    ]  # fmt: skip
    return Page(items, cursor_of(shown[-1].id) if len(cards) > CARDS else None)


@get("/api/products/{product_id:uuid}", opt=may(Who.anyone))
async def product(db: Database, actor: Actor, product_id: UUID) -> Product:
    async with db.read() as read:
        record = (await catalog.products(read, [product_id])).get(product_id)
        theirs = record is not None and (actor.is_operator or record.seller_id in actor.seller_ids)
        if record is None or not (theirs or record.state is ProductState.active):
            raise catalog.NoSuchProduct
        if not theirs:  # pictures under way, and why others failed, are their seller's to see
            shown = [one for one in record.pictures if one.state == "ready"]
            record = msgspec.structs.replace(record, pictures=shown)
        return (await products(read, [record]))[0]


@get("/api/sellers/{seller_id:uuid}/products", opt=may(Who.seller, "catalog:write"))
async def products_of_seller(
    db: Database,
    actor: Actor,
    seller_id: UUID,
    q: Search = "",
    kind: Annotated[Literal["draft", "active", "archived"] | None, QueryParameter(name="state")] = None,
    cursor: Cursor = None,
) -> Page[Product]:
    _theirs(actor, seller_id)
    after: UUID | None = read_cursor(cursor, (UUID,))[0] if cursor else None
    async with db.read() as read:
        cards = await catalog.search(read, q=q, seller_id=seller_id, state=kind, after=after, limit=PRODUCTS + 1)
        shown = [one.id for one in cards[:PRODUCTS]]
        records = await catalog.products(read, shown)
        items = await products(read, [records[one] for one in shown if one in records])
    return Page(items, cursor_of(shown[-1]) if len(cards) > PRODUCTS else None)


@post("/api/sellers/{seller_id:uuid}/products", opt=may(Who.seller, "catalog:write"))
async def create_product(db: Database, actor: Actor, seller_id: UUID, data: ProductDraft) -> Product:
    _theirs(actor, seller_id)

    async def create(tx: Tx) -> Product:
        market = await accounts.market(tx)
        return (await products(tx, [await catalog.create_product(tx, seller_id, data, market.currency)]))[0]

    return await db.run(create)


@put("/api/sellers/{seller_id:uuid}/products/{product_id:uuid}", opt=may(Who.seller, "catalog:write"))
async def change_product(db: Database, actor: Actor, seller_id: UUID, product_id: UUID, data: ProductDraft) -> Product:
    _theirs(actor, seller_id)
    if data.id != product_id:
        raise catalog.NoSuchProduct

    async def change(tx: Tx) -> Product:
        return (await products(tx, [await catalog.change_product(tx, seller_id, data)]))[0]

    return await db.run(change)


@get("/api/sellers/{seller_id:uuid}/stock", opt=may(Who.seller, "catalog:write"))
async def stock_of_seller(db: Database, actor: Actor, seller_id: UUID, cursor: Cursor = None) -> Page[StockRow]:
    _theirs(actor, seller_id)
    after: tuple[str, UUID] | None = None
    if cursor:
        title, variant_id = read_cursor(cursor, (str, UUID))
        after = (title, variant_id)
    async with db.read() as read:
        lines = await catalog.variant_lines(read, seller_id, after=after, limit=ROWS + 1)
        rows = await _rows(read, lines[:ROWS])
    last = lines[ROWS - 1] if len(lines) > ROWS else None
    return Page(rows, cursor_of(last.product_title, last.variant_id) if last else None)


async def _rows(read: Read, lines: Sequence[catalog.VariantLine]) -> list[StockRow]:
    stands = await store.stands(read, [one.variant_id for one in lines])
    rows: list[StockRow] = []
    for one in lines:
        stand = stands.get(one.variant_id, Stand(one.variant_id, 0, 0, 0, 0, 0))
        rows.append(
            StockRow(
                one.variant_id, one.product_title, one.variant_title, one.sku, stand.on_hand, stand.held, stand.sold,
                stand.available, stand.in_deals,
            )
        )  # fmt: skip
    return rows


@put("/api/sellers/{seller_id:uuid}/stock", opt=may(Who.seller, "catalog:write"))
async def count_stock(db: Database, actor: Actor, seller_id: UUID, data: StockCount) -> list[StockRow]:
    _theirs(actor, seller_id)

    async def count(tx: Tx) -> list[StockRow]:
        wanted = list({row.variant_id for row in data.rows})
        lines = await catalog.variant_lines(tx, seller_id, variant_ids=wanted, limit=len(wanted))
        if len(lines) < len(wanted):
            raise NotStocked
        await actions.receive(tx, [OnHand(row.variant_id, seller_id, row.on_hand) for row in data.rows])
        return await _rows(tx, lines)

    return await db.run(count)


ROUTES = [
    search_products, product, products_of_seller, create_product, change_product, stock_of_seller, count_stock,
]  # fmt: skip
