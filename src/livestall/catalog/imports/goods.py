"""The rows of one handle become a product, or faults that say why not. Pure."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from livestall.base import money
from livestall.base.errors import Invalid
from livestall.catalog.imports import text
from livestall.catalog.imports.model import ALT_MAX, QUANTITY_MAX, VALUE_SHOWN, VARIANTS_MAX, Fault
from livestall.catalog.imports.reader import Group, Heading, Row
from livestall.catalog.model import (
    AXES_MAX,
    DESCRIPTION_MAX,
    OPTION_MAX,
    SKU_MAX,
    TITLE_MAX,
    OptionAxis,
    ProductState,
)

HANDLE_MAX, MARKUP_MAX, POSITION_MAX = 255, 500_000, 10_000
DEFAULT_AXIS, DEFAULT_VALUE = "title", "default title"
_NUMBER = re.compile(r"(\d{1,12})(\.0*)?", re.ASCII)
_THOUSANDS = re.compile(r"\d{1,3}(,\d{3})*(\.\d*)?|\d+(\.\d*)?", re.ASCII)
_OPTION_CELL = re.compile(r"option(\d+) (?:name|value)")
VARIANT_COLUMNS = ("sku", "quantity", "price", "compare", "variant_picture")


class VariantGoods(msgspec.Struct, frozen=True):
    """A variant as its line says. None: the file does not say."""

    line: int
    choice: tuple[str, ...]
    price: int
    sku: str | None
    compare_at: int | None
    quantity: int | None
    picture_url: str | None


class PictureGoods(msgspec.Struct, frozen=True):
    line: int
    url: str
    alt: str
    position: int


class Goods(msgspec.Struct, frozen=True):
    """A product as its lines say. None: the file does not say. `compares`: the file has the column of prices before."""

    handle: str
    line: int
    title: str
    description: str | None
    state: ProductState | None
    axes: list[OptionAxis]
    variants: list[VariantGoods]
    pictures: list[PictureGoods]
    compares: bool


class Shaper:
    """Shapes groups of one file. `is_picture(url)` tells whether a picture can be fetched from there."""

    def __init__(self, heading: Heading, currency: str, is_picture: Callable[[str], bool]) -> None:
        self._heading = heading
        self._currency = currency
        self._is_picture = is_picture

    def shape(self, group: Group) -> tuple[Goods | None, list[Fault]]:
        """The product, and what is wrong with its lines; no product if something is wrong with it itself."""
        return _Shaping(self._heading, self._currency, self._is_picture, group).goods()


class _Shaping:
    """One group on its way to a product. `faults` spoil it, `notes` do not."""

    def __init__(self, heading: Heading, currency: str, is_picture: Callable[[str], bool], group: Group) -> None:
        self._heading, self._currency, self._is_picture = heading, currency, is_picture
        self._group = group
        self.faults = [self._shown(fault) for row in group.rows for fault in row.faults]
        self.notes: list[Fault] = []

    def _shown(self, fault: Fault) -> Fault:
        return fault if fault.column else msgspec.structs.replace(fault, column=self._heading.title("handle"),
                                                                  value=self._group.handle[:VALUE_SHOWN])  # fmt: skip

    def _fault(self, code: str, row: Row, column: str, **details: Any) -> Fault:
        return Fault(code, details, row.line, self._heading.title(column), row.get(column)[:VALUE_SHOWN])

    def goods(self) -> tuple[Goods | None, list[Fault]]:
        rows, handle = self._group.rows, text.line(self._group.handle)
        if not handle:
            return None, [self._fault("no-handle", row, "handle") for row in rows]
        if len(handle) > HANDLE_MAX:
            return None, [self._fault("too-long", rows[0], "handle", limit=HANDLE_MAX)]
        title, description, state = self._title(), self._description(), self._state()
        axes, variants = self._variants()
        free = next((one.line for one in variants if one.price < 1), None)
        if free is not None and not self.faults and state is not ProductState.archived:
            if state is not ProductState.draft:
                self.notes.append(self._fault("asks-nothing", next(row for row in rows if row.line == free), "price"))
            state = ProductState.draft
        pictures = self._pictures()
        if self.faults:
            return None, self.faults + self.notes
        goods = Goods(
            handle, rows[0].line, title, description, state, axes, variants, pictures,
            "compare" in self._heading.titles,
        )  # fmt: skip
        return goods, self.notes

    def _first(self, column: str) -> Row:
        """The first row that has something there, or the first row."""
        return next((row for row in self._group.rows if row.get(column)), self._group.rows[0])

    def _title(self) -> str:
        row = self._first("title")
        title = text.line(row.get("title"))
        if not title:
            self.faults.append(self._fault("no-title", row, "title"))
        elif len(title) > TITLE_MAX:
            self.faults.append(self._fault("too-long", row, "title", limit=TITLE_MAX))
        return title

    def _description(self) -> str | None:
        if "body" not in self._heading.titles:
            return None
        row = self._first("body")
        markup = row.get("body")
        words = text.plain(markup) if len(markup) <= MARKUP_MAX else markup
        if len(words) > DESCRIPTION_MAX:
            self.faults.append(self._fault("too-long", row, "body", limit=DESCRIPTION_MAX))
        return words

    def _state(self) -> ProductState | None:
        by_status, by_published = self._first("status"), self._first("published")
        status, published = by_status.get("status").lower(), by_published.get("published").lower()
        if status not in {"", "active", "draft", "archived", "unlisted"}:
            self.faults.append(self._fault("bad-status", by_status, "status"))
            return None
        if published not in {"", "true", "false", "1", "0", "yes", "no"}:
            self.faults.append(self._fault("bad-published", by_published, "published"))
            return None
        hidden = published in {"false", "0", "no"} or status == "unlisted"
        if status in {"draft", "archived"}:
            return ProductState(status)
        if not status and not published:
            return None
        return ProductState.draft if hidden else ProductState.active

    def _axis_names(self) -> list[tuple[int, str]]:
        """Number and name of each option; none for a product that is sold in one way only."""
        rows, names = self._group.rows, list[tuple[int, str]]()
        for row in rows:
            beyond = [column for column in row.cells if (match := _OPTION_CELL.fullmatch(column))
                      and int(match[1]) > AXES_MAX and row.get(column)]  # fmt: skip
            if beyond:
                self.faults.append(self._fault("too-many-options", row, beyond[0], limit=AXES_MAX))
        for number in range(1, AXES_MAX + 1):
            column = f"option{number} name"
            row = self._first(column)
            if name := text.line(row.get(column)):
                if len(name) > OPTION_MAX:
                    self.faults.append(self._fault("too-long", row, column, limit=OPTION_MAX))
                if name in {known for _, known in names}:
                    self.faults.append(self._fault("repeated-option", row, column))
                names.append((number, name))
        only_default = len(names) == 1 and names[0][1].casefold() == DEFAULT_AXIS
        values = {row.get(f"option{names[0][0]} value").casefold() for row in rows} - {""} if only_default else set()
        return [] if only_default and values <= {DEFAULT_VALUE} else names

    def _variants(self) -> tuple[list[OptionAxis], list[VariantGoods]]:
        names = self._axis_names()
        rows = [row for row in self._group.rows if self._is_variant(row)]
        if not rows:
            self.faults.append(self._fault("no-variant", self._group.rows[0], "price"))
        if len(rows) > VARIANTS_MAX or self._group.count > len(self._group.rows):
            row = rows[VARIANTS_MAX] if len(rows) > VARIANTS_MAX else self._group.rows[-1]
            self.faults.append(self._fault("too-many-variants", row, "handle", limit=VARIANTS_MAX))
            return [], []
        variants: list[VariantGoods] = []
        choices: dict[tuple[str, ...], int] = {}
        skus: dict[str, int] = {}
        for row in rows:
            variant = self._variant(row, names)
            if other := choices.get(variant.choice):
                column = f"option{names[0][0]} value" if names else "handle"
                self.faults.append(self._fault("repeated-variant", row, column, other=other))
            if variant.sku and (other := skus.get(variant.sku)):
                self.faults.append(self._fault("repeated-sku", row, "sku", other=other))
            choices.setdefault(variant.choice, row.line)
            skus.setdefault(variant.sku or "", row.line)
            variants.append(variant)
        axes = [OptionAxis(name, list(dict.fromkeys(one.choice[at] for one in variants)))
                for at, (_, name) in enumerate(names)]  # fmt: skip
        return axes, variants

    def _is_variant(self, row: Row) -> bool:
        """A row with nothing but a picture is none."""
        if any(row.get(column) for column in VARIANT_COLUMNS):
            return True
        return any(row.get(f"option{number} value") for number in range(1, AXES_MAX + 1))

    def _variant(self, row: Row, names: list[tuple[int, str]]) -> VariantGoods:
        choice = tuple(self._choice(row, number, name) for number, name in names)
        named = {number for number, _ in names}
        for number in range(1, AXES_MAX + 1):
            column = f"option{number} value"
            value = row.get(column)
            if value and number not in named and value.casefold() != DEFAULT_VALUE:
                self.faults.append(self._fault("no-option-name", row, column))
        sku = text.line(row.get("sku"))
        if len(sku) > SKU_MAX:
            self.faults.append(self._fault("too-long", row, "sku", limit=SKU_MAX))
        price = self._amount(row, "price")
        if price is None and not row.get("price"):
            self.faults.append(self._fault("no-price", row, "price"))
        compare = self._amount(row, "compare")
        if compare is not None and price is not None and compare <= price:
            if 0 < compare < price:
                self.notes.append(self._fault("low-compare-price", row, "compare"))
            compare = None
        return VariantGoods(
            row.line, choice, price or 0, sku if "sku" in self._heading.titles else None, compare,
            self._quantity(row), self._url(row, "variant_picture"),
        )  # fmt: skip

    def _choice(self, row: Row, number: int, name: str) -> str:
        column = f"option{number} value"
        value = text.line(row.get(column))
        if not value:
            self.faults.append(self._fault("no-option-value", row, column, option=name))
        elif len(value) > OPTION_MAX:
            self.faults.append(self._fault("too-long", row, column, limit=OPTION_MAX))
        return value

    def _amount(self, row: Row, column: str) -> int | None:
        """Minor units; None if the cell is empty or wrong. "12,50" is wrong: nobody knows which comma that is."""
        cell = row.get(column)
        if not cell:
            return None
        if _THOUSANDS.fullmatch(cell):
            with contextlib.suppress(Invalid):
                return money.parse(cell, self._currency).amount
        self.faults.append(self._fault("bad-price", row, column, currency=self._currency))
        return None

    def _quantity(self, row: Row) -> int | None:
        cell = row.get("quantity")
        if not cell:
            return None
        match = _NUMBER.fullmatch(cell)
        if match is None or int(match[1]) > QUANTITY_MAX:
            self.faults.append(self._fault("bad-quantity", row, "quantity", limit=QUANTITY_MAX))
            return None
        return int(match[1])

    def _url(self, row: Row, column: str) -> str | None:
        url = row.get(column)
        if not url:
            return None
        if not self._is_picture(url):
            self.notes.append(self._fault("bad-picture-address", row, column))
            return None
        return url

    def _pictures(self) -> list[PictureGoods]:
        pictures: dict[str, PictureGoods] = {}
        for row in self._group.rows:
            url = self._url(row, "picture")
            cell = row.get("position")
            match = _NUMBER.fullmatch(cell)
            position = int(match[1]) if match else len(pictures) + 1
            if cell and (match is None or not 1 <= position <= POSITION_MAX):
                self.faults.append(self._fault("bad-position", row, "position", limit=POSITION_MAX))
                continue
            if url is not None and url not in pictures:
                pictures[url] = PictureGoods(row.line, url, text.line(row.get("alt"))[:ALT_MAX], position)
        for row in self._group.rows:
            url = row.get("variant_picture")
            if url and url not in pictures and self._is_picture(url):
                pictures[url] = PictureGoods(row.line, url, "", len(pictures) + 1)
        return list(pictures.values())
