"""The verbs of payments. What needs the network (`start`, `carry_out`, `look`) takes the database and never holds a
transaction meanwhile; everything else takes the caller's transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from uuid import UUID

import structlog

from livestall.base import clock, config, ids, outbox
from livestall.base.db import Database, Tx
from livestall.base.errors import SameIdOtherContents
from livestall.base.money import Money
from livestall.payments import store
from livestall.payments.actions import absorb
from livestall.payments.backends import (
    Carry,
    Facts,
    Kind,
    OpenSession,
    ProviderAway,
    ProviderRefused,
    Status,
    backend_named,
)
from livestall.payments.model import (
    MOVES,
    AlreadyPaid,
    Expected,
    Extension,
    NoPayment,
    NotPayable,
    Payment,
    PaymentFailed,
    PaymentRefundFailed,
    PaymentVoided,
    PayPage,
    Refund,
    RefundTooLarge,
    Request,
    Session,
    Settings,
    State,
    own_url,
    retry_seconds,
)

log = structlog.get_logger()
LEASE = timedelta(seconds=60)
"""How long a request belongs to the worker that took it; longer than any call to a provider may last."""


async def expect(tx: Tx, expected: Sequence[Expected]) -> int:
    """Write down the money to come for orders; an order that has its payment already keeps it. No network."""
    return await store.insert_expected(tx, expected, clock.now()) if expected else 0


async def extend(tx: Tx, extensions: Sequence[Extension]) -> int:
    """Give payments that are still expected more time, with their orders'. Never shortens. Call it before `start`."""
    return await store.extend(tx, extensions) if extensions else 0


async def start(
    db: Database, order_id: UUID, *, return_url: str, origin: str, merchant: str, title: str, locale: str = "en"
) -> PayPage:
    """The provider's page on which the order is paid; the same one until its time or the return address changes.

    `return_url` must lie under `origin`, the market's own scheme and host. Holds no transaction while the provider is
    asked. Raises NoPayment, AlreadyPaid, NotPayable, ForeignReturn, ProviderAway, ProviderRefused.
    """
    back = own_url(return_url, origin)
    session = await db.run(lambda tx: _offer(tx, order_id, back))
    if session.pay_url is not None:
        return PayPage(session.pay_url, session.expires_at)
    asked = OpenSession(
        session_id=session.id, amount=Money(session.amount, session.currency), merchant=merchant, title=title,
        return_url=back, locale=locale, expires_at=session.expires_at,
    )  # fmt: skip
    opened = await backend_named(session.backend).open(asked)
    async with db.write() as tx:
        await store.session_opened(tx, session.id, opened.external_id, opened.pay_url)
    return PayPage(opened.pay_url, session.expires_at)


async def _offer(tx: Tx, order_id: UUID, return_url: str) -> Session:
    """The session to offer, written down before the provider is asked for it; an outdated one is on its way out."""
    payment = await _payment_of(tx, order_id)
    now, settings = clock.now(), config.of(Settings)
    if payment.state in {State.authorised, State.captured}:
        raise AlreadyPaid
    if payment.state is not State.expected or payment.expires_at <= now:
        raise NotPayable
    current = await store.current_session(tx, payment.id)
    if current is not None:
        if (current.return_url, current.expires_at) == (return_url, payment.expires_at):
            return current
        await _close_sessions(tx, [current])
    session = Session(
        id=ids.new(), payment_id=payment.id, backend=settings.backend, external_id=None, status=Status.opening,
        version=0, amount=payment.amount, currency=payment.currency, return_url=return_url, pay_url=None, surplus=False,
        expires_at=payment.expires_at,
    )  # fmt: skip
    await store.insert_session(tx, session, now, now + timedelta(seconds=settings.first_look_seconds))
    return session


async def _payment_of(tx: Tx, order_id: UUID) -> Payment:
    shares = await store.shares(tx, order_ids=[order_id])
    if not shares:
        raise NoPayment
    return (await store.lock_payments(tx, [shares[0].payment_id]))[shares[0].payment_id]


async def _close_sessions(tx: Tx, sessions: Sequence[Session]) -> None:
    """Withdraw pages from the buyer: at once in our books, at the provider by a request."""
    await store.set_session_status(tx, [one.id for one in sessions], Status.closing)
    await store.add_requests(tx, [_request(one, Kind.void) for one in sessions], clock.now())


def _request(session: Session, kind: Kind) -> Request:
    return Request(
        id=ids.new(), session_id=session.id, order_id=None, kind=kind, amount=session.amount, reason=None
    )  # fmt: skip


# What the order asks for


async def _locked(tx: Tx, order_ids: Sequence[UUID]) -> dict[UUID, Payment]:
    """The payments of these orders, locked, by payment id."""
    return await store.lock_payments(tx, [one.payment_id for one in await store.shares(tx, order_ids=order_ids)])


async def request_capture(tx: Tx, order_ids: Sequence[UUID]) -> int:
    """Ask that authorised payments be taken; the answer is PaymentCaptured or PaymentFailed. Repeats are harmless."""
    payments = [one for one in (await _locked(tx, order_ids)).values() if one.state is State.authorised]
    sessions = await store.sessions(tx, [one.session_id for one in payments if one.session_id])
    await store.withdraw_requests(tx, list(sessions), Kind.void)  # late money has found its goods after all
    return await store.add_requests(tx, [_request(one, Kind.capture) for one in sessions.values()], clock.now())


async def request_void(tx: Tx, order_ids: Sequence[UUID]) -> None:
    """Call payments off. Nothing paid yet: voided at once, and its page is closed. Authorised: let go, the answer is
    PaymentVoided. Taken already (the capture was faster): given back as a whole. Repeats are harmless."""
    payments = await _locked(tx, order_ids)
    expected = [one for one in payments.values() if one.state is State.expected]
    if expected:
        now = clock.now()
        await _close_sessions(tx, await store.open_sessions(tx, [one.id for one in expected]))
        await _move(tx, expected, State.voided, "called-off")
        shares = await store.shares(tx, payment_ids=[one.id for one in expected])
        await outbox.emit(
            tx, [PaymentVoided(subject=one.order_id, payment_id=one.payment_id, at=now) for one in shares]
        )
    authorised = [one.session_id for one in payments.values() if one.state is State.authorised and one.session_id]
    sessions = await store.sessions(tx, authorised)
    await store.withdraw_requests(tx, authorised, Kind.capture)
    await store.add_requests(tx, [_request(one, Kind.void) for one in sessions.values()], clock.now())
    for one in payments.values():
        if one.state is State.captured:
            await _refund_rest(tx, one)


async def request_refund(tx: Tx, refunds: Sequence[Refund]) -> None:
    """Ask to give money back, a part or all that is left; the answer is PaymentRefunded or PaymentRefundFailed.

    Repeats of an id are harmless. Raises NoPayment (nothing was taken), RefundTooLarge, SameIdOtherContents.
    """
    for refund in sorted(refunds, key=lambda one: one.order_id):
        shares = await store.shares(tx, order_ids=[refund.order_id])
        payment = await _payment_of(tx, refund.order_id)
        known = await store.request_with_id(tx, refund.id)
        if known is not None:
            if known.order_id != refund.order_id or refund.amount not in {None, known.amount}:
                raise SameIdOtherContents
            continue
        if payment.state not in {State.captured, State.refunded} or payment.session_id is None:
            raise NoPayment
        left = shares[0].amount - await store.promised_back(tx, refund.order_id)
        amount = left if refund.amount is None else refund.amount
        if not 0 < amount <= left:
            raise RefundTooLarge(left=left)
        asked = Request(
            id=refund.id, session_id=payment.session_id, order_id=refund.order_id, kind=Kind.refund, amount=amount,
            reason=refund.reason[:200],
        )  # fmt: skip
        await store.add_requests(tx, [asked], clock.now())


async def _refund_rest(tx: Tx, payment: Payment) -> None:
    for share in await store.shares(tx, payment_ids=[payment.id]):
        if share.amount > await store.promised_back(tx, share.order_id):
            await request_refund(tx, [Refund(id=ids.new(), order_id=share.order_id, reason="called-off")])


async def _move(tx: Tx, payments: Sequence[Payment], to: State, reason: str) -> None:
    """Move payments (locked by the caller) where the table of moves allows it."""
    allowed = [one for one in payments if to in MOVES[one.state]]
    await store.move(tx, [store.Change(payment_id=one.id, moves=(to,), reason=reason) for one in allowed], clock.now())


# What time asks for


async def fail_overdue(tx: Tx, limit: int = 500) -> int:
    """Give up on payments whose time, and the grace for notices under way, is over."""
    now = clock.now()
    before = now - timedelta(seconds=config.of(Settings).grace_seconds)
    payments = await store.overdue(tx, before, limit)
    if not payments:
        return 0
    await _close_sessions(tx, await store.open_sessions(tx, list(payments)))
    await _move(tx, list(payments.values()), State.failed, "expired")
    shares = await store.shares(tx, payment_ids=list(payments))
    await outbox.emit(
        tx,
        [PaymentFailed(subject=one.order_id, payment_id=one.payment_id, reason="expired", at=now) for one in shares],
    )
    return len(payments)


# What the provider says


async def record_notice(tx: Tx, backend: str, external_id: str, raw: bytes) -> bool:
    """Store a notice as it came, before anything else is done with it; False if it came before."""
    return await store.insert_notice(tx, backend, external_id, raw, clock.now())


async def settle_notices(tx: Tx, limit: int = 200) -> int:
    """Use the notices that wait. One that cannot be read is put aside with its reason and stops no other."""
    outcomes: dict[UUID, str] = {}
    readable: list[tuple[UUID, str, Facts]] = []
    for notice_id, backend, raw in await store.claim_notices(tx, limit):
        try:
            readable.append((notice_id, backend, backend_named(backend).read(raw)))
        except Exception as error:
            log.error("notice cannot be read", backend=backend, notice_id=str(notice_id), error=repr(error))
            outcomes[notice_id] = "unreadable"
    for backend, run in groupby(readable, key=lambda one: one[1]):
        notices = list(run)
        answers = await absorb.absorb(tx, backend, [facts for _, _, facts in notices])
        outcomes |= {notice_id: answer for (notice_id, _, _), answer in zip(notices, answers, strict=True)}
    if outcomes:
        await store.notices_settled(tx, outcomes, clock.now())
    return len(outcomes)


async def look(db: Database, session: Session) -> None:
    """Ask the provider where a session stands, for the case that its notice was lost."""
    if session.external_id is None:
        return
    facts = await backend_named(session.backend).look(session.external_id)
    await db.run(lambda tx: absorb.absorb(tx, session.backend, [facts]))


async def carry_out(db: Database, request: Request, session: Session) -> None:
    """Ask the provider for what `request` says, outside any transaction, and write down the answer."""
    assert session.external_id is not None
    backend = backend_named(session.backend)
    asked = Carry(
        request_id=request.id, external_id=session.external_id, kind=request.kind,
        amount=Money(request.amount, session.currency),
    )  # fmt: skip
    refusal: str | None = None
    try:
        try:
            facts = await backend.carry_out(asked)
        except ProviderRefused as no:
            refusal = no.reason
            facts = await backend.look(session.external_id)
    except ProviderAway as away:
        await _try_later(db, request, repr(away.__cause__ or away))
        return
    await db.run(lambda tx: _answered(tx, request, session, facts, refusal))


async def _try_later(db: Database, request: Request, error: str) -> None:
    at = clock.now() + timedelta(seconds=retry_seconds(request.attempts))
    log.warning("provider away", kind=request.kind, request_id=str(request.id), attempts=request.attempts, error=error)
    async with db.write() as tx:
        await store.retry_request(tx, request.id, at, error[:500])


async def _answered(tx: Tx, request: Request, session: Session, facts: Facts, refusal: str | None) -> None:
    payment = (await store.lock_payments(tx, [session.payment_id]))[session.payment_id]
    await absorb.absorb(tx, session.backend, [facts])
    done = _is_done(request, facts)
    await store.finish_request(tx, request.id, "done" if done else "failed", refusal)
    if done:
        return
    log.error("provider refused", kind=request.kind, request_id=str(request.id), refusal=refusal, status=facts.status)
    after = (await store.lock_payments(tx, [payment.id]))[payment.id]
    if request.kind is Kind.capture and after.state is State.authorised:
        await _capture_refused(tx, after, session)
    elif request.kind is Kind.void and after.state is State.captured:
        await _refund_rest(tx, after)
    elif request.kind is Kind.refund and request.order_id is not None:
        failed = PaymentRefundFailed(
            subject=request.order_id, payment_id=payment.id, refund_id=request.id, reason=refusal or "refused",
            at=clock.now(),
        )  # fmt: skip
        await outbox.emit(tx, [failed])


def _is_done(request: Request, facts: Facts) -> bool:
    if request.kind is Kind.capture:
        return facts.status is Status.captured
    if request.kind is Kind.void:
        return facts.status in {Status.voided, Status.expired, Status.failed}
    return any(one.key == str(request.id) for one in facts.refunds)


async def _capture_refused(tx: Tx, payment: Payment, session: Session) -> None:
    """The money cannot be taken: the payment has failed, and what is set aside is let go."""
    await _move(tx, [payment], State.failed, "capture-refused")
    await store.add_requests(tx, [_request(session, Kind.void)], clock.now())
    shares: Mapping[UUID, UUID] = {
        one.order_id: one.payment_id for one in await store.shares(tx, payment_ids=[payment.id])
    }
    await outbox.emit(
        tx,
        [
            PaymentFailed(subject=order_id, payment_id=payment_id, reason="capture-refused", at=clock.now())
            for order_id, payment_id in shares.items()
        ],
    )
