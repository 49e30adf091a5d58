"""What buyers wish for: an order as it is asked for, and the draft that stands in line."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base.errors import Invalid

LINES_MAX = 50
Text = Annotated[str, Meta(min_length=1, max_length=120)]
Optional = Annotated[str, Meta(max_length=120)]


class Address(msgspec.Struct, frozen=True):
    """Where the goods go."""

    recipient: Text
    phone: Annotated[str, Meta(min_length=3, max_length=32, pattern=r"^[0-9+()\-. ]+$")]
    city: Text
    line1: Annotated[str, Meta(min_length=1, max_length=200)]
    country: Annotated[str, Meta(min_length=2, max_length=60)]
    region: Optional = ""
    line2: Annotated[str, Meta(max_length=200)] = ""
    postcode: Annotated[str, Meta(max_length=20)] = ""


class SavedAddress(Address, frozen=True, kw_only=True):
    """An address of a person's address book."""

    id: UUID
    is_default: bool = False


class NewOrderLine(msgspec.Struct, frozen=True):
    """What to buy: in a flash sale (`deal_id`), at a show's price (`listing_id`), or at the ordinary price."""

    variant_id: UUID
    quantity: Annotated[int, Meta(ge=1, le=999)]
    listing_id: UUID | None = None
    deal_id: UUID | None = None

    @property
    def pool_id(self) -> UUID:
        return self.deal_id or self.variant_id


class NewOrder(msgspec.Struct, frozen=True):
    """`id` is made by the buyer's device and kept: sending the same order again finds the first one."""

    id: UUID
    lines: Annotated[list[NewOrderLine], Meta(min_length=1, max_length=LINES_MAX)]
    show_id: UUID | None = None
    address: Address | None = None


class Draft(msgspec.Struct, frozen=True):
    """A wish to buy, with who wishes. Drafts with an equal `wish` want the same lines in the same show."""

    order_id: UUID
    buyer_id: UUID
    lines: Sequence[NewOrderLine]
    show_id: UUID | None
    address: Address | None
    wish: bytes

    @property
    def fingerprint(self) -> bytes:
        """Tells the same order again from another under the same id. Made when it is asked for: most of those who
        find nothing left are never compared with anything."""
        contents = _encode(NewOrder(self.order_id, list(self.lines), self.show_id, self.address))
        return hashlib.blake2b(_PAIR_WITH_ID + self.buyer_id.bytes + contents, digest_size=16).digest()


_encode = msgspec.msgpack.Encoder().encode
_PAIR_WITH_ID = b"\x92\xc4\x10"
"""How msgpack begins a pair of 16 bytes and something."""

WISHES_KEPT = 4_096
_wishes: dict[bytes, Wish] = {}
"""What was wanted lately: the claims of a rush share it, so that what waits is small and what all look at is near."""


class Wish(msgspec.Struct, frozen=True):
    """What is wanted: `key` is all of it."""

    key: bytes
    lines: tuple[NewOrderLine, ...]
    show_id: UUID | None

    @classmethod
    def of(cls, lines: Sequence[NewOrderLine], show_id: UUID | None) -> Wish:
        """Raises Invalid for what no edge should have let through."""
        key = _encode((lines, show_id))
        kept = _wishes.get(key)
        if kept is None:
            if not 1 <= len(lines) <= LINES_MAX or not all(1 <= line.quantity <= 999 for line in lines):
                raise Invalid(reason=f"an order has 1 to {LINES_MAX} lines, each of 1 to 999 units")
            if len(_wishes) >= WISHES_KEPT:
                _wishes.clear()
            kept = _wishes[key] = cls(key, tuple(lines), show_id)
        return kept


def draft(buyer_id: UUID, wanted: NewOrder) -> Draft:
    """The draft of a buyer's order. Raises Invalid for what no edge should have let through."""
    wish = Wish.of(wanted.lines, wanted.show_id)
    return Draft(wanted.id, buyer_id, wish.lines, wish.show_id, wanted.address, wish.key)


class Basket:
    """Lines that many want in the same words, in a show: the wish is worked out once for all of them."""

    __slots__ = ("_address", "_lines", "_wish")

    def __init__(self, lines: Sequence[NewOrderLine], address: Address | None) -> None:
        self._lines, self._address = lines, address
        self._wish: Wish | None = None

    def draft(self, order_id: UUID, buyer_id: UUID, show_id: UUID) -> Draft:
        """The draft of an order for them. Raises Invalid."""
        wish = self._wish
        if wish is None or wish.show_id is None or wish.show_id.int != show_id.int:
            wish = self._wish = Wish.of(self._lines, show_id)
        return Draft(order_id, buyer_id, wish.lines, wish.show_id, self._address, wish.key)
