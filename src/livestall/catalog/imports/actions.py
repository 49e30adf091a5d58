"""The verbs of imports: beginning one, and writing a chunk of its goods into the catalog."""

from __future__ import annotations

import re
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import msgspec
import structlog

from livestall.base import clock, ids
from livestall.base.db import AGAIN, Tx
from livestall.base.errors import SameIdOtherContents
from livestall.base.outbox import emit
from livestall.catalog import pictures
from livestall.catalog.imports import store, text
from livestall.catalog.imports.goods import Goods, VariantGoods
from livestall.catalog.imports.model import VALUE_SHOWN, Fault
from livestall.catalog.imports.store import Claim, KnownProduct, KnownVariant, SavedProduct
from livestall.catalog.model import ImportStocked, OptionAxis, ProductChanged, ProductState, VariantDraft, title_of

log = structlog.get_logger()
_OURS = re.compile(r"(?:https?://[^/]+)?/files/([0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,5})")

Addresses = dict[tuple[UUID, str], UUID]
"""Product and address of a picture → the picture."""


async def begin(tx: Tx, seller_id: UUID, import_id: UUID, *, digest: bytes, file: str, currency: str) -> None:
    """Have a stored file read. The same id with the same file again changes nothing. Raises SameIdOtherContents."""
    added = await store.insert(
        tx, import_id, seller_id, currency=currency, digest=digest, file=file, now=clock.now()
    )  # fmt: skip
    if not added and not await store.is_of(tx, import_id, seller_id, digest):
        raise SameIdOtherContents


class Outcome(msgspec.Struct):
    """What became of some goods."""

    created: int = 0
    updated: int = 0
    faults: list[Fault] = []


async def save(tx: Tx, claim: Claim, goods: Sequence[Goods]) -> Outcome:
    """Write goods into the catalog. If the database will not have some of them, the others are written one by one."""
    if not goods:
        return Outcome()
    await store.lock_seller(tx, claim.seller_id)
    try:
        async with tx.savepoint():
            return await _save(tx, claim, goods)
    except AGAIN:
        raise
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, ValueError) as error:
        log.warning("goods not saved", import_id=str(claim.id), products=len(goods), error=repr(error))
        if len(goods) == 1:
            one = goods[0]
            return Outcome(faults=[Fault("not-saved", {}, one.line, "Handle", one.handle[:VALUE_SHOWN])])
    total = Outcome()
    for one in goods:
        part = await save(tx, claim, [one])
        total = Outcome(total.created + part.created, total.updated + part.updated, total.faults + part.faults)
    return total


async def _save(tx: Tx, claim: Claim, goods: Sequence[Goods]) -> Outcome:
    now = clock.now()
    known = await store.known_products(tx, claim.seller_id, [one.handle for one in goods])
    planned = [(one, known.get(one.handle), _plan(one, known.get(one.handle))) for one in goods]
    words = [plan for _, before, plan in planned if before is None or not _same_words(before, plan)]
    await store.save_products(tx, claim.seller_id, claim.currency, words, now)
    addresses, faults = await _pictures(tx, claim, [(one, plan) for one, _, plan in planned])
    changed: list[SavedProduct] = []
    for one, before, plan in planned:
        whole = _with_pictures(one, plan, addresses)
        if before is None or not _same_words(before, whole) or not _same_variants(before, whole):
            changed.append(whole)
    titles = [[title_of(variant.options, one.options) for variant in one.variants] for one in changed]
    await store.save_variants(tx, changed, titles, now)
    await emit(tx, [ProductChanged(subject=one.id, seller_id=claim.seller_id) for one in changed])
    await emit(
        tx,
        [
            ImportStocked(
                subject=variant.id, variant_id=variant.id, seller_id=claim.seller_id, on_hand=line.quantity
            )
            for one, _, plan in planned
            for line, variant in zip(one.variants, plan.variants, strict=True)
            if line.quantity is not None
        ],
    )  # fmt: skip
    created = sum(before is None for _, before, _ in planned)
    return Outcome(created, len(planned) - created, faults)


def _plan(goods: Goods, known: KnownProduct | None) -> SavedProduct:
    """The product as it is to be, but for its pictures. What the file does not say stays as it was."""
    if known is None:
        axes = goods.axes
        variants = [_variant(goods, one, None) for one in goods.variants]
        return SavedProduct(
            ids.new(), goods.handle, goods.title, goods.description or "", goods.state or ProductState.active, axes,
            variants,
        )  # fmt: skip
    kept_words = goods.description is None or text.plain(text.markup_of(known.description)) == goods.description
    matches = _matches(goods, known.variants)
    return SavedProduct(
        known.id, goods.handle,
        known.title if text.line(known.title) == goods.title else goods.title,
        known.description if kept_words else goods.description or "",
        goods.state or known.state, _axes(goods.axes, known),
        [_variant(goods, one, match) for one, match in zip(goods.variants, matches, strict=True)],
    )  # fmt: skip


def _matches(goods: Goods, known: Sequence[KnownVariant]) -> list[KnownVariant | None]:
    """For each variant of the file the one it is already: by its SKU, else by its options."""
    by_sku: dict[str, KnownVariant] = {}
    by_title: dict[str, KnownVariant] = {}
    for one in known:
        by_sku.setdefault(one.draft.sku, one)
        by_title.setdefault(text.line(one.title), one)
    by_sku.pop("", None)
    found = [by_sku.get(line.sku or "") for line in goods.variants]
    taken = {one.draft.id for one in found if one}
    for at, line in enumerate(goods.variants):
        same = by_title.get(" / ".join(line.choice))
        if found[at] is None and same is not None and same.draft.id not in taken:
            found[at] = same
            taken.add(same.draft.id)
    return found


def _variant(goods: Goods, line: VariantGoods, known: KnownVariant | None) -> VariantDraft:
    before = known.draft if known else VariantDraft(ids.new(), {}, 0)
    compare_at = line.compare_at if goods.compares else before.compare_at_amount
    return VariantDraft(
        before.id, {axis.name: value for axis, value in zip(goods.axes, line.choice, strict=True)}, line.price,
        before.sku if line.sku is None else line.sku,
        compare_at if compare_at is not None and compare_at > line.price else None, before.picture_id,
    )  # fmt: skip


def _axes(axes: Sequence[OptionAxis], known: KnownProduct) -> list[OptionAxis]:
    """The file's options; an option that is known keeps the order of its values, and those that no variant had."""
    merged: list[OptionAxis] = []
    for axis in axes:
        before = next((one.values for one in known.options if one.name == axis.name), [])
        used = {one.draft.options.get(axis.name) for one in known.variants if not one.removed}
        kept = [value for value in before if value in axis.values or value not in used]
        merged.append(OptionAxis(axis.name, list(dict.fromkeys([*kept, *axis.values]))))
    return merged


async def _pictures(
    tx: Tx, claim: Claim, products: Sequence[tuple[Goods, SavedProduct]]
) -> tuple[Addresses, list[Fault]]:
    """Have new pictures fetched. A picture that was uploaded here and exported from here is the product's already."""
    wanted = [(one, plan.id, picture) for one, plan in products for picture in one.pictures]
    if not wanted:
        return {}, []
    files = await store.files_of(tx, list({product_id for _, product_id, _ in wanted}))
    addresses: Addresses = {}
    abroad: list[pictures.PictureAt] = []
    for _, product_id, picture in wanted:
        ours = _OURS.fullmatch(picture.url)
        if ours and (own := files.get((product_id, ours[1]))):
            addresses[product_id, picture.url] = own
        else:
            abroad.append((ids.new(), product_id, picture.url, picture.alt, picture.position))
    addresses |= await pictures.add_from_urls(tx, abroad, claim.id)
    faults = [
        Fault("too-many-pictures", {"limit": pictures.PICTURES_MAX}, one.line, "Image Src", one.url[:VALUE_SHOWN])
        for _, product_id, one in wanted
        if (product_id, one.url) not in addresses
    ]
    return addresses, faults


def _with_pictures(goods: Goods, plan: SavedProduct, addresses: Addresses) -> SavedProduct:
    variants = [
        msgspec.structs.replace(variant, picture_id=addresses.get((plan.id, line.picture_url), variant.picture_id))
        if line.picture_url else variant
        for line, variant in zip(goods.variants, plan.variants, strict=True)
    ]  # fmt: skip
    return msgspec.structs.replace(plan, variants=variants)


def _same_words(known: KnownProduct, plan: SavedProduct) -> bool:
    return (known.title, known.description, known.state, known.options) == (
        plan.title, plan.description, plan.state, plan.options,
    )  # fmt: skip


def _same_variants(known: KnownProduct, plan: SavedProduct) -> bool:
    return [one.draft for one in known.variants if not one.removed] == plan.variants
