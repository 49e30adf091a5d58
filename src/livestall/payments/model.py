"""The words and rules of payments: the machine, what a provider tells us, and what follows from it. No I/O.

A payment is what we expect for an order. A session is one page of the provider on which it can be paid; there may be
several, one after another. Whatever the provider says (a notice, an answer, a poll) arrives as `Facts`, a whole and
numbered record of one session, so that it may come twice, late, or in any order: `decide` says what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Conflict, Invalid, NotFound
from livestall.base.money import Money
from livestall.base.outbox import Event
from livestall.payments.backends import HOLDS_MONEY, Facts, Kind, Status


class Settings(config.Section, frozen=True, kw_only=True):
    backend: Annotated[Literal["sandbox"], Meta(description="the payment provider of new payments")] = "sandbox"
    grace_seconds: Annotated[
        int, Meta(ge=0, le=3600, description="how long after its expiry a payment waits for notices under way")
    ] = 60
    first_look_seconds: Annotated[
        int, Meta(ge=1, le=600, description="when the provider is first asked about a payment whose notice is missing")
    ] = 15
    look_seconds_max: Annotated[
        int, Meta(ge=5, le=3600, description="longest pause between two such questions")
    ] = 60  # fmt: skip


class State(StrEnum):
    expected = "expected"  # the order waits for its money
    authorised = "authorised"  # the provider has set the money aside; nothing is taken yet
    captured = "captured"  # taken; some of it may have been given back
    failed = "failed"  # not paid in time, or the capture was refused
    voided = "voided"  # called off before anything was taken
    refunded = "refunded"  # taken and given back as a whole


MOVES: Mapping[State, frozenset[State]] = {
    State.expected: frozenset({State.authorised, State.failed, State.voided}),
    State.authorised: frozenset({State.captured, State.failed, State.voided}),
    State.captured: frozenset({State.refunded}),
    State.failed: frozenset(),
    State.voided: frozenset(),
    State.refunded: frozenset(),
}


# Records


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """Money to come for an order: `amount` minor units until `expires_at`."""

    order_id: UUID
    seller_id: UUID
    amount: int
    currency: str
    expires_at: datetime


class Extension(msgspec.Struct, frozen=True):
    order_id: UUID
    expires_at: datetime


class Refund(msgspec.Struct, frozen=True, kw_only=True):
    """Gives back `amount` minor units of an order, or all that is left of it (None). `id` is minted by who asks."""

    id: UUID
    order_id: UUID
    amount: int | None = None
    reason: str = ""


class OrderPayment(msgspec.Struct, frozen=True, kw_only=True):
    """A payment as the buyer sees it on the order. `refusal` says why the last try was declined (a code)."""

    id: UUID
    state: State
    amount: Money
    refunded: Money
    expires_at: datetime
    method: str | None
    refusal: str | None


class PayPage(msgspec.Struct, frozen=True):
    """Where the buyer pays, and until when."""

    pay_url: str
    expires_at: datetime


class Payment(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    state: State
    amount: int
    currency: str
    refunded: int
    expires_at: datetime
    session_id: UUID | None

    @property
    def money(self) -> Money:
        return Money(self.amount, self.currency)


class Session(msgspec.Struct, frozen=True, kw_only=True):
    id: UUID
    payment_id: UUID
    backend: str
    external_id: str | None
    status: Status
    version: int
    amount: int
    currency: str
    return_url: str
    pay_url: str | None
    surplus: bool
    expires_at: datetime


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Something that we have still to ask of the provider, or have asked."""

    id: UUID
    session_id: UUID
    order_id: UUID | None
    kind: Kind
    amount: int
    reason: str | None
    attempts: int = 0


class Share(msgspec.Struct, frozen=True):
    """One order's part of a payment."""

    order_id: UUID
    payment_id: UUID
    amount: int


# What follows from facts


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """`outcome` is for the notice's record; `moves` are states to walk through, in order."""

    outcome: str
    moves: tuple[State, ...] = ()
    take: bool = False  # this session's money becomes the payment's
    surplus: bool = False  # this session's money belongs to no order and goes back
    refunded: int = 0  # newly given back, in minor units
    reason: str | None = None


def decide(payment: Payment, session: Session, facts: Facts) -> Decision:
    """What `facts` about `session` mean for its payment, whatever arrived before."""
    if facts.version <= session.version:
        return Decision(outcome="old")
    if (facts.amount, facts.currency) != (session.amount, session.currency):
        return Decision(outcome="wrong-amount", surplus=facts.status in HOLDS_MONEY)
    money = facts.status in HOLDS_MONEY
    take = money and payment.state is State.expected and payment.session_id is None
    mine = take or payment.session_id == session.id
    if not mine:
        return Decision(outcome="surplus" if money else "settled", surplus=money)
    state, moves = payment.state, list[State]()
    for step in _steps(facts.status):
        if step in MOVES[state]:
            moves.append(step)
            state = step
    refunded = facts.refunded - payment.refunded if state is State.captured else 0
    if refunded and payment.refunded + refunded == payment.amount:
        moves.append(State.refunded)
    reason = "capture-refused" if facts.status is Status.failed else None
    return Decision(outcome="settled", moves=tuple(moves), take=take, refunded=refunded, reason=reason)


def _steps(status: Status) -> Sequence[State]:
    return {
        Status.authorised: (State.authorised,),
        Status.captured: (State.authorised, State.captured),
        Status.voided: (State.voided,),
        Status.expired: (State.failed,),
        Status.failed: (State.failed,),
    }.get(status, ())


RETRY_SECONDS = (2, 5, 15, 60, 300, 900)
"""Pauses before a request to the provider is tried again; the last one repeats."""


def retry_seconds(attempts: int) -> int:
    return RETRY_SECONDS[min(max(attempts, 1), len(RETRY_SECONDS)) - 1]


def look_seconds(looks: int) -> int:
    """The pause before the provider is asked about an open session for the (`looks` + 1)th time."""
    settings = config.of(Settings)
    return min(settings.first_look_seconds * 2 ** min(looks, 10), max(settings.look_seconds_max, 1))


def own_url(return_url: str, origin: str) -> str:
    """`return_url` as an absolute address under `origin` (scheme and host). Raises ForeignReturn for other places."""
    if not return_url.isascii() or any(one.isspace() or one == "\\" or not one.isprintable() for one in return_url):
        raise ForeignReturn
    try:
        parts, own = urlsplit(return_url), urlsplit(origin)
    except ValueError as error:
        raise ForeignReturn from error
    if not parts.scheme and not parts.netloc and return_url.startswith("/") and not return_url.startswith("//"):
        return f"{own.scheme}://{own.netloc}{return_url}"
    # A proxy that ends TLS makes our own scheme look like http: the same host by https is ours too, never the reverse.
    if own.netloc and parts.netloc == own.netloc and parts.scheme in {own.scheme, "https"}:
        return return_url
    raise ForeignReturn


# Events; the subject is the order


class PaymentAuthorised(Event, frozen=True, kw_only=True):
    """The money is set aside: commit the stock, then `request_capture`, or else `request_void`. `late`: it came after
    the expiry."""

    topic = "payment.authorised"
    payment_id: UUID
    amount: Money
    at: datetime
    late: bool = False


class PaymentCaptured(Event, frozen=True, kw_only=True):
    topic = "payment.captured"
    payment_id: UUID
    amount: Money
    at: datetime


class PaymentFailed(Event, frozen=True, kw_only=True):
    """`reason`: "expired" (never paid) or "capture-refused" (was authorised; give the stock back)."""

    topic = "payment.failed"
    payment_id: UUID
    reason: str
    at: datetime


class PaymentVoided(Event, frozen=True, kw_only=True):
    topic = "payment.voided"
    payment_id: UUID
    at: datetime


class PaymentRefunded(Event, frozen=True, kw_only=True):
    """`amount` went back by the refund `refund_id` (the business key to book it with); `whole`: nothing is left."""

    topic = "payment.refunded"
    payment_id: UUID
    refund_id: UUID
    amount: Money
    whole: bool
    reason: str
    at: datetime


class PaymentRefundFailed(Event, frozen=True, kw_only=True):
    """The provider said a clear no; a person must look."""

    topic = "payment.refund-failed"
    payment_id: UUID
    refund_id: UUID
    reason: str
    at: datetime


class PaymentSurplus(Event, frozen=True, kw_only=True):
    """Money came that the order does not wait for (paid twice, or after it was called off). It is on its way back."""

    topic = "payment.surplus"
    payment_id: UUID
    amount: Money
    at: datetime


# Refusals


class NoPayment(NotFound):
    code = "no-payment"
    en = "There is nothing to pay for this order."
    zh = "该订单没有待支付的款项。"


class AlreadyPaid(Conflict):
    code = "already-paid"
    en = "This order is paid already. You find it under My orders."
    zh = "该订单已支付，可在“我的订单”中查看。"


class NotPayable(Conflict):
    code = "not-payable"
    en = "The time to pay this order is over, and nothing was charged. Order again if the product is still there."
    zh = "该订单已超过支付时间，未产生扣款。如商品仍有货，请重新下单。"


class RefundTooLarge(Conflict):
    code = "refund-too-large"
    en = "At most {left} minor units of this order can still be given back."
    zh = "该订单最多还可退款 {left}（最小货币单位）。"


class ForeignReturn(Invalid):
    code = "foreign-return-url"
    en = "The address to come back to must be a page of this market."
    zh = "返回地址必须是本市场的页面。"
