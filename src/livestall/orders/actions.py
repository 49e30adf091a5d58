"""The verbs of orders. Lock order for everyone: order rows, stock pools, payments, ledger accounts. A placement makes
its order rows after the pools are locked; nobody else can hold those yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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
    Draft,
    Order,
    OrderCancelled,
    OrdersPlaced,
    OrderState,
    Placed,
    Record,
    SavedAddress,
    Settings,
)
from livestall.orders.model.refusals import AddressNeeded, OrderExpired, TooManyAddresses, WrongState


class Names:
    """Who is behind the ids of some orders."""

    def __init__(
        self, sellers: Mapping[UUID, accounts.Seller], creators: Mapping[UUID, accounts.Creator], market: str
    ) -> None:
        self.sellers, self.creators, self.market = sellers, creators, market

    def view(
        self, record: Record, payment: payments.OrderPayment | None = None, history: Sequence[model.OrderMoment] = ()
    ) -> Order:
        seller = self.sellers.get(record.seller_id)
        creator = self.creators.get(record.creator_id) if record.creator_id else None
        return model.view(
            record, seller.name if seller else "", creator.name if creator else "", self.market, payment, history
        )


class Ready:
    """A batch of drafts, priced before any lock: for each the order it would become, or the refusal."""

    def __init__(self, drafts: Sequence[Draft], prices: pricing.Prices, names: Names) -> None:
        self.drafts: dict[UUID, Draft] = {}
        for one in drafts:
            self.drafts.setdefault(one.order_id, one)  # of a double click, the first
        self.prices, self.names = prices, names
        self.records: dict[UUID, Record] = {}
        self.views: dict[UUID, Order] = {}
        self.requests: dict[UUID, list[stock.HoldRequest]] = {}
        self.refusals: dict[UUID, Refusal] = {}
        self.price()

    def price(self) -> None:
        """Say of each draft what it would become at the prices of now."""
        self.records, self.refusals = {}, {}
        for one in self.drafts.values():
            try:
                record = self.records[one.order_id] = pricing.record(one, self.prices)
            except Refusal as refusal:
                self.refusals[one.order_id] = refusal
            else:
                self.views[one.order_id] = self.names.view(record)
                self.requests[one.order_id] = pricing.hold_requests([record], self.prices)


async def prepare(read: Read, drafts: Sequence[Draft]) -> Ready:
    """All of `place` that needs no lock, for a batch whose turn has not come: reads and arithmetic."""
    prices = await pricing.look(read, drafts)
    creator_ids = {one.creator_id for one in prices.shows.values()}
    return Ready(drafts, prices, await _names(read, prices.sellers, creator_ids))


async def place(tx: Tx, drafts: Sequence[Draft], ready: Ready | None = None) -> list[Placed | Refusal]:
    """Decide a batch in the order of arrival; one answer a draft, a refused one spoils no neighbour.

    An id that came before gets its order again (`new` False), or SameIdOtherContents. Other refusals: SoldOut,
    LimitReached, DealClosed, DealNotOpen, NotStocked, SeveralSellers, SellerSuspended, UnknownShow. The caller
    commits, then answers. `ready`: the same drafts, prepared.
    """
    if ready is None:
        ready = await prepare(tx, drafts)
    pools = await pricing.lock(tx, ready.prices)
    if await pricing.look_again(tx, ready.prices):
        ready.names.sellers = ready.prices.sellers
        ready.price()
    known = await store.fingerprints(tx, ready.drafts)
    answers: dict[UUID, Placed | Refusal] = {**ready.refusals}
    won = await _hold(tx, ready, known, pools, answers)
    await _write(tx, won)
    answers |= {one.id: Placed(ready.views[one.id], new=True) for one in won}
    if known:
        answers |= await _found(tx, ready, known)
    answered: set[UUID] = set()
    result: list[Placed | Refusal] = []
    for one in drafts:
        answer = answers[one.order_id]
        if one.order_id in answered:  # a double click gets the first click's answer
            if one.fingerprint != ready.drafts[one.order_id].fingerprint:
                answer = SameIdOtherContents()
            elif isinstance(answer, Placed):
                answer = Placed(answer.order, new=False)
        answered.add(one.order_id)
        result.append(answer)
    return result


async def _hold(
    tx: Tx, ready: Ready, known: Mapping[UUID, bytes], pools: Mapping[UUID, stock.Pool],
    answers: dict[UUID, Placed | Refusal],
) -> list[Record]:  # fmt: skip
    """The new orders that got all of their units, in the order of arrival; the others' refusals go to `answers`."""
    fresh = [order_id for order_id in ready.drafts if order_id in ready.records and order_id not in known]
    requests = [request for order_id in fresh for request in ready.requests[order_id]]
    held = await stock.hold(tx, requests, locked=pools) if requests else []
    for request, answer in zip(requests, held, strict=True):
        if isinstance(answer, Refusal):
            answers[request.order_id] = answer
    return [ready.records[order_id] for order_id in fresh if order_id not in answers]


async def _found(tx: Tx, ready: Ready, known: Mapping[UUID, bytes]) -> dict[UUID, Placed | Refusal]:
    """Answers for ids that came before."""
    same = [order_id for order_id in known if known[order_id] == ready.drafts[order_id].fingerprint]
    answers: dict[UUID, Placed | Refusal] = {order_id: SameIdOtherContents() for order_id in known}
    found = await views(tx, list((await store.orders(tx, same)).values()))
    return answers | {order.id: Placed(order, new=False) for order in found}


async def _write(tx: Tx, won: Sequence[Record]) -> None:
    if not won:
        return
    await store.add(tx, won)
    placed: dict[UUID, list[UUID]] = {}
    for one in won:
        placed.setdefault(one.seller_id, []).append(one.id)
    at = clock.now()
    await outbox.emit(tx, [OrdersPlaced(subject=seller, order_ids=these, at=at) for seller, these in placed.items()])


async def _names(read: Read, sellers: Mapping[UUID, accounts.Seller], creator_ids: Collection[UUID]) -> Names:
    creators = await accounts.creators(read, creator_ids) if creator_ids else {}
    market = await accounts.market(read)
    return Names(sellers, creators, market.name)


async def views(read: Read, records: Sequence[Record]) -> list[Order]:
    """The orders for people, in the same order, with payment, names and history."""
    if not records:
        return []
    sellers = await accounts.sellers(read, {one.seller_id for one in records})
    names = await _names(read, sellers, {one.creator_id for one in records if one.creator_id is not None})
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
    paid = await payments.of_orders(tx, [one.id for one in due if one.pay_started_at])
    here = {order_id for order_id, one in paid.items() if one.state is payments.State.authorised}
    over = [one for one in due if one.id not in here]  # the money has come, the listener has yet to hear of it
    await _cancel(tx, over, "expired", None)
    return len(over)


async def close_unpaid(tx: Tx, order_ids: Collection[UUID]) -> None:
    """The money of these orders can come no more: those still waiting for it are cancelled."""
    found = await store.lock(tx, order_ids)
    await _cancel(tx, [one for one in found.values() if one.state is OrderState.placed], "expired", None)


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
    """The buyer is about to pay: the first time, the wait becomes longer once, the expiry will wait for notices, and
    the money is expected. (Not before: most of a rush never pays, and its orders should cost little.)

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
        expected = payments.Expected(
            order_id=order_id, seller_id=record.seller_id, amount=record.total, currency=record.currency,
            expires_at=expires_at,
        )  # fmt: skip
        await payments.expect(tx, [expected])
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
