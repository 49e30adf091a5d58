"""Products as rows of the format that the import reads; importing them again changes nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from uuid import UUID

from livestall import storage
from livestall.base.db import Database, Read
from livestall.base.money import MINOR_DIGITS
from livestall.catalog.imports import store, text
from livestall.catalog.imports.store import ExportedProduct
from livestall.catalog.model import ProductState, VariantDraft

PRODUCTS = 100
BYTE_ORDER_MARK = "\ufeff"  # without it Excel takes UTF-8 for something else

OnHand = Callable[[Read, Sequence[UUID]], Awaitable[Mapping[UUID, int]]]
"""Variant → units on hand, of those that were ever counted."""


async def lines(db: Database, seller_id: UUID, web: str, on_hand: OnHand) -> AsyncGenerator[bytes]:
    """The file in pieces, a hundred products each. `web` is the address of this market, for uploaded pictures."""
    async with db.read() as read:
        axes = max(3, await store.most_options(read, seller_id))
    yield (BYTE_ORDER_MARK + _csv([_heading(axes)])).encode()
    after: UUID | None = None
    while True:
        async with db.read() as read:
            products = await store.exported(read, seller_id, after, PRODUCTS)
            counts = await on_hand(read, [variant.id for one in products for variant in one.variants])
        if not products:
            return
        yield _csv([row for one in products for row in rows_of(one, axes, web, counts)]).encode()
        after = products[-1].id


def _csv(rows: Sequence[Sequence[str]]) -> str:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue()


def _heading(axes: int) -> list[str]:
    options = [f"Option{number} {what}" for number in range(1, axes + 1) for what in ("Name", "Value")]
    return [
        "Handle", "Title", "Body (HTML)", "Published", *options, "Variant SKU", "Variant Inventory Qty",
        "Variant Price", "Variant Compare At Price", "Image Src", "Image Position", "Image Alt Text",
        "Variant Image", "Status",
    ]  # fmt: skip


def rows_of(product: ExportedProduct, axes: int, web: str, on_hand: Mapping[UUID, int]) -> Iterator[list[str]]:
    """A row for each variant, and with each a picture; more rows if there are more pictures."""
    addresses = {key: one if "://" in one else f"{web}{storage.link(one)}" for one, _, _, key in product.pictures}
    active = product.state is ProductState.active
    words = [product.title, text.markup_of(product.description), "TRUE" if active else "FALSE"]
    for at in range(max(len(product.variants), len(product.pictures), 1)):
        variant = product.variants[at] if at < len(product.variants) else None
        picture = [""] * 3
        if at < len(product.pictures):
            _, alt, position, key = product.pictures[at]
            picture = [addresses[key], str(position), alt]
        row = [
            product.handle, *(words if at == 0 else ["", "", ""]), *_options(product, variant, axes),
            *_numbers(product, variant, on_hand), *picture,
            addresses.get(variant.picture_id, "") if variant and variant.picture_id else "",
            product.state if at == 0 else "",
        ]  # fmt: skip
        yield [text.guarded(cell) for cell in row]


def _options(product: ExportedProduct, variant: VariantDraft | None, axes: int) -> list[str]:
    if variant is None:
        return [""] * (2 * axes)
    if not product.options:
        return ["Title", "Default Title", *[""] * (2 * axes - 2)]
    cells = [cell for axis in product.options for cell in (axis.name, variant.options[axis.name])]
    return cells + [""] * (2 * axes - len(cells))


def _numbers(product: ExportedProduct, variant: VariantDraft | None, on_hand: Mapping[UUID, int]) -> list[str]:
    if variant is None:
        return [""] * 4
    count = on_hand.get(variant.id)
    before = variant.compare_at_amount
    return [
        variant.sku, "" if count is None else str(count), price(variant.price_amount, product.currency),
        "" if before is None else price(before, product.currency),
    ]  # fmt: skip


def price(amount: int, currency: str) -> str:
    """Minor units as the import reads them: 1999 → "19.99" in yuan, "1999" in yen."""
    digits = MINOR_DIGITS.get(currency, 2)
    if not digits:
        return str(amount)
    return f"{amount // 10**digits}.{amount % 10**digits:0{digits}}"
