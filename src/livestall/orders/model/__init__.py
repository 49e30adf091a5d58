"""Orders: words and rules. An order is what one buyer buys from one seller in one go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal
from uuid import UUID

import msgspec

from livestall.base import config
from livestall.base.errors import Invalid
from livestall.base.money import AMOUNT_MAX, Money, basis_points
from livestall.base.outbox import Event
from livestall.orders.model.settings import Settings
from livestall.orders.model.wishes import Address, NewOrderLine
from livestall.payments import OrderPayment

ADDRESSES_MAX = 50


class OrderState(StrEnum):
    placed = "placed"  # units are held, the payment is awaited
    paid = "paid"  # units are sold, the split is in the ledger
    cancelled = "cancelled"  # by the buyer or by time; the units went back
    refunded = "refunded"  # wholly; the units went back if they had not left
    completed = "completed"  # received


S = OrderState
MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    S.placed: frozenset({S.paid, S.cancelled}),
    S.paid: frozenset({S.refunded, S.completed, S.cancelled}),
    S.cancelled: frozenset({S.paid}),
    S.refunded: frozenset(),
    S.completed: frozenset(),
}
"""The only moves there are. Cancelled becomes paid when money came late, the time to pay was the reason, and the same
units are still there at the same price; else the money goes back. Paid becomes cancelled when the provider refuses to
hand over money that it had set aside."""

CancelReason = Literal["buyer", "expired", "payment-failed"]


class Line(msgspec.Struct, frozen=True):
    """A line as sold: title and price are what the buyer saw, whatever the catalogue says later."""

    variant_id: UUID
    product_id: UUID
    listing_id: UUID | None
    deal_id: UUID | None
    quantity: int
    unit_price: int
    title: str
    variant_title: str
    picture_url: str | None

    @property
    def pool_id(self) -> UUID:
        return self.deal_id or self.variant_id


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """An order as stored, with its lines. Amounts in minor units of `currency`."""

    id: UUID
    number: str
    seller_id: UUID
    buyer_id: UUID
    show_id: UUID | None
    creator_id: UUID | None
    state: OrderState
    currency: str
    total: int
    creator_amount: int
    refunded: int
    fingerprint: bytes
    address: Address | None
    attempt: int
    placed_at: datetime
    expires_at: datetime
    release_at: datetime
    pay_started_at: datetime | None
    paid_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: CancelReason | None
    lines: Sequence[Line]

    @property
    def money(self) -> Money:
        return Money(self.total, self.currency)

    @property
    def quantity(self) -> int:
        return sum(line.quantity for line in self.lines)


class OrderSeller(msgspec.Struct, frozen=True):
    id: UUID
    name: str


class OrderLine(msgspec.Struct, frozen=True):
    variant_id: UUID
    product_id: UUID
    title: str
    variant_title: str
    picture_url: str | None
    quantity: int
    unit_price: Money
    deal_id: UUID | None


class WaterfallStep(msgspec.Struct, frozen=True):
    """Who gets how much of what the buyer pays; the steps add up to the total."""

    account: Literal["seller", "creator", "market"]
    name: str
    amount: Money
    state: Literal["estimated", "payable"]


class OrderMoment(msgspec.Struct, frozen=True):
    """What happened to the order, e.g. "placed", "paid", "cancelled:expired"."""

    at: datetime
    what: str


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """An order as its buyer and its seller see it. `expires_at` is the end of the time to pay, while that runs."""

    id: UUID
    number: str
    state: OrderState
    show_id: UUID | None
    seller: OrderSeller
    lines: list[OrderLine]
    total: Money
    address: Address | None
    placed_at: datetime
    expires_at: datetime | None
    paid_at: datetime | None
    cancelled_at: datetime | None
    cancel_reason: CancelReason | None
    payment: OrderPayment | None
    waterfall: list[WaterfallStep]
    history: list[OrderMoment]


class LineTicket(msgspec.Struct, frozen=True):
    """A place in line: `place` of `of` claims that wait, about so many seconds before the answer."""

    order_id: UUID
    place: int
    of: int
    about_seconds: int


class Paid(msgspec.Struct, frozen=True):
    """Money for an order is authorised at the provider."""

    order_id: UUID
    amount: Money


class GivenBack(msgspec.Struct, frozen=True):
    """`amount` minor units of an order went back to its buyer, by one refund."""

    order_id: UUID
    refund_id: UUID
    amount: int


class OrderMinute(msgspec.Struct, frozen=True):
    """Orders of a show placed in one minute, and what was paid in it (minor units)."""

    at: datetime
    orders: int
    paid_orders: int
    money_amount: int


class OrderEvent(Event, frozen=True, kw_only=True):
    """Base of the events of an order (subject)."""

    show_id: UUID | None
    seller_id: UUID
    buyer_id: UUID
    total: Money
    title: str
    quantity: int
    at: datetime


class OrdersPlaced(Event, frozen=True, kw_only=True):
    """Orders of one batch at one seller (subject). One event for all, because they come in rushes; read them by id."""

    topic = "orders.placed"
    order_ids: list[UUID]
    at: datetime


class OrderPaid(OrderEvent, frozen=True, kw_only=True):
    topic = "order.paid"


class OrderCancelled(OrderEvent, frozen=True, kw_only=True):
    topic = "order.cancelled"
    reason: CancelReason


class OrderRefunded(OrderEvent, frozen=True, kw_only=True):
    topic = "order.refunded"


def total_of(lines: Sequence[Line]) -> int:
    """Minor units. Raises Invalid beyond the largest amount."""
    total = sum(line.unit_price * line.quantity for line in lines)
    if total > AMOUNT_MAX:
        raise Invalid(reason="the order's total is too large")
    return total


def creator_share(total: int, creator_id: UUID | None) -> int:
    return 0 if creator_id is None else basis_points(total, config.of(Settings).creator_basis_points)


def part_of(record: Record, refunded: int) -> int:
    """What the creator has to give back of their share when so much of the order's total went back."""
    return record.creator_amount * refunded // record.total


def hold_seconds(lines: Sequence[NewOrderLine]) -> int:
    settings = config.of(Settings)
    flash = any(line.deal_id is not None for line in lines)
    return settings.flash_hold_seconds if flash else settings.hold_seconds


def event_fields(record: Record, at: datetime) -> dict[str, Any]:
    """What every event of an order says."""
    return {
        "subject": record.id, "show_id": record.show_id, "seller_id": record.seller_id, "buyer_id": record.buyer_id,
        "total": record.money, "title": record.lines[0].title, "quantity": record.quantity, "at": at,
    }  # fmt: skip


def may_move(record: Record, target: OrderState) -> bool:
    """By the table; from cancelled only if time was the reason."""
    if record.state is S.cancelled and record.cancel_reason != "expired":
        return False
    return target in MOVES[record.state]


def view(
    record: Record,
    seller: str,
    creator: str,
    market: str,
    payment: OrderPayment | None,
    history: Sequence[OrderMoment] = (),
) -> Order:
    """The order for people, from names and history read beside it."""
    currency = record.currency
    lines = [
        OrderLine(
            line.variant_id, line.product_id, line.title, line.variant_title, line.picture_url, line.quantity,
            Money(line.unit_price, currency), line.deal_id,
        )
        for line in record.lines
    ]  # fmt: skip
    return Order(
        id=record.id, number=record.number, state=record.state, show_id=record.show_id,
        seller=OrderSeller(record.seller_id, seller), lines=lines, total=Money(record.total, currency),
        address=record.address, placed_at=record.placed_at,
        expires_at=record.expires_at if record.state is S.placed else None, paid_at=record.paid_at,
        cancelled_at=record.cancelled_at, cancel_reason=record.cancel_reason, payment=payment,
        waterfall=waterfall(record, seller, creator, market),
        history=[OrderMoment(record.placed_at, "placed"), *history],
    )  # fmt: skip


def waterfall(record: Record, seller: str, creator: str, market: str) -> list[WaterfallStep]:
    """Before the payment everything is an estimate; after it the creator's part still is, until returns are over."""
    payable: Literal["estimated", "payable"] = "payable" if record.paid_at is not None else "estimated"
    currency = record.currency
    steps = [WaterfallStep("seller", seller, Money(record.total - record.creator_amount, currency), payable)]
    if record.creator_id is not None:
        steps.append(WaterfallStep("creator", creator, Money(record.creator_amount, currency), "estimated"))
    steps.append(WaterfallStep("market", market, Money(0, currency), payable))
    return steps
