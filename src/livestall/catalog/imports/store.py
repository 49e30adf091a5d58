"""The SQL of imports: their rows, and the goods of a chunk, many at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from livestall.base.db import Read, Row, Tx
from livestall.catalog.imports import model
from livestall.catalog.imports.model import ERRORS_MAX, Fault, Import, sentence
from livestall.catalog.model import OptionAxis, ProductState, VariantDraft

LISTED_ERRORS = 10


class Claim(msgspec.Struct, frozen=True):
    """An import that this worker reads now. `groups_done` products of its file are behind it."""

    id: UUID
    seller_id: UUID
    currency: str
    file: str
    groups_done: int
    tries: int


class KnownVariant(msgspec.Struct, frozen=True):
    draft: VariantDraft
    title: str
    removed: bool


class KnownProduct(msgspec.Struct, frozen=True):
    """A product that is in the catalog already, with its removed variants behind the others."""

    id: UUID
    title: str
    description: str
    state: ProductState
    options: list[OptionAxis]
    variants: list[KnownVariant]


class SavedProduct(msgspec.Struct, frozen=True):
    """A product as it is to be, with all its variants; `handle` is for a new one."""

    id: UUID
    handle: str
    title: str
    description: str
    state: ProductState
    options: list[OptionAxis]
    variants: list[VariantDraft]


async def insert(
    tx: Tx, import_id: UUID, seller_id: UUID, *, currency: str, digest: bytes, file: str, now: datetime
) -> bool:
    """False if the id is taken."""
    return await tx.execute(
        """insert into product_import (id, seller_id, currency, digest, file, state, created_at, claimed_until)
           values ($1, $2, $3, $4, $5, 'reading', $6, $6) on conflict do nothing""",
        import_id, seller_id, currency, digest, file, now,
    ) == 1  # fmt: skip


async def is_of(read: Read, import_id: UUID, seller_id: UUID, digest: bytes) -> bool:
    return await read.fetchval(
        "select exists (select 1 from product_import where id = $1 and seller_id = $2 and digest = $3)",
        import_id, seller_id, digest,
    )  # fmt: skip


_IMPORTS = """
    select i.*, (select count(*) from picture f where f.import_id = i.id and f.state = 'pending') as pictures_pending
      from product_import i where i.seller_id = $1"""


def _import(row: Row, locale: str, errors: int = ERRORS_MAX) -> Import:
    faults = msgspec.convert(row["errors"][:errors], list[Fault])
    return Import(
        row["id"], row["state"], row["lines"], row["lines_done"], row["products_created"], row["products_updated"],
        row["pictures_pending"],
        [model.ImportError(one.line, one.column, one.value, sentence(one, locale)) for one in faults],
        row["errors_total"], row["created_at"],
        sentence(msgspec.convert(row["error"], Fault), locale) if row["error"] else None,
    )  # fmt: skip


async def find(read: Read, seller_id: UUID, import_id: UUID, locale: str = "en") -> Import | None:
    """The seller's import, with its sentences in `locale`."""
    row = await read.fetchrow(f"{_IMPORTS} and i.id = $2", seller_id, import_id)
    return _import(row, locale) if row else None


async def page(
    read: Read, seller_id: UUID, *, after: UUID | None = None, limit: int = 20, locale: str = "en"
) -> list[Import]:
    """The seller's imports, newest id first; of each only the first ten errors."""
    rows = await read.fetch(
        f"{_IMPORTS} and ($2::uuid is null or i.id < $2) order by i.id desc limit $3", seller_id, after, limit
    )
    return [_import(row, locale, LISTED_ERRORS) for row in rows]


async def claim(tx: Tx, now: datetime, until: datetime) -> Claim | None:
    """Take an import that nobody reads, or whose reader was silent beyond its lease."""
    row = await tx.fetchrow(
        """update product_import set claimed_until = $2, tries = tries + 1
            where id = (select id from product_import where state = 'reading' and claimed_until <= $1
                         order by claimed_until, id limit 1 for update skip locked)
           returning id, seller_id, currency, file, groups_done, tries""",
        now, until,
    )  # fmt: skip
    return Claim(**row) if row else None


async def files_in_use(read: Read, files: Sequence[str], since: datetime) -> set[str]:
    """Those of the stored files that are still read, or were read since then."""
    rows = await read.fetch(
        """select file from product_import
            where file = any($1::text[]) and (state = 'reading' or claimed_until >= $2)""",
        list(files), since,
    )  # fmt: skip
    return {row["file"] for row in rows}


async def set_lines(tx: Tx, import_id: UUID, lines: int) -> None:
    await tx.execute("update product_import set lines = $2 where id = $1", import_id, lines)


async def hold(tx: Tx, import_id: UUID, groups_done: int) -> int | None:
    """Lock the import's row; how many errors it keeps. None if another worker has read on meanwhile."""
    return await tx.fetchval(
        """select jsonb_array_length(errors) from product_import
            where id = $1 and groups_done = $2 and state = 'reading' for update""",
        import_id, groups_done,
    )  # fmt: skip


async def advance(
    tx: Tx, import_id: UUID, *, groups: int, lines: int, created: int, updated: int, faults: Sequence[Fault],
    kept: int, until: datetime, done: bool,
) -> None:  # fmt: skip
    """Move the progress by a chunk. `kept` errors are stored so far."""
    await tx.execute(
        """update product_import
              set groups_done = groups_done + $2, lines_done = lines_done + $3, tries = 0,
                  products_created = products_created + $4, products_updated = products_updated + $5,
                  errors = errors || $6::jsonb, errors_total = errors_total + $7, claimed_until = $8,
                  state = case when $9 then 'done' else state end
            where id = $1""",
        import_id, groups, lines, created, updated, list(faults[: ERRORS_MAX - kept]), len(faults), until, done,
    )  # fmt: skip


async def fail(tx: Tx, import_id: UUID, fault: Fault) -> None:
    await tx.execute(
        "update product_import set state = 'failed', error = $2 where id = $1 and state = 'reading'", import_id, fault
    )


async def lock_seller(tx: Tx, seller_id: UUID) -> None:
    """Chunks of one seller's imports follow one another, so that two files with the same handle make one product."""
    await tx.execute(
        "select pg_advisory_xact_lock(hashtextextended('livestall.import.' || $1::text, 0))", str(seller_id)
    )


async def known_products(tx: Tx, seller_id: UUID, handles: Sequence[str]) -> dict[str, KnownProduct]:
    """Handle → the seller's product, locked. A product without a handle is known by its id."""
    rows = await tx.fetch(
        """select id, coalesce(handle, id::text) as handle, title, description, state, options from product
            where seller_id = $1 and (handle = any($2::text[]) or (handle is null and id = any($3::uuid[])))
            order by id for update""",
        seller_id, list(handles), [found for one in handles if (found := _uuid(one))],
    )  # fmt: skip
    variants: dict[UUID, list[KnownVariant]] = {row["id"]: [] for row in rows}
    for one in await tx.fetch(
        """select * from variant where product_id = any($1::uuid[])
            order by product_id, removed_at nulls first, position""",
        list(variants),
    ):
        draft = VariantDraft(
            one["id"], one["options"], one["price"], one["sku"], one["compare_at"], one["picture_id"]
        )  # fmt: skip
        variants[one["product_id"]].append(KnownVariant(draft, one["title"], one["removed_at"] is not None))
    return {
        row["handle"]: KnownProduct(
            row["id"], row["title"], row["description"], ProductState(row["state"]),
            msgspec.convert(row["options"], list[OptionAxis]), variants[row["id"]],
        )
        for row in rows
    }  # fmt: skip


def _uuid(handle: str) -> UUID | None:
    try:
        found = UUID(handle)
    except ValueError:
        return None
    return found if str(found) == handle else None


async def files_of(read: Read, product_ids: Sequence[UUID]) -> dict[tuple[UUID, str], UUID]:
    """Product and stored file → picture, of those that were uploaded."""
    rows = await read.fetch(
        """select id, product_id, file from picture
            where product_id = any($1::uuid[]) and source_url is null and file is not null""",
        list(product_ids),
    )
    return {(row["product_id"], row["file"]): row["id"] for row in rows}


async def save_products(
    tx: Tx, seller_id: UUID, currency: str, products: Sequence[SavedProduct], now: datetime
) -> None:
    """Make or change these products; their variants follow with `save_variants`."""
    await tx.execute(
        """insert into product (id, seller_id, handle, title, description, state, options, currency, created_at,
                                updated_at)
           select id, $1, handle, title, description, state, options::jsonb, $2, $3, $3
             from unnest($4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
                  as t (id, handle, title, description, state, options)
           on conflict (id) do update
              set title = excluded.title, description = excluded.description, state = excluded.state,
                  options = excluded.options, updated_at = excluded.updated_at""",
        seller_id, currency, now, [one.id for one in products], [one.handle for one in products],
        [one.title for one in products], [one.description for one in products], [one.state for one in products],
        [msgspec.json.encode(one.options).decode() for one in products],  # a list of lists would be a matrix
    )  # fmt: skip


async def save_variants(
    tx: Tx, products: Sequence[SavedProduct], titles: Sequence[Sequence[str]], now: datetime
) -> None:
    """Make the variants of these products those, in that order; others are put away, for orders that name them.

    `titles` has those of each product's variants.
    """
    rows = [
        (one.id, place, variant, title)
        for one, names in zip(products, titles, strict=True)
        for place, (variant, title) in enumerate(zip(one.variants, names, strict=True), 1)
    ]
    await tx.execute(
        """insert into variant (id, product_id, position, title, sku, options, price, compare_at, picture_id)
           select t.id, t.product_id, t.position, t.title, t.sku, t.options, t.price, t.compare_at, f.id
             from unnest($1::uuid[], $2::uuid[], $3::int[], $4::text[], $5::text[], $6::jsonb[], $7::bigint[],
                         $8::bigint[], $9::uuid[])
                  as t (id, product_id, position, title, sku, options, price, compare_at, picture_id)
             left join picture f on f.id = t.picture_id and f.product_id = t.product_id
           on conflict (id) do update
              set position = excluded.position, title = excluded.title, sku = excluded.sku, removed_at = null,
                  options = excluded.options, price = excluded.price, compare_at = excluded.compare_at,
                  picture_id = excluded.picture_id""",
        [one[2].id for one in rows], [one[0] for one in rows], [one[1] for one in rows], [one[3] for one in rows],
        [one[2].sku for one in rows], [one[2].options for one in rows], [one[2].price_amount for one in rows],
        [one[2].compare_at_amount for one in rows], [one[2].picture_id for one in rows],
    )  # fmt: skip
    await tx.execute(
        """update variant set removed_at = $3
            where product_id = any($1::uuid[]) and removed_at is null and id <> all($2::uuid[])""",
        [one.id for one in products], [one[2].id for one in rows], now,
    )  # fmt: skip


class ExportedProduct(msgspec.Struct, frozen=True):
    """What an export says of a product. A picture is (address or stored file, alt, position, id)."""

    id: UUID
    handle: str
    title: str
    description: str
    state: ProductState
    options: list[OptionAxis]
    currency: str
    variants: list[VariantDraft]
    pictures: list[tuple[str, str, int, UUID]]


async def exported(read: Read, seller_id: UUID, after: UUID | None, limit: int) -> list[ExportedProduct]:
    """The seller's products in any state, oldest id first, behind the product `after`."""
    rows = await read.fetch(
        """select id, coalesce(handle, id::text) as handle, title, description, state, options, currency from product
            where seller_id = $1 and ($2::uuid is null or id > $2) order by id limit $3""",
        seller_id, after, limit,
    )  # fmt: skip
    product_ids = [row["id"] for row in rows]
    variants: dict[UUID, list[VariantDraft]] = {one: [] for one in product_ids}
    for one in await read.fetch(
        "select * from variant where product_id = any($1::uuid[]) and removed_at is null order by product_id, position",
        product_ids,
    ):
        variants[one["product_id"]].append(
            VariantDraft(one["id"], one["options"], one["price"], one["sku"], one["compare_at"], one["picture_id"])
        )
    pictures: dict[UUID, list[tuple[str, str, int, UUID]]] = {one: [] for one in product_ids}
    for one in await read.fetch(
        """select id, product_id, coalesce(source_url, file) as address, alt, position from picture
            where product_id = any($1::uuid[]) and coalesce(source_url, file) is not null
            order by product_id, position, id""",
        product_ids,
    ):
        pictures[one["product_id"]].append((one["address"], one["alt"], one["position"], one["id"]))
    return [
        ExportedProduct(
            row["id"], row["handle"], row["title"], row["description"], ProductState(row["state"]),
            msgspec.convert(row["options"], list[OptionAxis]), row["currency"], variants[row["id"]],
            pictures[row["id"]],
        )
        for row in rows
    ]  # fmt: skip


async def most_options(read: Read, seller_id: UUID) -> int:
    """How many options the seller's product with the most of them has."""
    return await read.fetchval(
        "select coalesce(max(jsonb_array_length(options)), 0) from product where seller_id = $1", seller_id
    )
