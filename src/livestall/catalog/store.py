"""The SQL of products and variants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from livestall import storage
from livestall.base.db import Read, Row, Tx
from livestall.base.money import Money
from livestall.catalog.model import (
    CardRecord,
    Offer,
    OptionAxis,
    Picture,
    ProductDraft,
    ProductRecord,
    ProductState,
    VariantRecord,
    title_of,
)

_PICTURE = """coalesce(
    (select f.thumb from picture f where f.id = v.picture_id and f.state = 'ready'),
    (select f.thumb from picture f where f.product_id = v.product_id and f.state = 'ready'
      order by f.position limit 1))"""

_OFFERS = f"""
    select v.id, v.product_id, p.seller_id, p.title as product_title, v.title, v.options, v.price, v.compare_at, v.sku,
           p.currency, {_PICTURE} as thumb
      from variant v join product p on p.id = v.product_id
     where p.state = 'active' and v.removed_at is null"""


def _offer(row: Row) -> Offer:
    currency = row["currency"]
    return Offer(
        row["id"], row["product_id"], row["seller_id"], row["product_title"], row["title"], row["options"],
        Money(row["price"], currency), _link(row["thumb"]), row["sku"], _money(row["compare_at"], currency),
    )  # fmt: skip


_OFFERS_MAX = 20_000
_seen: dict[tuple[object, ...], tuple[dict[str, str], Offer]] = {}
"""Offers by all that makes them but their options, which have no hash and stand beside them."""


def _same_offer(row: Row) -> Offer:
    """The offer, and the same object as long as nothing in it changes: a rush reads and compares it all the time."""
    key = tuple(value for name, value in row.items() if name != "options")
    options, offer = _seen.get(key, (None, None))
    if offer is None or options != row["options"]:
        if len(_seen) > _OFFERS_MAX:
            _seen.clear()
        offer = _offer(row)
        _seen[key] = row["options"], offer
    return offer


def _link(key: str | None) -> str | None:
    return storage.link(key) if key else None


def _money(amount: int | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount, currency)


async def offers(read: Read, variant_ids: Sequence[UUID]) -> dict[UUID, Offer]:
    """The variants among these that are for sale now."""
    rows = await read.fetch(f"{_OFFERS} and v.id = any($1::uuid[])", list(variant_ids))
    found = [_same_offer(row) for row in rows]
    return {one.variant_id: one for one in found}


async def products_of(read: Read, variant_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The product of each variant among these that is for sale now."""
    rows = await read.fetch(
        """select v.id, v.product_id from variant v join product p on p.id = v.product_id
            where p.state = 'active' and v.removed_at is null and v.id = any($1::uuid[])""",
        list(variant_ids),
    )
    return {row["id"]: row["product_id"] for row in rows}


async def offers_of(read: Read, product_ids: Sequence[UUID]) -> dict[UUID, list[Offer]]:
    """For each product that is for sale now, its variants in the seller's order."""
    rows = await read.fetch(
        f"{_OFFERS} and v.product_id = any($1::uuid[]) order by v.product_id, v.position", list(product_ids)
    )
    found: dict[UUID, list[Offer]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(_offer(row))
    return found


def picture_of(row: Row) -> Picture:
    return Picture(
        row["id"], _link(row["file"]), _link(row["thumb"]), row["width"], row["height"], row["state"], row["alt"],
        row["error"],
    )  # fmt: skip


async def pictures_of(read: Read, product_ids: Sequence[UUID]) -> dict[UUID, list[Picture]]:
    rows = await read.fetch(
        "select * from picture where product_id = any($1::uuid[]) order by product_id, position, id", list(product_ids)
    )
    found: dict[UUID, list[Picture]] = {}
    for row in rows:
        found.setdefault(row["product_id"], []).append(picture_of(row))
    return found


async def products(read: Read, product_ids: Sequence[UUID]) -> dict[UUID, ProductRecord]:
    """Products in any state, with all their variants that are not removed."""
    rows = await read.fetch("select * from product where id = any($1::uuid[])", list(product_ids))
    currencies = {row["id"]: row["currency"] for row in rows}
    variants: dict[UUID, list[VariantRecord]] = {product_id: [] for product_id in currencies}
    for row in await read.fetch(
        """select * from variant where product_id = any($1::uuid[]) and removed_at is null
            order by product_id, position""",
        list(currencies),
    ):
        currency = currencies[row["product_id"]]
        variants[row["product_id"]].append(
            VariantRecord(
                row["id"], row["title"], row["sku"], row["options"], Money(row["price"], currency),
                _money(row["compare_at"], currency), row["picture_id"],
            )
        )  # fmt: skip
    pictures = await pictures_of(read, list(currencies))
    return {row["id"]: _product(row, pictures.get(row["id"], []), variants[row["id"]]) for row in rows}


def _product(row: Row, pictures: list[Picture], variants: list[VariantRecord]) -> ProductRecord:
    cheapest = min((variant.price.amount for variant in variants), default=0)
    return ProductRecord(
        row["id"], row["seller_id"], row["title"], row["description"], ProductState(row["state"]),
        msgspec.convert(row["options"], list[OptionAxis]), pictures, variants, Money(cheapest, row["currency"]),
        row["handle"], row["updated_at"],
    )  # fmt: skip


_CARDS = """
    select p.id, p.title, p.seller_id, p.state, p.currency, v.price_from, v.variant_ids,
           (select f.thumb from picture f where f.product_id = p.id and f.state = 'ready'
             order by f.position limit 1) as thumb
      from product p cross join lateral (
           select coalesce(min(price), 0) as price_from, coalesce(array_agg(id order by position), '{}') as variant_ids
             from variant where product_id = p.id and removed_at is null) v"""


def _card(row: Row) -> CardRecord:
    return CardRecord(
        row["id"], row["title"], row["seller_id"], ProductState(row["state"]),
        Money(row["price_from"], row["currency"]), _link(row["thumb"]), row["variant_ids"],
    )  # fmt: skip


async def cards(read: Read, product_ids: Sequence[UUID]) -> dict[UUID, CardRecord]:
    rows = await read.fetch(f"{_CARDS} where p.id = any($1::uuid[])", list(product_ids))
    return {row["id"]: _card(row) for row in rows}


async def search(
    read: Read, *, q: str = "", seller_id: UUID | None = None, state: str | None = "active",
    after: UUID | None = None, limit: int = 50,
) -> list[CardRecord]:  # fmt: skip
    """Cards of products whose title has all of `q`'s words, newest id first, after the product `after`."""
    words = [f"%{word}%" for word in like(q).split()][:10]
    rows = await read.fetch(
        f"""{_CARDS} where ($1::uuid is null or p.seller_id = $1) and ($2::text is null or p.state = $2)
               and ($3::uuid is null or p.id < $3) and p.title ilike all ($4::text[]) order by p.id desc limit $5""",
        seller_id, state, after, words, limit,
    )  # fmt: skip
    return [_card(row) for row in rows]


def like(text: str) -> str:
    """`text` with the signs that LIKE reads made plain."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


async def seller_of(read: Read, product_id: UUID) -> UUID | None:
    return await read.fetchval("select seller_id from product where id = $1", product_id)


async def owners_of_variants(read: Read, variant_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Variant → product, removed ones too."""
    rows = await read.fetch("select id, product_id from variant where id = any($1::uuid[])", list(variant_ids))
    return {row["id"]: row["product_id"] for row in rows}


class VariantLine(msgspec.Struct, frozen=True):
    """A variant in its seller's list of stock."""

    variant_id: UUID
    product_title: str
    variant_title: str
    sku: str


async def variant_lines(
    read: Read, seller_id: UUID, *, after: tuple[str, UUID] | None = None, limit: int = 100,
    variant_ids: Sequence[UUID] | None = None,
) -> list[VariantLine]:  # fmt: skip
    """All variants of a seller's products that are not archived, by (product title, variant id)."""
    rows = await read.fetch(
        """select v.id, p.title as product_title, v.title, v.sku from variant v join product p on p.id = v.product_id
            where p.seller_id = $1 and p.state <> 'archived' and v.removed_at is null
              and ($2::text is null or (p.title, v.id) > ($2, $3::uuid))
              and ($5::uuid[] is null or v.id = any($5)) order by p.title, v.id limit $4""",
        seller_id, after[0] if after else None, after[1] if after else None, limit,
        None if variant_ids is None else list(variant_ids),
    )  # fmt: skip
    return [VariantLine(row["id"], row["product_title"], row["title"], row["sku"]) for row in rows]


async def insert_product(
    tx: Tx, seller_id: UUID, draft: ProductDraft, currency: str, now: datetime, handle: str | None = None
) -> bool:
    """False if the id is taken."""
    return await tx.execute(
        """insert into product (id, seller_id, title, description, state, options, currency, created_at, updated_at,
                                handle)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9) on conflict do nothing""",
        draft.id, seller_id, draft.title, draft.description, draft.state, draft.options, currency, now, handle,
    ) == 1  # fmt: skip


async def lock_product(tx: Tx, product_id: UUID) -> UUID | None:
    """The seller of the product, whose row stays locked until `tx` ends; None if there is no such product."""
    return await tx.fetchval("select seller_id from product where id = $1 for update", product_id)


async def update_product(tx: Tx, draft: ProductDraft, now: datetime) -> None:
    await tx.execute(
        "update product set title = $2, description = $3, state = $4, options = $5, updated_at = $6 where id = $1",
        draft.id, draft.title, draft.description, draft.state, draft.options, now,
    )  # fmt: skip


async def write_variants(tx: Tx, draft: ProductDraft, now: datetime) -> None:
    """Make the product's variants those of the draft, in its order. The product's row is locked or new."""
    variants = draft.variants
    await tx.execute(
        """insert into variant (id, product_id, position, title, sku, options, price, compare_at, picture_id)
           select id, $1, position, title, sku, options, price, compare_at,
                  (select f.id from picture f where f.id = t.picture_id and f.product_id = $1)
             from unnest($2::uuid[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[], $7::bigint[], $8::uuid[])
                  with ordinality as t (id, title, sku, options, price, compare_at, picture_id, position)
           on conflict (id) do update
              set position = excluded.position, title = excluded.title, sku = excluded.sku, removed_at = null,
                  options = excluded.options, price = excluded.price, compare_at = excluded.compare_at,
                  picture_id = excluded.picture_id""",
        draft.id, [one.id for one in variants], [title_of(one.options, draft.options) for one in variants],
        [one.sku for one in variants], [one.options for one in variants], [one.price_amount for one in variants],
        [one.compare_at_amount for one in variants], [one.picture_id for one in variants],
    )  # fmt: skip
    await tx.execute(
        "update variant set removed_at = $3 where product_id = $1 and removed_at is null and id <> all($2::uuid[])",
        draft.id, [one.id for one in variants], now,
    )  # fmt: skip
