"""The verbs of orders. Lock order for everyone: order rows, stock pools, payments, ledger accounts. A placement makes
its order rows after the pools are locked; nobody else can hold those yet."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set
from datetime import timedelta
from uuid import UUID

import msgspec

from livestall import accounts, payments, stock
from livestall.accounts import Actor
from livestall.base import clock, config, outbox
from livestall.base.columns import of_uuid
from livestall.base.db import Read, Tx
from livestall.base.errors import NotFound, Refusal, SameIdOtherContents
from livestall.orders import model, pricing, store
from livestall.orders.desk import Desk, Names, Prepared, Ready, names_of, price
from livestall.orders.model import Order, OrderCancelled, OrdersPlaced, OrderState, Record, Settings
from livestall.orders.model.mold import Made, Mold, Placed
from livestall.orders.model.refusals import AddressNeeded, OrderExpired, TooManyAddresses, WrongState
from livestall.orders.model.wishes import Address, Draft, SavedAddress
from livestall.orders.straight import Straight


async def place(
    tx: Tx, drafts: Sequence[Draft], ready: Prepared | None = None
) -> list[Placed | Refusal]:  # fmt: skip
    """Decide a batch in the order of arrival; one answer a draft, a refused one spoils no neighbour.

    An id that came before gets its order again (`new` False), or SameIdOtherContents. Other refusals: SoldOut,
    LimitReached, DealClosed, DealNotOpen, NotStocked, SeveralSellers, SellerSuspended, UnknownShow. The caller
    commits, then answers. `ready`: the same drafts, prepared. If they go straight, nothing is asked, and what they
    depend on must still hold when `tx` is sent: else that raises Changed, or PostgreSQL's error for an id that came
    before, and nothing is placed.
    """
    if ready is None:
        ready = await price(tx, drafts, Desk())
    if isinstance(ready, Straight):
        return await _place_straight(tx, ready)
    limits = ready.prices.limits
    pools = await pricing.lock(tx, ready.prices)
    ready.desk.saw(pools)
    ready.locked.set()
    known = await _look_again(tx, ready, limits)
    answers: dict[int, Placed | Refusal] = {}
    fresh: list[tuple[int, Draft, Mold]] = []
    for place, one in enumerate(drafts) if len(ready.firsts) == len(drafts) else _firsts(ready):
        mold = ready.molds[one.wish]
        if known and one.order_id in known:
            continue
        if isinstance(mold, Refusal):
            answers[place] = mold
        else:
            fresh.append((place, one, mold))
    await _sell(tx, ready, fresh, pools, answers)
    if known:
        found = await _found(tx, ready, known)
        answers |= {ready.firsts[order_id]: answer for order_id, answer in found.items()}
    if len(answers) == len(drafts):
        return [answers[place] for place in range(len(drafts))]
    return [answers.get(place) or _again(ready, answers, one) for place, one in enumerate(drafts)]


async def _place_straight(tx: Tx, batch: Straight) -> list[Placed | Refusal]:
    """Place every draft, or none."""
    day, at = f"{batch.at:%y%m%d}-", batch.at
    made = [
        Made(one, terms.mold, day + number, at)
        for one, terms, number in zip(batch.drafts, batch.terms, batch.numbers, strict=True)
    ]
    await pricing.still(tx, batch.depends)
    lines = [(one, kind) for one, terms in zip(made, batch.terms, strict=True) for kind in terms.kinds]
    await stock.hold_all(
        tx, [one.order_value for one, _ in lines], [one.buyer_value for one, _ in lines], [kind for _, kind in lines]
    )
    await _write(tx, made)
    return [Placed(one, new=True) for one in made]


async def _look_again(tx: Tx, ready: Ready, limits: Set[UUID]) -> dict[UUID, bytes]:
    """Under the locks: are the prices still those? Returns which ids came before, with their fingerprints."""
    known: dict[UUID, bytes]
    order_ids = [of_uuid(one) for one in ready.firsts]
    changed, (known,) = await pricing.look_again(
        tx, ready.prices, lambda r: store.fingerprints(r, order_ids), book=ready.desk.book
    )
    if changed:
        if more := ready.prices.limits - limits:  # out of order, so perhaps a deadlock: then the batch is decided again
            await stock.lock(tx, (), more)
        ready.names = Names(ready.prices.sellers, ready.names.creators, ready.names.market)
        ready.price()
    return known


def _firsts(ready: Ready) -> list[tuple[int, Draft]]:
    return [(place, ready.drafts[place]) for place in ready.firsts.values()]


def _again(ready: Ready, answers: Mapping[int, Placed | Refusal], draft: Draft) -> Placed | Refusal:
    """A double click gets the first click's answer."""
    first = ready.firsts[draft.order_id]
    if draft.fingerprint != ready.drafts[first].fingerprint:
        return SameIdOtherContents()
    answer = answers[first]
    return answer.again() if isinstance(answer, Placed) else answer


async def _sell(
    tx: Tx, ready: Ready, fresh: Sequence[tuple[int, Draft, Mold]], pools: Mapping[UUID, stock.Pool],
    answers: dict[int, Placed | Refusal],
) -> None:  # fmt: skip
    """Hold units for the new orders, in the order of arrival, and write those that got all of theirs."""
    requests = [request for _, one, mold in fresh for request in pricing.fresh_requests(one, mold)]
    held = iter(await stock.hold(tx, requests, locked=pools) if requests else ())
    won: list[tuple[int, Draft, Mold]] = []
    for entry in fresh:
        answer = next(held)
        for _ in entry[2].lines[1:]:
            answer = next(held)  # all lines of an order have the same answer
        if answer is True:
            won.append(entry)
        elif isinstance(answer, Refusal):
            answers[entry[0]] = answer
            if isinstance(answer, stock.SoldOut):
                for line in entry[1].lines:
                    ready.desk.was_short(line.pool_id)
    if not won:
        return
    numbers = await ready.desk.numbers(tx, len(won))
    day = f"{ready.at:%y%m%d}-"
    made = [Made(one, mold, day + number, ready.at) for (_, one, mold), number in zip(won, numbers, strict=True)]
    await _write(tx, made)
    for (place, _, _), order in zip(won, made, strict=True):
        answers[place] = Placed(order, new=True)


async def _write(tx: Tx, made: Sequence[Made]) -> None:
    """Write new orders, all made at the same time."""
    await store.add(tx, made)
    placed: dict[int, list[Made]] = {}
    for one in made:
        placed.setdefault(one.mold.seller_id.int, []).append(one)
    events = [
        OrdersPlaced(
            subject=these[0].mold.seller_id, order_ids=[one.draft.order_id for one in these], at=these[0].at
        )
        for these in placed.values()
    ]  # fmt: skip
    await outbox.emit(tx, events)


async def _found(tx: Tx, ready: Ready, known: Mapping[UUID, bytes]) -> dict[UUID, Placed | Refusal]:
    """Answers for ids that came before."""
    same = [order_id for order_id in known if known[order_id] == ready.drafts[ready.firsts[order_id]].fingerprint]
    answers: dict[UUID, Placed | Refusal] = {order_id: SameIdOtherContents() for order_id in known}
    found = await views(tx, list((await store.orders(tx, same)).values()))
    return answers | {order.id: Placed(order, new=False) for order in found}


async def views(read: Read, records: Sequence[Record]) -> list[Order]:
    """The orders for people, in the same order, with payment, names and history."""
    if not records:
        return []
    sellers = await accounts.sellers(read, {one.seller_id for one in records})
    names = await names_of(read, sellers, {one.creator_id for one in records if one.creator_id is not None})
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
