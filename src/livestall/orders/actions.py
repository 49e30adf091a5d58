"""The verbs of orders. Lock order for everyone: order rows, stock pools, payments, ledger accounts. A placement makes
its order rows after the pools are locked; nobody else can hold those yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

import msgspec

from livestall import accounts, payments, stock
from livestall.accounts import Actor
from livestall.base import clock, config, outbox
from livestall.base.db import Read, Tx
from livestall.base.errors import NotFound, Refusal, SameIdOtherContents
from livestall.orders import model, pricing, store
from livestall.orders.model import (
    Address,
    AddressNeeded,
    Draft,
    Order,
    OrderCancelled,
    OrderExpired,
    OrderPlaced,
    OrderState,
    Placed,
    Record,
    SavedAddress,
    Settings,
    TooManyAddresses,
    WrongState,
)


async def place(tx: Tx, drafts: Sequence[Draft]) -> list[Placed | Refusal]:
    """Decide a batch in the order of arrival; one answer a draft, a refused one spoils no neighbour.

    An id that came before gets its order again (`new` False), or SameIdOtherContents. Other refusals: SoldOut,
    LimitReached, DealClosed, DealNotOpen, NotStocked, SeveralSellers, UnknownShow. The caller commits, then answers.
    """
    firsts: dict[UUID, Draft] = {}
    for one in drafts:
        firsts.setdefault(one.order_id, one)
    wanted = list(firsts.values())
    prices = await pricing.lock_and_price(tx, wanted)
    known = await store.fingerprints(tx, firsts)
    answers: dict[UUID, Record | Refusal] = {}
    fresh: list[Record] = []
    for one in wanted:
        if one.order_id in known:
            continue
        try:
            fresh.append(pricing.record(one, prices))
        except Refusal as refusal:
            answers[one.order_id] = refusal
    won = await _hold(tx, fresh, prices, answers)
    await _write(tx, won)
    placed = await _answers(tx, won, [one for one in wanted if one.order_id in known], known)
    answered: set[UUID] = set()
    result: list[Placed | Refusal] = []
    for one in drafts:
        answer = _answer(one, firsts[one.order_id], answers, placed)
        if one.order_id in answered and isinstance(answer, Placed):
            answer = Placed(answer.order, new=False)
        answered.add(one.order_id)
        result.append(answer)
    return result


async def _hold(
    tx: Tx, fresh: Sequence[Record], prices: pricing.Prices, answers: dict[UUID, Record | Refusal]
) -> list[Record]:
    requests = pricing.hold_requests(fresh, prices)
    held = await stock.hold(tx, requests) if requests else []
    for request, answer in zip(requests, held, strict=True):
        if isinstance(answer, Refusal):
            answers[request.order_id] = answer
    return [one for one in fresh if one.id not in answers]


async def _write(tx: Tx, won: Sequence[Record]) -> None:
    if not won:
        return
    await store.add(tx, won)
    await payments.expect(
        tx,
        [
            payments.Expected(
                order_id=one.id, seller_id=one.seller_id, amount=one.total, currency=one.currency,
                expires_at=one.expires_at,
            )
            for one in won
        ],
    )  # fmt: skip
    await outbox.emit(tx, [OrderPlaced(**model.event_fields(one, one.placed_at)) for one in won])


async def _answers(
    tx: Tx, won: Sequence[Record], again: Sequence[Draft], known: Mapping[UUID, bytes]
) -> dict[UUID, Placed | Refusal]:
    answers: dict[UUID, Placed | Refusal] = {
        one.order_id: SameIdOtherContents() for one in again if known[one.order_id] != one.fingerprint
    }
    names = await _names(tx, won) if won else None
    for one in won:
        assert names is not None
        answers[one.id] = Placed(names.view(one), new=True)
    same = [one.order_id for one in again if one.order_id not in answers]
    if same:
        found = await views(tx, list((await store.orders(tx, same)).values()))
        answers |= {order.id: Placed(order, new=False) for order in found}
    return answers


def _answer(
    draft: Draft, first: Draft, refused: Mapping[UUID, Record | Refusal], placed: Mapping[UUID, Placed | Refusal]
) -> Placed | Refusal:
    """A double click gets the first click's answer."""
    if draft.fingerprint != first.fingerprint:
        return SameIdOtherContents()
    refusal = refused.get(draft.order_id)
    if isinstance(refusal, Refusal):
        return refusal
    return placed[draft.order_id]


class Names:
    """Who is behind the ids of some orders."""

    def __init__(self, sellers: Mapping[UUID, str], creators: Mapping[UUID, str], market: str) -> None:
        self.sellers, self.creators, self.market = sellers, creators, market

    def view(
        self, record: Record, payment: payments.OrderPayment | None = None, history: Sequence[model.OrderMoment] = ()
    ) -> Order:
        seller = self.sellers.get(record.seller_id, "")
        creator = self.creators.get(record.creator_id, "") if record.creator_id else ""
        return model.view(record, seller, creator, self.market, payment, history)


async def _names(read: Read, records: Sequence[Record]) -> Names:
    sellers = await accounts.sellers(read, {one.seller_id for one in records})
    creator_ids = {one.creator_id for one in records if one.creator_id is not None}
    creators = await accounts.creators(read, creator_ids) if creator_ids else {}
    market = await accounts.market(read)
    return Names(
        {key: one.name for key, one in sellers.items()}, {key: one.name for key, one in creators.items()}, market.name
    )


async def views(read: Read, records: Sequence[Record]) -> list[Order]:
    """The orders for people, in the same order, with payment, names and history."""
    if not records:
        return []
    names = await _names(read, records)
    order_ids = [one.id for one in records]
    paid = await payments.of_orders(read, order_ids)
    history = await store.history(read, order_ids)
    return [names.view(one, paid.get(one.id), history.get(one.id, ())) for one in records]


async def expire(tx: Tx, limit: int = 500) -> int:
    """Cancel orders not paid in time and give their units back; returns how many.

    An order whose payment has started waits a grace beyond its time, for the notice that may be under way. Whoever
    locks the order first wins: an order being settled is skipped.
    """
    due = await store.lock_due(tx, clock.now(), limit)
    await _cancel(tx, due, "expired", None)
    return len(due)


async def cancel(tx: Tx, actor: Actor, order_id: UUID) -> Order:
    """The buyer gives an unpaid order up. Cancelling again changes nothing. Raises NotFound, WrongState."""
    record = await _own(tx, actor, order_id)
    if record.state is OrderState.placed:
        await _cancel(tx, [record], "buyer", record.buyer_id)
    elif record.state is not OrderState.cancelled:
        raise WrongState(state=record.state.value)
    return await _view(tx, order_id)


async def _cancel(tx: Tx, locked: Sequence[Record], reason: model.CancelReason, by_id: UUID | None) -> None:
    if not locked:
        return
    now, order_ids = clock.now(), [one.id for one in locked]
    await store.move(
        tx, order_ids, OrderState.placed, OrderState.cancelled, reason=reason, at=now, by_id=by_id,
        cancel_reason=reason,
    )  # fmt: skip
    await stock.release(tx, order_ids, expired=reason == "expired")
    await payments.request_void(tx, order_ids)
    events = [OrderCancelled(**model.event_fields(one, now), reason=reason) for one in locked]
    await outbox.emit(tx, events)


async def start_paying(tx: Tx, actor: Actor, order_id: UUID) -> Record:
    """The buyer is about to pay: the first time, the wait becomes longer once, and the expiry will wait for notices.

    Raises NotFound, AddressNeeded, WrongState, OrderExpired.
    """
    record = await _own(tx, actor, order_id)
    now, settings = clock.now(), config.of(Settings)
    if record.state is not OrderState.placed:
        raise OrderExpired if record.cancel_reason == "expired" else WrongState(state=record.state.value)
    if record.expires_at <= now:
        raise OrderExpired
    if record.address is None:
        raise AddressNeeded
    if record.pay_started_at is None:
        expires_at = record.expires_at + timedelta(seconds=settings.pay_extension_seconds)
        release_at = expires_at + timedelta(seconds=settings.notice_grace_seconds)
        await store.start_paying(tx, order_id, now, expires_at, release_at)
        await payments.extend(tx, [payments.Extension(order_id, expires_at)])
    return record


async def set_address(tx: Tx, actor: Actor, order_id: UUID, address: Address) -> Order:
    """Where an order goes; can be changed until it is paid. Raises NotFound, WrongState."""
    record = await _own(tx, actor, order_id)
    if record.state is not OrderState.placed:
        raise WrongState(state=record.state.value)
    await store.set_address(tx, order_id, address)
    return await _view(tx, order_id)


async def _own(tx: Tx, actor: Actor, order_id: UUID) -> Record:
    """The actor's own order, locked. Raises Unauthenticated, NotFound."""
    user_id = actor.need_user()
    record = (await store.lock(tx, [order_id])).get(order_id)
    if record is None or record.buyer_id != user_id:
        raise NotFound
    return record


async def _view(read: Read, order_id: UUID) -> Order:
    return (await views(read, list((await store.orders(read, [order_id])).values())))[0]


async def order(read: Read, actor: Actor, order_id: UUID) -> Order:
    """An order, for its buyer, its seller's people and the operator. Raises Unauthenticated, NotFound."""
    user_id = actor.need_user()
    record = (await store.orders(read, [order_id])).get(order_id)
    if record is None or not (actor.is_operator or record.buyer_id == user_id or record.seller_id in actor.seller_ids):
        raise NotFound
    return (await views(read, [record]))[0]


async def save_address(tx: Tx, actor: Actor, address: SavedAddress, *, new: bool) -> SavedAddress:
    """Keep an address; the first one is the default. Raises NotFound for another person's, TooManyAddresses."""
    user_id = actor.need_user()
    await store.lock_address_book(tx, user_id)
    owner = await store.owner_of_address(tx, address.id)
    if owner is None and not new:
        raise NotFound
    if owner not in {None, user_id}:
        raise SameIdOtherContents if new else NotFound
    book_now = await store.addresses(tx, user_id)
    if owner is None and len(book_now) >= model.ADDRESSES_MAX:
        raise TooManyAddresses
    await store.save_address(tx, user_id, address)
    if not any(one.is_default for one in await store.addresses(tx, user_id)):
        await _make_default(tx, user_id)
    return next(one for one in await store.addresses(tx, user_id) if one.id == address.id)


async def drop_address(tx: Tx, actor: Actor, address_id: UUID) -> None:
    """Forget an address; orders keep their copy. Raises NotFound."""
    user_id = actor.need_user()
    await store.lock_address_book(tx, user_id)
    if not await store.drop_address(tx, user_id, address_id):
        raise NotFound
    if not any(one.is_default for one in await store.addresses(tx, user_id)):
        await _make_default(tx, user_id)


async def _make_default(tx: Tx, user_id: UUID) -> None:
    left = await store.addresses(tx, user_id)
    if left:
        await store.save_address(tx, user_id, msgspec.structs.replace(left[0], is_default=True))
