"""What money does to orders: placed becomes paid, late money is put to use or sent back, a refund takes it all back."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from uuid import UUID

import msgspec

from livestall import ledger, payments, stock
from livestall.base import clock, outbox
from livestall.base.db import Tx
from livestall.ledger import Account, Owner, Purpose, Transfer
from livestall.orders import model, pricing, store
from livestall.orders.model import GivenBack, OrderCancelled, OrderPaid, OrderRefunded, OrderState, Paid, Record

S = OrderState


async def settle(tx: Tx, paid: Sequence[Paid]) -> set[UUID]:
    """Money is authorised: sell the held units, post the split, ask for the capture; returns the orders now paid.

    Whoever locks the order first wins against the expiry. Money for an order that expired meanwhile holds the units
    again if they are still there at the same price; all other money is let go.
    """
    amounts = {one.order_id: one.amount for one in paid}
    found = await store.lock(tx, amounts)
    right = [one for one in found.values() if one.money == amounts[one.id]]
    in_time = [one for one in right if one.state is S.placed]
    late = [one for one in right if one.state is S.cancelled and model.may_move(one, S.paid)]
    done = [one for one in right if one.state in {S.paid, S.completed}]
    revived = await _hold_again(tx, late) if late else []
    taken = await stock.take(tx, {one.id for one in [*in_time, *revived]})
    winners = [one for one in [*in_time, *revived] if one.id in taken]
    now = clock.now()
    await store.move(tx, {one.id for one in in_time} & taken, S.placed, S.paid, reason="paid", at=now)
    await store.move(tx, {one.id for one in revived} & taken, S.cancelled, S.paid, reason="late-money", at=now)
    settled = taken | {one.id for one in done}
    if settled:
        await payments.request_capture(tx, list(settled))
    if rest := amounts.keys() - settled:
        await payments.request_void(tx, list(rest))
    await outbox.emit(tx, [OrderPaid(**model.event_fields(one, now)) for one in winners])
    await ledger.post(tx, [transfer for one in winners for transfer in _split(one, f"#{one.attempt}")])
    return taken


async def _hold_again(tx: Tx, late: Sequence[Record]) -> list[Record]:
    """Which of the late orders got their units back, as a new attempt."""
    prices, same = await pricing.reprice(tx, late)
    if not same:
        return []
    await store.next_attempt(tx, [one.id for one in same])
    again = list((await store.orders(tx, [one.id for one in same])).values())
    requests = pricing.hold_requests(again, prices)
    answers = await stock.hold(tx, requests)
    held = {request.order_id for request, answer in zip(requests, answers, strict=True) if answer is True}
    return [one for one in again if one.id in held]


def _split(record: Record, attempt: str) -> list[Transfer]:
    """Who gets what of a paid order. The seller is owed all of it, then promises the creator a part; the market takes
    no fee. A first attempt carries no mark, so that its kinds read plainly."""
    mark = "" if attempt == "#1" else attempt
    currency = record.currency
    clearing = ledger.house(Purpose.clearing, currency, record.seller_id)
    seller = Account(Owner.seller, record.seller_id, Purpose.payable, currency)
    transfers = [
        Transfer(
            debit=clearing, credit=seller, amount=record.total, currency=currency, kind=f"sale.seller{mark}",
            reference=record.id,
        )
    ]  # fmt: skip
    if record.creator_amount and record.creator_id is not None:
        creator = Account(Owner.creator, record.creator_id, Purpose.estimated, currency)
        transfers.append(
            Transfer(
                debit=seller, credit=creator, amount=record.creator_amount, currency=currency,
                kind=f"sale.creator{mark}", reference=record.id,
            )
        )  # fmt: skip
    return transfers


def _reversal(record: Record) -> list[Transfer]:
    """The split taken back as a whole, the last step first."""
    return [
        Transfer(
            debit=one.credit, credit=one.debit, amount=one.amount, currency=one.currency,
            kind=one.kind.replace("sale.", "undo."), reference=one.reference,
        )
        for one in reversed(_split(record, f"#{record.attempt}"))
    ]  # fmt: skip


def _refund(record: Record, refund: GivenBack) -> list[Transfer]:
    """A part of the split taken back, booked under the refund's own id. The creator gives back in proportion, to the
    minor unit: after the last part everything is taken back."""
    before, after = (model.part_of(record, amount) for amount in (record.refunded, record.refunded + refund.amount))
    parts = {"sale.seller": refund.amount, "sale.creator": after - before}
    return [
        Transfer(
            debit=one.credit, credit=one.debit, amount=parts[one.kind], currency=one.currency,
            kind=one.kind.replace("sale.", "refund."), reference=refund.refund_id,
        )
        for one in reversed(_split(record, "#1"))
        if parts[one.kind]
    ]  # fmt: skip


async def refunded(tx: Tx, refunds: Sequence[GivenBack]) -> None:
    """Money went back: the split is reversed by as much. Once all of it is back, the order is refunded and its units
    are on sale again."""
    found = await store.lock(tx, {one.order_id for one in refunds})
    now = clock.now()
    transfers: list[Transfer] = []
    whole: list[Record] = []
    for one in refunds:
        record = found.get(one.order_id)
        if record is None or record.state is not S.paid:  # surplus money of an order that it never paid
            continue
        transfers += _refund(record, one)
        record = found[record.id] = msgspec.structs.replace(record, refunded=record.refunded + one.amount)
        await store.add_refunded(tx, {record.id: one.amount})
        if record.refunded == record.total:
            whole.append(record)
        else:
            await store.note(tx, [(record.id, "refunded-part")], now)
    ids = [one.id for one in whole]
    await store.move(tx, ids, S.paid, S.refunded, reason="refunded", at=now)
    await stock.put_back(tx, ids)
    await outbox.emit(tx, [OrderRefunded(**model.event_fields(one, now)) for one in whole])
    await ledger.post(tx, transfers)


async def payment_failed(tx: Tx, order_ids: Collection[UUID]) -> None:
    """The provider would not hand over what it had set aside, or let it lapse: the sale is undone."""
    found = [one for one in (await store.lock(tx, order_ids)).values() if one.state is S.paid]
    if not found:
        return
    now = clock.now()
    ids = [one.id for one in found]
    await store.move(tx, ids, S.paid, S.cancelled, reason="payment-failed", at=now, cancel_reason="payment-failed")
    await stock.put_back(tx, ids)
    events = [OrderCancelled(**model.event_fields(one, now), reason="payment-failed") for one in found]
    await outbox.emit(tx, events)
    await ledger.post(tx, [transfer for one in found for transfer in _reversal(one)])


async def note(tx: Tx, notes: Sequence[tuple[UUID, str]]) -> None:
    """Write into the orders' histories what the buyer and the seller should know, but that moves nothing."""
    await store.note(tx, notes, clock.now())
