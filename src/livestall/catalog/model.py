"""What is sold: products with option axes, variants with prices, pictures, and the rules of a good product."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Invalid, NotFound, TooLarge
from livestall.base.money import AMOUNT_MAX, Money
from livestall.base.outbox import Event

AXES_MAX, VALUES_MAX, VARIANTS_MAX = 10, 250, 2000
TITLE_MAX, DESCRIPTION_MAX, SKU_MAX, OPTION_MAX = 255, 50_000, 100, 100

Title = Annotated[str, Meta(min_length=1, max_length=TITLE_MAX)]
OptionText = Annotated[str, Meta(min_length=1, max_length=OPTION_MAX)]
Amount = Annotated[int, Meta(ge=0, le=AMOUNT_MAX)]


class Settings(config.Section, frozen=True, kw_only=True):
    fetch_allow: Annotated[
        str,
        Meta(description="hosts or host:port, with commas, whose pictures are fetched even from private addresses"),
    ] = ""
    picture_fetch_seconds: Annotated[float, Meta(gt=0, le=120, description="time-out of fetching one picture")] = 20
    picture_tries: Annotated[int, Meta(ge=1, le=10, description="how often a picture is fetched before it failed")] = 3
    import_file_days: Annotated[
        int, Meta(ge=1, le=3650, description="days that an uploaded file of goods is kept after it was read")
    ] = 7
    picture_file_days: Annotated[
        int, Meta(ge=1, le=3650, description="days that a picture is kept that no product and no order shows any more")
    ] = 14


class ProductState(StrEnum):
    draft = "draft"
    active = "active"
    archived = "archived"


class OptionAxis(msgspec.Struct, frozen=True):
    """One thing that a buyer chooses: ("Size", ["S", "M"])."""

    name: OptionText
    values: Annotated[list[OptionText], Meta(min_length=1, max_length=VALUES_MAX)]


class Picture(msgspec.Struct, frozen=True):
    """A picture of a product. `url` and `thumb_url` are None until it is ready; `error` says why it failed."""

    id: UUID
    url: str | None
    thumb_url: str | None
    width: int | None
    height: int | None
    state: str
    alt: str
    error: str | None = None


class VariantDraft(msgspec.Struct, frozen=True):
    """A variant as its seller writes it. `options` has one value for each axis; amounts are minor units."""

    id: UUID
    options: dict[str, str]
    price_amount: Amount
    sku: Annotated[str, Meta(max_length=SKU_MAX)] = ""
    compare_at_amount: Amount | None = None
    picture_id: UUID | None = None


class ProductDraft(msgspec.Struct, frozen=True):
    """A product as its seller writes it; the whole of it, variants that are left out are removed."""

    id: UUID
    title: Title
    variants: Annotated[list[VariantDraft], Meta(min_length=1, max_length=VARIANTS_MAX)]
    description: Annotated[str, Meta(max_length=DESCRIPTION_MAX)] = ""
    state: ProductState = ProductState.draft
    options: Annotated[list[OptionAxis], Meta(max_length=AXES_MAX)] = []


class VariantRecord(msgspec.Struct, frozen=True):
    """What is known of a variant, except how many there are."""

    id: UUID
    title: str
    sku: str
    options: dict[str, str]
    price: Money
    compare_at: Money | None
    picture_id: UUID | None


class ProductRecord(msgspec.Struct, frozen=True):
    """What is known of a product, except how many there are."""

    id: UUID
    seller_id: UUID
    title: str
    description: str
    state: ProductState
    options: list[OptionAxis]
    pictures: list[Picture]
    variants: list[VariantRecord]
    price_from: Money
    handle: str | None
    updated_at: datetime


class CardRecord(msgspec.Struct, frozen=True):
    """A product in a list. `variant_ids` are all its variants, for whoever counts them."""

    id: UUID
    title: str
    seller_id: UUID
    state: ProductState
    price_from: Money
    picture_url: str | None
    variant_ids: list[UUID]


class Offer(msgspec.Struct, frozen=True):
    """A variant that is for sale now: of an active product, not removed."""

    variant_id: UUID
    product_id: UUID
    seller_id: UUID
    product_title: str
    variant_title: str
    options: dict[str, str]
    price: Money
    picture_url: str | None
    sku: str = ""
    compare_at: Money | None = None


class ProductChanged(Event, frozen=True, kw_only=True):
    """A product was made or changed: its words, prices, pictures, state."""

    topic = "catalog.product-changed"
    seller_id: UUID


class ImportStocked(Event, frozen=True, kw_only=True):
    """An import said how many units of a variant (the subject) its seller has on hand."""

    topic = "catalog.import-stocked"
    variant_id: UUID
    seller_id: UUID
    on_hand: int


class BadProduct(Invalid):
    code = "bad-product"
    en = "The product cannot be saved: {reason}."
    zh = "商品无法保存：{reason}。"


class NoPrice(Invalid):
    code = "no-price"
    en = "What is on sale needs a price above zero. Save it as a draft until it has one."
    zh = "在售商品的价格必须大于零，定价前可以先存为草稿。"


class NoSuchProduct(NotFound):
    code = "no-such-product"
    en = "This product does not exist or is not for sale any more."
    zh = "商品不存在或已下架。"


class FileTooLarge(TooLarge):
    code = "file-too-large"
    en = "The file is larger than {megabytes} MB. Make it smaller and upload it again."
    zh = "文件超过 {megabytes} MB，请缩小后重新上传。"


def title_of(options: Mapping[str, str], axes: Sequence[OptionAxis]) -> str:
    """ "M / Red"; empty for a product without options."""
    return " / ".join(options[axis.name] for axis in axes)


def check_draft(draft: ProductDraft) -> None:
    """Raises BadProduct for what the types cannot say, NoPrice for a present."""
    if not draft.title.strip():
        raise BadProduct(reason="its title is empty")
    names = [axis.name for axis in draft.options]
    if len(set(names)) < len(names):
        raise BadProduct(reason="two options have the same name")
    if repeated := next((axis for axis in draft.options if len(set(axis.values)) < len(axis.values)), None):
        raise BadProduct(reason=f"the option {repeated.name!r} has the same value twice")
    if len({variant.id for variant in draft.variants}) < len(draft.variants):
        raise BadProduct(reason="two variants have the same id")
    seen: set[tuple[str, ...]] = set()
    for variant in draft.variants:
        _check_variant(variant, draft.options)
        choice = tuple(variant.options[name] for name in names)
        if choice in seen:
            raise BadProduct(reason=f"the variant {' / '.join(choice) or 'without options'} is there twice")
        seen.add(choice)
    if draft.state is ProductState.active and any(variant.price_amount < 1 for variant in draft.variants):
        raise NoPrice


def _check_variant(variant: VariantDraft, axes: Sequence[OptionAxis]) -> None:
    if set(variant.options) != {axis.name for axis in axes}:
        raise BadProduct(reason="every variant needs one value for each option")
    for axis in axes:
        if variant.options[axis.name] not in axis.values:
            raise BadProduct(reason=f"{variant.options[axis.name]!r} is no value of the option {axis.name!r}")
    if variant.compare_at_amount is not None and variant.compare_at_amount <= variant.price_amount:
        raise BadProduct(reason="the price before must be higher than the price")
