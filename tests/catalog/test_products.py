"""Products: saved whole, offered only while they are for sale, found by words."""

from __future__ import annotations

import msgspec
import pytest

from livestall import catalog
from livestall.base import ids
from livestall.base.db import Database
from livestall.base.errors import SameIdOtherContents
from livestall.base.money import Money
from livestall.catalog.model import BadProduct, NoPrice, OptionAxis, ProductDraft, ProductState, VariantDraft


def shirt(**changes: object) -> ProductDraft:
    axes = [OptionAxis("Size", ["S", "M"]), OptionAxis("Colour", ["Red"])]
    variants = [VariantDraft(ids.new(), {"Size": size, "Colour": "Red"}, 1999, f"SH-{size}", 2999) for size in "SM"]
    fields: dict[str, object] = {
        "id": ids.new(), "title": "Linen shirt 亚麻衬衫", "variants": variants, "description": "Cool.",
        "state": ProductState.active, "options": axes,
    }  # fmt: skip
    return ProductDraft(**{**fields, **changes})  # type: ignore[arg-type]


async def test_a_product_is_made_once_and_its_variants_are_offered(db: Database) -> None:
    seller, draft = ids.new(), shirt()
    for _ in range(2):
        async with db.write() as tx:
            made = await catalog.create_product(tx, seller, draft, "CNY")
    assert [variant.title for variant in made.variants] == ["S / Red", "M / Red"]
    assert made.price_from == Money(1999, "CNY")
    async with db.read() as read:
        offers = await catalog.offers(read, [variant.id for variant in draft.variants])
        assert (await catalog.offers_of(read, [draft.id]))[draft.id] == list(offers.values())
    assert offers[draft.variants[1].id].compare_at == Money(2999, "CNY")
    with pytest.raises(SameIdOtherContents):
        async with db.write() as tx:
            await catalog.create_product(tx, seller, shirt(id=draft.id), "CNY")


async def test_a_variant_left_out_and_a_product_put_away_are_offered_no_more(db: Database) -> None:
    seller, draft = ids.new(), shirt()
    async with db.write() as tx:
        await catalog.create_product(tx, seller, draft, "CNY")
        await catalog.change_product(tx, seller, shirt(id=draft.id, variants=draft.variants[1:]))
        assert list(await catalog.offers(tx, [one.id for one in draft.variants])) == [draft.variants[1].id]
        await catalog.change_product(tx, seller, shirt(id=draft.id, state=ProductState.archived))
        assert await catalog.offers_of(tx, [draft.id]) == {}


async def test_nobody_changes_the_product_of_another_seller_or_takes_its_variant(db: Database) -> None:
    seller, draft = ids.new(), shirt()
    async with db.write() as tx:
        await catalog.create_product(tx, seller, draft, "CNY")
    with pytest.raises(catalog.NoSuchProduct):
        async with db.write() as tx:
            await catalog.change_product(tx, ids.new(), draft)
    with pytest.raises(SameIdOtherContents):
        async with db.write() as tx:
            await catalog.create_product(tx, ids.new(), shirt(variants=draft.variants), "CNY")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"title": "  "}, "title is empty"),
        ({"options": [OptionAxis("Size", ["S", "M"])]}, "one value for each option"),
        ({"options": [OptionAxis("Size", ["S", "S"]), OptionAxis("Colour", ["Red"])]}, "same value twice"),
        ({"options": [], "variants": [VariantDraft(ids.new(), {}, 1), VariantDraft(ids.new(), {}, 1)]}, "there twice"),
        ({"options": [], "variants": [VariantDraft(ids.new(), {}, 5, compare_at_amount=5)]}, "higher than the price"),
    ],
)
async def test_a_bad_product_is_refused_with_its_reason(db: Database, changes: dict[str, object], reason: str) -> None:
    with pytest.raises(BadProduct, match=reason):
        async with db.write() as tx:
            await catalog.create_product(tx, ids.new(), shirt(**changes), "CNY")


async def test_what_costs_nothing_is_a_draft_and_cannot_be_put_on_sale(db: Database) -> None:
    """Nobody can order it: an order of nothing is refused."""
    free = {"options": [], "variants": [VariantDraft(ids.new(), {}, 0)]}
    draft = shirt(**free, state=ProductState.draft)
    seller = ids.new()
    async with db.write() as tx:
        await catalog.create_product(tx, seller, draft, "CNY")
    with pytest.raises(NoPrice):
        async with db.write() as tx:
            await catalog.change_product(tx, seller, msgspec.structs.replace(draft, state=ProductState.active))


async def test_products_are_found_by_words_and_signs_are_plain(db: Database) -> None:
    seller = ids.new()
    async with db.write() as tx:
        for title in ("Linen shirt 亚麻衬衫", "Wool sock 100%", "Wool hat"):
            await catalog.create_product(tx, seller, shirt(title=title), "CNY")
        assert [card.title for card in await catalog.search(tx, q="SHIRT linen")] == ["Linen shirt 亚麻衬衫"]
        assert len(await catalog.search(tx, q="衬衫")) == 1
        assert [card.title for card in await catalog.search(tx, q="%")] == ["Wool sock 100%"]
        first = await catalog.search(tx, seller_id=seller, limit=2)
        assert len(await catalog.search(tx, seller_id=seller, after=first[-1].id)) == 1
        assert len(await catalog.variant_lines(tx, seller)) == 6
