"""A rush wants the same thing: what is alike in the orders of a batch is worked out once, in a mold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from uuid import UUID, uuid4

import msgspec

from livestall.base.columns import Value, of_int, of_text, of_uuid
from livestall.orders import model
from livestall.orders.model import Line, Order, OrderState, Record
from livestall.orders.model.wishes import Address, Draft

_encode = msgspec.json.Encoder().encode
SHAPE_AFTER = 3
"""From this many orders on, cutting a mold's answer into parts is cheaper than encoding each."""

_MARK_ID = uuid4()
_MARK_NUMBER = uuid4().hex
_MARK_AT = datetime(1987, 6, 5, 4, 3, 2, 109_876, tzinfo=UTC)
_MARK_ADDRESS = Address(recipient=uuid4().hex, phone="0", city="-", line1="-", country="--")


class Mold:
    """All of an order but its id, its number, its buyer, their address and its time. Amounts in minor units."""

    __slots__ = (
        "creator", "creator_amount", "creator_id", "currency", "is_free", "limits", "line_values", "lines", "made",
        "market", "seconds", "seller", "seller_id", "shape", "show_id", "total", "values",
    )  # fmt: skip

    def __init__(
        self, *, lines: Sequence[Line], currency: str, seller_id: UUID, show_id: UUID | None, creator_id: UUID | None,
        seconds: int, limits: Sequence[tuple[UUID | None, int | None]],
    ) -> None:  # fmt: skip
        self.lines, self.currency, self.seller_id = lines, currency, seller_id
        self.show_id, self.creator_id, self.seconds = show_id, creator_id, seconds
        self.limits = limits
        """For each line: what its units count for, and how many of it a person may have."""
        self.is_free = all(one == (None, None) for one in limits)
        """Whether nobody's limit and no deal counts."""
        self.total = model.total_of(lines)
        self.creator_amount = model.creator_share(self.total, creator_id)
        self.seller = self.creator = self.market = ""
        self.made = 0
        self.values: Sequence[Value] = (
            of_int(seconds), of_uuid(seller_id), of_uuid(show_id), of_uuid(creator_id), of_text(currency),
            of_int(self.total), of_int(self.creator_amount),
        )  # fmt: skip
        """What every order says of itself, as the store writes it; `line_values`: and what its lines say."""
        self.line_values: Sequence[Sequence[Value]] = [
            (
                of_int(number), of_uuid(seller_id), of_uuid(one.variant_id), of_uuid(one.product_id),
                of_uuid(one.listing_id), of_uuid(one.deal_id), of_int(one.quantity), of_int(one.unit_price),
                of_text(one.title), of_text(one.variant_title), of_text(one.picture_url),
            )
            for number, one in enumerate(lines, 1)
        ]  # fmt: skip
        self.shape: _Shape | None = None

    def record(
        self, order_id: UUID, buyer_id: UUID, number: str, fingerprint: bytes, address: Address | None, at: datetime
    ) -> Record:
        expires_at = at + timedelta(seconds=self.seconds)
        return Record(
            id=order_id, number=number, seller_id=self.seller_id, buyer_id=buyer_id, show_id=self.show_id,
            creator_id=self.creator_id, state=OrderState.placed, currency=self.currency, total=self.total,
            creator_amount=self.creator_amount, refunded=0, fingerprint=fingerprint, address=address, attempt=1,
            placed_at=at, expires_at=expires_at, release_at=expires_at, pay_started_at=None, paid_at=None,
            cancelled_at=None, cancel_reason=None, lines=self.lines,
        )  # fmt: skip

    def view(self, record: Record) -> Order:
        return model.view(record, self.seller, self.creator, self.market, None)

    def answer(self, order_id: UUID, number: str, address: Address | None, at: datetime) -> bytes:
        """The order as its buyer is told of it, as JSON."""
        self.made += 1
        if self.made <= SHAPE_AFTER:
            return _encode(self.view(self.record(order_id, order_id, number, b"", address, at)))
        if self.shape is None:
            self.shape = _Shape(self)
        said = b"null" if address is None else _encode(address)
        return self.shape.fill(_encode(order_id), number.encode(), said, at)


@lru_cache(16)
def _times(at: datetime, seconds: timedelta) -> tuple[bytes, bytes]:
    """When a batch was placed and when its orders run out, as JSON: the same for all molds of the batch."""
    return _encode(at), _encode(at + seconds)


class _Shape:
    """The answer of a mold, cut where the orders differ."""

    def __init__(self, mold: Mold) -> None:
        expires_at = _MARK_AT + timedelta(seconds=mold.seconds)
        marks = (_MARK_ID, _MARK_NUMBER, _MARK_ADDRESS, _MARK_AT, expires_at, _MARK_AT)
        rest = _encode(mold.view(mold.record(_MARK_ID, _MARK_ID, _MARK_NUMBER, b"", _MARK_ADDRESS, _MARK_AT)))
        self._seconds = timedelta(seconds=mold.seconds)
        form: list[bytes] = []
        for mark in marks:
            part, rest = rest.split(_encode(mark), 1)
            form += part.replace(b"%", b"%%"), b'"%b"' if mark is _MARK_NUMBER else b"%b"
        self._form = b"".join((*form, rest.replace(b"%", b"%%")))

    def fill(self, order_id: bytes, number: bytes, address: bytes, at: datetime) -> bytes:
        """The answer to an order; everything but its number is JSON."""
        said, end = _times(at, self._seconds)
        return self._form % (order_id, number, address, said, end, said)


class Made:
    """An order made from a mold and a draft."""

    __slots__ = ("at", "buyer_value", "draft", "mold", "number", "order_value")

    def __init__(self, draft: Draft, mold: Mold, number: str, at: datetime) -> None:
        self.draft, self.mold, self.number, self.at = draft, mold, number, at
        self.order_value, self.buyer_value = of_uuid(draft.order_id), of_uuid(draft.buyer_id)
        """Its id and its buyer's, as several stores write them."""

    @property
    def order(self) -> Order:
        one = self.draft
        record = self.mold.record(one.order_id, one.buyer_id, self.number, one.fingerprint, one.address, self.at)
        return self.mold.view(record)

    @property
    def json(self) -> bytes:
        return self.mold.answer(self.draft.order_id, self.number, self.draft.address, self.at)


class Placed:
    """The answer to a draft: the order, and whether this draft made it (`new` False: it came before)."""

    __slots__ = ("_order", "new")

    def __init__(self, order: Order | Made, new: bool) -> None:
        self._order, self.new = order, new

    @property
    def order(self) -> Order:
        if isinstance(self._order, Made):
            self._order = self._order.order
        return self._order

    @property
    def json(self) -> bytes:
        """`order` as JSON, at a fraction of the cost when many are alike."""
        return self._order.json if isinstance(self._order, Made) else _encode(self._order)

    def again(self) -> Placed:
        """The same answer to a second click."""
        return Placed(self._order, new=False)
