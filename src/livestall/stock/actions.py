"""The verbs of stock. Each takes a list, locks the pools it touches in the order of their ids, and tells the new totals
once a pool."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from livestall.base import outbox
from livestall.base.columns import Value
from livestall.base.db import Tx
from livestall.base.errors import Invalid, Refusal
from livestall.stock import store
from livestall.stock.model import (
    ON_HAND_MAX,
    QUANTITY_MAX,
    BelowPromised,
    Carve,
    Delta,
    Hold,
    HoldKind,
    HoldRequest,
    HoldState,
    NotEnoughStock,
    NotStocked,
    OnHand,
    OpenMore,
    Pool,
    PoolClosed,
    PoolValues,
    Reason,
    Repair,
    changed,
    decide,
    repaired,
    stock_changed,
)


async def receive(tx: Tx, rows: Sequence[OnHand], *, at_least_promised: bool = False) -> None:
    """Set what is on hand, as counted. Units in deals, held and sold ones are part of it.

    Raises BelowPromised if less is on hand than was promised; with `at_least_promised` (a file that was written before
    the latest sales) such a count is raised to the promise instead.
    """
    if not rows:
        return
    for row in rows:
        if not 0 <= row.on_hand <= ON_HAND_MAX:
            raise Invalid(reason=f"on hand must be 0 to {ON_HAND_MAX}")
    rows = list({(row.variant_id, row.warehouse_id or row.seller_id): row for row in rows}.values())
    await store.add_default_warehouses(tx, {row.seller_id for row in rows if row.warehouse_id is None})
    await store.add_general_pools(tx, rows)
    variants = {row.variant_id for row in rows}
    pools = await store.lock_variants(tx, variants)
    if any(pools[row.variant_id].seller_id != row.seller_id for row in rows):
        raise NotStocked
    if at_least_promised:
        rows = await _raise_to_promise(tx, rows, pools)
    await store.set_levels(tx, rows)
    totals = await store.levels(tx, variants)
    deltas: dict[UUID, Delta] = {}
    for variant in variants:
        general = pools[variant]
        carved = sum(pool.on_hand for pool in pools.values() if pool.variant_id == variant and pool.parent_id)
        on_hand = totals[variant] - carved
        if on_hand < general.held + general.sold:
            raise BelowPromised(promised=carved + general.held + general.sold, on_hand=totals[variant])
        if more := on_hand - general.on_hand:
            deltas[variant] = Delta(on_hand=more, open=more)
    await _change(tx, Reason.received, pools, deltas)


async def _raise_to_promise(tx: Tx, rows: Sequence[OnHand], pools: Mapping[UUID, Pool]) -> list[OnHand]:
    before = await store.levels(tx, {row.variant_id for row in rows})
    raised: list[OnHand] = []
    for row in rows:
        carved = sum(pool.on_hand for pool in pools.values() if pool.variant_id == row.variant_id and pool.parent_id)
        general = pools[row.variant_id]
        promised = carved + general.held + general.sold
        least = min(promised, before.get(row.variant_id, 0))
        raised.append(OnHand(row.variant_id, row.seller_id, max(row.on_hand, least), row.warehouse_id))
    return raised


async def lock(tx: Tx, pool_ids: Collection[UUID], limits: Collection[UUID] = ()) -> dict[UUID, Pool]:
    """Lock pools, in the order of their ids, until the end of `tx`. `limits` are listings whose per-buyer limit spans
    several pools: they are locked first. Read what decides in a later statement, never in this one."""
    if limits:
        await store.lock_keys(tx, limits)
    return await store.lock_pools(tx, pool_ids)


async def hold(
    tx: Tx, requests: Sequence[HoldRequest], locked: Mapping[UUID, Pool] | None = None
) -> list[bool | Refusal]:
    """Set units aside, first come, first served; requests of one order stand side by side and are granted together.

    Returns one answer a request: True, or SoldOut, LimitReached, NotStocked. `locked` are all the pools, as `lock`
    returned them in this transaction; without it they are locked here.
    """
    for request in requests:
        if not 1 <= request.quantity <= QUANTITY_MAX:
            raise Invalid(reason=f"a quantity is 1 to {QUANTITY_MAX}")
    wanted = dict.fromkeys(one.pool_id for one in requests)
    if locked is None:
        locked = await store.lock_pools(tx, wanted)
    pools = {pool_id: pool for pool_id in wanted if (pool := locked.get(pool_id))}  # by their own ids: found faster
    limited = {(one.counts_for, one.holder_id) for one in requests if one.counts_for is not None}
    taken = await store.taken(tx, limited) if limited else {}
    answers = decide(requests, pools, taken)
    granted = [one for one, answer in zip(requests, answers, strict=True) if answer is True]
    if granted:
        deltas: defaultdict[UUID, Delta] = defaultdict(Delta)
        for one in granted:
            deltas[one.pool_id].held += one.quantity
        await store.add_holds(tx, granted, pools)
        await _change(tx, Reason.held, pools, deltas)
    return answers


async def hold_all_or_none(
    tx: Tx, order_ids: Sequence[Value], holder_ids: Sequence[Value], kinds: Sequence[HoldKind]
) -> None:  # fmt: skip
    """Set units aside for all order lines, or for none of them, without locking first: for a sale from pools that are
    known to have plenty. The three columns say of each line whose it is and what it takes. No limit of a person is
    looked at.

    `tx` raises Changed when it is sent, if a pool is closed or has too few after all.
    """
    units: dict[PoolValues, int] = {}
    for kind, times in Counter(kinds).items():
        units[kind.pool] = units.get(kind.pool, 0) + times * kind.quantity
    await store.set_aside(tx, Reason.held, units)
    await store.add_holds_of(tx, order_ids, holder_ids, kinds)


async def release(tx: Tx, order_ids: Collection[UUID], *, expired: bool = False) -> set[UUID]:
    """Give the pending holds of the orders back, because they were cancelled or (`expired`) not paid in time.

    Returns the orders that had any. Units of a deal that is over go back to the general pool.
    """
    target, reason = (HoldState.expired, Reason.expired) if expired else (HoldState.voided, Reason.voided)
    pools = await store.lock_pools(tx, await store.pools_of_holds(tx, order_ids))
    moved = await store.move_holds(tx, order_ids, HoldState.pending, target)
    await _give_back(tx, reason, pools, moved, "held")
    return {hold.order_id for hold in moved}


async def take(tx: Tx, order_ids: Collection[UUID]) -> set[UUID]:
    """The orders were paid: held units become sold. Returns the orders that had pending holds."""
    pools = await store.lock_pools(tx, await store.pools_of_holds(tx, order_ids))
    moved = await store.move_holds(tx, order_ids, HoldState.pending, HoldState.posted)
    deltas: defaultdict[UUID, Delta] = defaultdict(Delta)
    for one in moved:
        deltas[one.pool_id].held -= one.quantity
        deltas[one.pool_id].sold += one.quantity
    await _change(tx, Reason.taken, pools, deltas)
    return {hold.order_id for hold in moved}


async def put_back(tx: Tx, order_ids: Collection[UUID]) -> set[UUID]:
    """Paid orders were refunded and their goods never left: sold units are on sale again."""
    pools = await store.lock_pools(tx, await store.pools_of_holds(tx, order_ids))
    moved = await store.move_holds(tx, order_ids, HoldState.posted, HoldState.voided)
    await _give_back(tx, Reason.put_back, pools, moved, "sold")
    return {hold.order_id for hold in moved}


async def _give_back(tx: Tx, reason: Reason, pools: Mapping[UUID, Pool], holds: Sequence[Hold], column: str) -> None:
    deltas: defaultdict[UUID, Delta] = defaultdict(Delta)
    for one in holds:
        pool = pools[one.pool_id]
        delta = deltas[pool.pool_id]
        setattr(delta, column, getattr(delta, column) - one.quantity)
        if pool.closed and pool.parent_id is not None:
            delta.on_hand -= one.quantity
            delta.open -= one.quantity
            deltas[pool.parent_id].on_hand += one.quantity
            deltas[pool.parent_id].open += one.quantity
    await _change(tx, reason, pools, deltas)


async def carve(tx: Tx, carves: Sequence[Carve]) -> None:
    """Set units of general pools aside, each as a pool of its own. Raises NotStocked, NotEnoughStock."""
    pools = await store.lock_pools(tx, {one.variant_id for one in carves})
    deltas: defaultdict[UUID, Delta] = defaultdict(Delta)
    for one in carves:
        if not 0 <= one.open <= one.quantity or one.quantity < 1:
            raise Invalid(reason="a quota is at least 1, and not more than the quota can be released")
        parent = pools.get(one.variant_id)
        if parent is None or parent.parent_id is not None:
            raise NotStocked
        free = parent.available + deltas[one.variant_id].open
        if one.quantity > free:
            raise NotEnoughStock(available=free, quantity=one.quantity)
        deltas[one.variant_id].on_hand -= one.quantity
        deltas[one.variant_id].open -= one.quantity
        await store.add_carved_pool(tx, one.pool_id, parent)
        pools[one.pool_id] = Pool(one.pool_id, one.variant_id, parent.seller_id, one.variant_id, False, 0, 0, 0, 0)
        deltas[one.pool_id] = Delta(on_hand=one.quantity, open=one.open)
    await _change(tx, Reason.carved, pools, deltas)


async def open_more(tx: Tx, more: Sequence[OpenMore]) -> None:
    """Put more of carved pools' units on sale. Raises NotStocked, PoolClosed, NotEnoughStock."""
    pools = await store.lock_pools(tx, {one.pool_id for one in more})
    deltas: defaultdict[UUID, Delta] = defaultdict(Delta)
    for one in more:
        pool = pools.get(one.pool_id)
        if pool is None:
            raise NotStocked
        if pool.closed:
            raise PoolClosed
        unopened = pool.on_hand - pool.open - deltas[one.pool_id].open
        if not 1 <= one.quantity <= unopened:
            raise NotEnoughStock(available=unopened, quantity=one.quantity)
        deltas[one.pool_id].open += one.quantity
    await _change(tx, Reason.opened, pools, deltas)


async def uncarve(tx: Tx, pool_ids: Collection[UUID]) -> None:
    """Close carved pools: what is neither held nor sold returns to the general pool now, held units when their hold
    ends unpaid. Closing a closed pool changes nothing."""
    known = await store.pools(tx, pool_ids)
    parents = {pool.parent_id for pool in known.values() if pool.parent_id is not None}
    pools = await store.lock_pools(tx, {*known, *parents})
    deltas: defaultdict[UUID, Delta] = defaultdict(Delta)
    closing: dict[UUID, Pool] = {}
    for pool_id in known:
        pool = pools[pool_id]
        if pool.closed or pool.parent_id is None:
            continue
        kept = pool.held + pool.sold
        rest = pool.on_hand - kept
        deltas[pool_id] = Delta(on_hand=-rest, open=kept - pool.open)
        deltas[pool.parent_id].on_hand += rest
        deltas[pool.parent_id].open += rest
        closing[pool_id] = changed(pool, Delta(), closed=True)
    if closing:
        await store.close_pools(tx, closing)
        await _change(tx, Reason.returned, {**pools, **closing}, deltas, also=closing)


async def _change(
    tx: Tx, reason: Reason, pools: Mapping[UUID, Pool], deltas: Mapping[UUID, Delta], also: Collection[UUID] = ()
) -> None:
    """The one writer of pools: numbers, movements and the event. `also` are pools to tell about even if unchanged."""
    nothing = Delta()
    deltas = {pool_id: delta for pool_id, delta in deltas.items() if delta != nothing}
    if deltas:
        await store.change(tx, reason, pools, deltas)
    after = [changed(pools[one], deltas.get(one, nothing)) for one in dict.fromkeys([*deltas, *also])]
    if after:
        await outbox.emit(tx, [stock_changed(after)])


async def repair(tx: Tx) -> list[Repair]:
    """Find every pool that drifts and set it right, safely while the market sells: the pools are locked as sales lock
    them and looked at again under the lock. Returns what was done, pool by pool, refused ones too."""
    _, _, found = await store.audited(tx)
    if not found:
        return []
    pools = await store.lock_pools(tx, {one.pool_id for one in found})
    _, drifting = await store.audits(tx, sorted(pools))
    repairs = [repaired(one) for one in drifting if one.drift_units]
    repairs += [repaired(one) for one in found if one.is_missing]
    done = [one for one in repairs if not one.refused]
    if done:
        await store.correct(tx, done, pools)
        chosen = [one.pool_id for one in done]
        await _change(tx, Reason.correction, await store.pools(tx, chosen), {}, also=chosen)
    return repairs
