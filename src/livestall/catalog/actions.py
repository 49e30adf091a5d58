"""The verbs of products."""

from __future__ import annotations

from uuid import UUID

from livestall.base import clock
from livestall.base.db import Tx
from livestall.base.errors import SameIdOtherContents
from livestall.base.outbox import emit
from livestall.catalog import store
from livestall.catalog.model import (
    NoSuchProduct,
    ProductChanged,
    ProductDraft,
    ProductRecord,
    VariantDraft,
    check_draft,
)


async def create_product(tx: Tx, seller_id: UUID, draft: ProductDraft, currency: str) -> ProductRecord:
    """Make a product. The same id with the same contents again gives the product.

    Raises BadProduct, NoPrice, SameIdOtherContents.
    """
    check_draft(draft)
    if not await store.insert_product(tx, seller_id, draft, currency, clock.now()):
        known = (await store.products(tx, [draft.id])).get(draft.id)
        if known is None or known.seller_id != seller_id or not _says_the_same(known, draft):
            raise SameIdOtherContents
        return known
    return await _write(tx, seller_id, draft)


async def change_product(tx: Tx, seller_id: UUID, draft: ProductDraft) -> ProductRecord:
    """Make the seller's product what the draft says. Raises BadProduct, NoPrice, NoSuchProduct,
    SameIdOtherContents."""
    check_draft(draft)
    if await store.lock_product(tx, draft.id) != seller_id:
        raise NoSuchProduct
    await store.update_product(tx, draft, clock.now())
    return await _write(tx, seller_id, draft)


async def _write(tx: Tx, seller_id: UUID, draft: ProductDraft) -> ProductRecord:
    owners = await store.owners_of_variants(tx, [variant.id for variant in draft.variants])
    if any(owner != draft.id for owner in owners.values()):
        raise SameIdOtherContents
    await store.write_variants(tx, draft, clock.now())
    await emit(tx, [ProductChanged(subject=draft.id, seller_id=seller_id)])
    return (await store.products(tx, [draft.id]))[draft.id]


def _says_the_same(known: ProductRecord, draft: ProductDraft) -> bool:
    variants = [
        VariantDraft(
            one.id, one.options, one.price.amount, one.sku, one.compare_at.amount if one.compare_at else None,
            one.picture_id,
        )
        for one in known.variants
    ]  # fmt: skip
    same = ProductDraft(known.id, known.title, variants, known.description, known.state, known.options)
    return same == draft
