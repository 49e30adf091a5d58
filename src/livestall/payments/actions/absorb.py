"""How what a provider says becomes ours: one way in for notices, answers and polls alike."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid5

import msgspec
import structlog

from livestall.base import clock, ids, outbox
from livestall.base.db import Tx
from livestall.base.money import Money, split
from livestall.payments import store
from livestall.payments.backends import Facts, Kind, RefundFact, Status
from livestall.payments.model import (
    Decision,
    Payment,
    PaymentAuthorised,
    PaymentCaptured,
    PaymentFailed,
    PaymentRefunded,
    PaymentSurplus,
    PaymentVoided,
    Request,
    Session,
    Share,
    State,
    decide,
)

log = structlog.get_logger()


class Decided(msgspec.Struct, frozen=True):
    payment: Payment
    session: Session
    facts: Facts
    decision: Decision


async def absorb(tx: Tx, backend: str, said: Sequence[Facts]) -> list[str]:
    """Use what a provider said of sessions, in this order; returns one outcome each: settled, old, surplus,
    wrong-amount or unknown. Repeats and records older than what is known change nothing. Locks the payments by id."""
    outcomes = ["unknown"] * len(said)
    references = {_reference(one) for one in said} - {None}
    sessions = await store.sessions(tx, [one for one in references if one is not None])
    await store.lock_payments(tx, [one.payment_id for one in sessions.values()])
    waiting = list(enumerate(said))
    while waiting:  # rounds in which each payment occurs once, so that each sees what the one before it changed
        payments = await store.lock_payments(tx, [one.payment_id for one in sessions.values()])
        sessions = await store.sessions(tx, list(sessions))
        decided: dict[UUID, Decided] = {}
        later: list[tuple[int, Facts]] = []
        for n, facts in waiting:
            session = sessions.get(_reference(facts) or UUID(int=0))
            if session is None or session.backend != backend or session.external_id not in {None, facts.external_id}:
                log.warning("provider speaks of a session that is not ours", backend=backend, session=facts.external_id)
            elif session.payment_id in decided:
                later.append((n, facts))
            else:
                payment = payments[session.payment_id]
                decision = decide(payment, session, facts)
                decided[payment.id] = Decided(payment, session, facts, decision)
                outcomes[n] = decision.outcome
        await _write(tx, [one for one in decided.values() if one.decision.outcome != "old"])
        waiting = later
    return outcomes


def _reference(facts: Facts) -> UUID | None:
    try:
        return UUID(facts.reference)
    except ValueError:
        return None


async def _write(tx: Tx, decided: Sequence[Decided]) -> None:
    if not decided:
        return
    now = clock.now()
    await store.record_facts(
        tx, [(one.session.id, one.facts, one.decision.take, one.decision.surplus) for one in decided]
    )
    taken = [one.session.id for one in decided if one.decision.take]
    await store.withdraw_requests(tx, taken, Kind.void)  # its page was to be closed, but now it has paid
    await store.move(
        tx,
        [
            store.Change(
                payment_id=one.payment.id, moves=one.decision.moves, refunded=one.decision.refunded,
                session_id=one.session.id if one.decision.take else None, reason=one.decision.reason,
            )
            for one in decided
            if one.decision.moves or one.decision.refunded
        ],
        now,
    )  # fmt: skip
    shares: dict[UUID, list[Share]] = {}
    for share in await store.shares(tx, payment_ids=[one.payment.id for one in decided]):
        shares.setdefault(share.payment_id, []).append(share)
    events: list[outbox.Event] = []
    for one in decided:
        parts = shares[one.payment.id]
        events += _moved(one, parts)
        if one.decision.surplus:
            events += await _give_back(tx, one, parts)
        elif one.facts.refunds:
            events += await _refunded(tx, one, parts)
    await outbox.emit(tx, events)


def _moved(one: Decided, shares: Sequence[Share]) -> list[outbox.Event]:
    """The events of the moves, for each order of the payment."""
    now, payment_id = clock.now(), one.payment.id
    events: list[outbox.Event] = []
    for state in one.decision.moves:
        for share in shares:
            order_id, amount = share.order_id, Money(share.amount, one.payment.currency)
            if state is State.authorised:
                late = now > one.payment.expires_at
                events.append(
                    PaymentAuthorised(subject=order_id, payment_id=payment_id, amount=amount, at=now, late=late)
                )
            elif state is State.captured:
                events.append(PaymentCaptured(subject=order_id, payment_id=payment_id, amount=amount, at=now))
            elif state is State.voided:
                events.append(PaymentVoided(subject=order_id, payment_id=payment_id, at=now))
            elif state is State.failed:
                reason = one.decision.reason or "authorisation-expired"
                events.append(PaymentFailed(subject=order_id, payment_id=payment_id, reason=reason, at=now))
    return events


async def _give_back(tx: Tx, one: Decided, shares: Sequence[Share]) -> list[outbox.Event]:
    """Money that no order waits for: let it go, or refund it if it was taken."""
    known = await store.requests_of(tx, [one.session.id], ["waiting", "done"])
    kind = Kind.void if one.facts.status is Status.authorised else Kind.refund
    back = sum(request.amount for request in known if request.kind is kind)
    if back < one.facts.amount:
        asked = Request(
            id=ids.new(), session_id=one.session.id, order_id=None, kind=kind, amount=one.facts.amount - back,
            reason=one.decision.outcome,
        )  # fmt: skip
        await store.add_requests(tx, [asked], clock.now())
    for refund in one.facts.refunds:
        if request_id := _request_id(refund.key):
            await store.finish_request(tx, request_id, "done")
    if one.session.surplus:
        return []
    log.warning("surplus money is given back", payment_id=str(one.payment.id), outcome=one.decision.outcome)
    money = Money(one.facts.amount, one.facts.currency)
    return [
        PaymentSurplus(subject=share.order_id, payment_id=one.payment.id, amount=money, at=clock.now())
        for share in shares
    ]


def _request_id(key: str) -> UUID | None:
    try:
        return UUID(key)
    except ValueError:
        return None


async def _refunded(tx: Tx, one: Decided, shares: Sequence[Share]) -> list[outbox.Event]:
    """Refunds that are done: ours, found by their key, and others, made at the provider's own desk."""
    known = await store.refund_ids(tx, one.session.id)
    foreign = [refund for refund in one.facts.refunds if _request_id(refund.key) not in known]
    await store.add_requests(tx, _desk_refunds(one.session, foreign, shares), clock.now(), state="waiting")
    done = await store.finish_refunds(tx, one.session.id, [_request_id(refund.key) for refund in one.facts.refunds])
    events: list[outbox.Event] = []
    for refund in done:
        if refund.order_id is None:
            continue
        total = next(share.amount for share in shares if share.order_id == refund.order_id)
        events.append(
            PaymentRefunded(
                subject=refund.order_id, payment_id=one.payment.id, refund_id=refund.id,
                amount=Money(refund.amount, one.payment.currency), reason=refund.reason or "",
                whole=await store.given_back(tx, refund.order_id) == total, at=clock.now(),
            )
        )  # fmt: skip
    return events


def _desk_refunds(session: Session, refunds: Sequence[RefundFact], shares: Sequence[Share]) -> list[Request]:
    """Rows for refunds that we never asked for, divided among the orders by their shares; the same rows each time."""
    return [
        Request(
            id=uuid5(share.order_id, f"{session.id}:{refund.key}"), session_id=session.id, order_id=share.order_id,
            kind=Kind.refund, amount=part, reason=store.DESK,
        )
        for refund in refunds
        for share, part in zip(shares, split(refund.amount, [share.amount for share in shares]), strict=True)
        if part
    ]  # fmt: skip
