"""Stock: words and rules. A pool is the row that is held from; a hold sets units aside for one order line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from uuid import UUID

import msgspec

from livestall.base.columns import Value, of_int, of_uuid
from livestall.base.errors import Conflict, Invalid, NotFound, Refusal
from livestall.base.outbox import Event

ON_HAND_MAX = 10**9
QUANTITY_MAX = 999


class SoldOut(Conflict):
    code = "sold-out"
    en = "Sold out: {left} left, {quantity} asked for. Units come back when someone does not pay in time."
    zh = "已售罄：剩余 {left} 件，您需要 {quantity} 件。若有人未按时付款，库存会重新释放。"


class LimitReached(Conflict):
    code = "limit-reached"
    en = "Each person may buy {limit} of this, and you have {taken} already."
    zh = "每人限购 {limit} 件，您已购买 {taken} 件。"


class NotStocked(NotFound):
    code = "not-for-sale"
    en = "This article is not for sale. Reload the page and choose again."
    zh = "该商品当前不在售，请刷新页面后重新选择。"


class BelowPromised(Conflict):
    code = "stock-below-promised"
    en = "{promised} units are sold, held or set aside for a flash sale: on hand cannot be {on_hand}."
    zh = "已有 {promised} 件被售出、预占或划给秒杀，现有库存不能设为 {on_hand}。"


class NotEnoughStock(Conflict):
    code = "not-enough-stock"
    en = "Only {available} units are free, {quantity} asked for. Set more stock or choose a smaller number."
    zh = "可用库存仅 {available} 件，需要 {quantity} 件。请增加库存或减少数量。"


class PoolClosed(Conflict):
    code = "pool-closed"
    en = "The quota was already returned: nothing can be added to it."
    zh = "名额已归还，无法继续追加。"


class Reason(StrEnum):
    """Why a pool's numbers changed; one movement row a pool and verb."""

    received = "received"  # a person or an import set what is on hand
    carved = "carved"  # units were set aside for a deal
    returned = "returned"  # a deal gave back what it did not sell
    opened = "opened"  # more of a pool's units may be sold
    held = "held"  # orders were placed
    voided = "voided"  # orders were cancelled
    expired = "expired"  # orders were not paid in time
    taken = "taken"  # orders were paid
    put_back = "put-back"  # paid orders were refunded and the units are on sale again
    found = "found"  # a check: the pool's numbers were not what its movements say; this is the difference
    correction = "correction"  # a repair: the numbers are what holds and movements say again


class HoldState(StrEnum):
    pending = "pending"  # set aside, not paid
    posted = "posted"  # paid: sold
    voided = "voided"  # given back by a person or after a refund
    expired = "expired"  # given back by time


class OnHand(msgspec.Struct, frozen=True):
    """`on_hand` units of a variant in a warehouse, counted; None: the seller's default warehouse."""

    variant_id: UUID
    seller_id: UUID
    on_hand: int
    warehouse_id: UUID | None = None


class Carve(msgspec.Struct, frozen=True):
    """Set `quantity` units of `variant_id` aside as pool `pool_id`, `open` of them on sale at once."""

    pool_id: UUID
    variant_id: UUID
    quantity: int
    open: int


class OpenMore(msgspec.Struct, frozen=True):
    pool_id: UUID
    quantity: int


class HoldRequest(msgspec.Struct, frozen=True):
    """One order line that wants `quantity` units of a pool. All requests of one order are granted or none.

    With `limit`, the holder may have at most so many pending or posted units that count for `counts_for` (a deal or a
    listing). `attempt` tells a second hold of the same line (money that came late) from the first.
    """

    order_id: UUID
    line_no: int
    pool_id: UUID
    holder_id: UUID
    quantity: int
    counts_for: UUID | None = None
    limit: int | None = None
    attempt: int = 1


PoolValues = tuple[Value, Value, Value]
"""How a pool is named in what is written: its id, its variant, its seller."""


class HoldKind(msgspec.Struct, frozen=True, eq=False):
    """What holds have in common that take as many units of the same pool, for the same line of their orders. One kind
    equals no other: it is made once and used for all of them."""

    quantity: int
    pool: PoolValues
    values: Sequence[Value]
    """All that the store writes of such a hold, but whose it is."""


class Pool(msgspec.Struct, frozen=True):
    """Numbers of a pool: held + sold ≤ open ≤ on_hand, always."""

    pool_id: UUID
    variant_id: UUID
    seller_id: UUID
    parent_id: UUID | None
    closed: bool
    on_hand: int
    open: int
    held: int
    sold: int

    @property
    def available(self) -> int:
        return 0 if self.closed else self.open - self.held - self.sold


def hold_kind(pool: Pool, line_no: int, quantity: int) -> HoldKind:
    """Of holds that count for nobody's limit. Raises Invalid."""
    if not 1 <= quantity <= QUANTITY_MAX:
        raise Invalid(reason=f"a quantity is 1 to {QUANTITY_MAX}")
    pool_id, variant_id, seller_id = of_uuid(pool.pool_id), of_uuid(pool.variant_id), of_uuid(pool.seller_id)
    values = pool_id, of_int(quantity), of_uuid(None), seller_id, variant_id, of_int(line_no), of_int(1)
    return HoldKind(quantity, (pool_id, variant_id, seller_id), values)


class Delta(msgspec.Struct):
    """What a verb adds to a pool's numbers."""

    on_hand: int = 0
    open: int = 0
    held: int = 0
    sold: int = 0


class Hold(msgspec.Struct, frozen=True):
    order_id: UUID
    line_no: int
    attempt: int
    pool_id: UUID
    quantity: int


class Stand(msgspec.Struct, frozen=True):
    """All pools of one variant together, as the seller sees them. `on_hand` holds sold units that have not left;
    `in_deals` is what is set aside for flash sales and neither held nor sold."""

    variant_id: UUID
    on_hand: int
    held: int
    sold: int
    available: int
    in_deals: int


class PoolLeft(msgspec.Struct, frozen=True, array_like=True):
    """What is on sale in a pool: carved out for a deal, or the general one of the variant with the same id."""

    pool_id: UUID
    available: int
    is_carved: bool


class StockChanged(Event, frozen=True, kw_only=True):
    """The numbers of a pool after a batch: totals, never deltas. The subject is the variant.

    One event a batch, because a rush changes hundreds of pools at once: `also` are the others.
    """

    topic = "stock.changed"
    pool_id: UUID
    variant_id: UUID
    on_hand: int
    open: int
    held: int
    sold: int
    available: int
    also: Sequence[PoolLeft] = ()

    @property
    def pools(self) -> list[PoolLeft]:
        """All pools that changed."""
        return [PoolLeft(self.pool_id, self.available, self.pool_id != self.variant_id), *self.also]


def stock_changed(pools: Sequence[Pool]) -> StockChanged:
    """The event of pools (at least one), given as they are after the batch."""
    first = pools[0]
    return StockChanged(
        subject=first.variant_id, pool_id=first.pool_id, variant_id=first.variant_id, on_hand=first.on_hand,
        open=first.open, held=first.held, sold=first.sold, available=first.available,
        also=[PoolLeft(one.pool_id, one.available, one.parent_id is not None) for one in pools[1:]],
    )  # fmt: skip


def changed(pool: Pool, delta: Delta, *, closed: bool | None = None) -> Pool:
    """The pool with the delta applied."""
    return Pool(
        pool.pool_id, pool.variant_id, pool.seller_id, pool.parent_id, pool.closed if closed is None else closed,
        pool.on_hand + delta.on_hand, pool.open + delta.open, pool.held + delta.held, pool.sold + delta.sold,
    )  # fmt: skip


def decide(
    requests: Sequence[HoldRequest], pools: Mapping[UUID, Pool], taken: Mapping[tuple[UUID, UUID], int]
) -> list[bool | Refusal]:
    """First come, first served, order by order: an order that does not fit takes nothing, so smaller ones behind it
    still find their units. `taken` is what each (counts_for, holder) has already."""
    left = {pool_id: pool.available for pool_id, pool in pools.items()}
    counted = dict(taken)
    answers: list[bool | Refusal] = []
    start = 0
    total = len(requests)
    while start < total:
        order_id = requests[start].order_id
        end = start + 1
        while end < total and requests[end].order_id == order_id:
            end += 1
        lines = requests[start:end]
        refusal = _fits(lines, left, counted)
        answers += [True if refusal is None else refusal] * (end - start)
        start = end
    return answers


def _fits(lines: Sequence[HoldRequest], left: dict[UUID, int], counted: dict[tuple[UUID, UUID], int]) -> Refusal | None:
    """Take the lines' units out of `left` and into `counted`, or leave both as they were and say why not."""
    for number, line in enumerate(lines):
        refusal = _take(line, left, counted)
        if refusal is not None:
            for done in lines[:number]:
                left[done.pool_id] += done.quantity
                if done.counts_for is not None:
                    counted[done.counts_for, done.holder_id] -= done.quantity
            return refusal
    return None


def _take(line: HoldRequest, left: dict[UUID, int], counted: dict[tuple[UUID, UUID], int]) -> Refusal | None:
    free = left.get(line.pool_id)
    if free is None:
        return NotStocked()
    key = None if line.counts_for is None else (line.counts_for, line.holder_id)
    had = counted.get(key, 0) if key else 0
    if line.limit is not None and had + line.quantity > line.limit:
        return LimitReached(limit=line.limit, taken=had)
    if line.quantity > free:
        return SoldOut(left=free, quantity=line.quantity)
    left[line.pool_id] = free - line.quantity
    if key:
        counted[key] = had + line.quantity
    return None


class Audit(msgspec.Struct, frozen=True):
    """A pool's numbers beside what its holds and its movements add up to, all of one moment.

    `open_holds` and `posted_holds` are units of orders that wait for their money, and of paid ones. With `is_missing`
    there are holds or movements of a pool that does not exist.
    """

    pool_id: UUID
    variant_id: UUID
    seller_id: UUID
    is_missing: bool
    on_hand: int
    open: int
    held: int
    sold: int
    open_holds: int
    open_orders: int
    posted_holds: int
    moved: Moved

    @property
    def drift_units(self) -> int:
        """Units by which the pool disagrees with its holds or its movements; 0, or something is wrong."""
        moved = self.moved
        of_holds = (self.held - self.open_holds, self.sold - self.posted_holds)
        of_moves = (
            self.on_hand - moved.on_hand, self.open - moved.open, self.held - moved.held, self.sold - moved.sold
        )  # fmt: skip
        return max(sum(map(abs, of_holds)), sum(map(abs, of_moves)))


class Moved(msgspec.Struct, frozen=True):
    """The sums of a pool's movements, and how many there are."""

    count: int
    on_hand: int
    open: int
    held: int
    sold: int


class Repair(msgspec.Struct, frozen=True):
    """What was done about one pool that drifted: `before` and `after` are (on_hand, open, held, sold), and `refused`
    says why nothing was done."""

    pool_id: UUID
    variant_id: UUID
    before: tuple[int, int, int, int]
    after: tuple[int, int, int, int]
    moved: tuple[int, int, int, int]
    refused: str = ""


def repaired(audit: Audit) -> Repair:
    """What a repair makes of the pool: on hand and open as the movements say, held and sold as the holds say. Refused
    where that would promise more than there is: then somebody has to count, and decide which order to cancel."""
    moved = audit.moved
    before = (audit.on_hand, audit.open, audit.held, audit.sold)
    after = (moved.on_hand, moved.open, audit.open_holds, audit.posted_holds)
    on_hand, open_units, held, sold = after
    refused = ""
    if audit.is_missing:
        refused = "there is no such pool: its holds and movements are left over, and no number can be set right"
    elif held + sold > open_units:
        refused = (
            f"{held} held and {sold} sold units are more than the {open_units} that the movements put on sale: "
            "count the shelf, receive what is there, or cancel orders, then check again"
        )
    elif open_units > on_hand or min(after) < 0:
        refused = f"the movements say {open_units} on sale of {on_hand} on hand: count the shelf and receive it anew"
    sums = (moved.on_hand, moved.open, moved.held, moved.sold)
    return Repair(audit.pool_id, audit.variant_id, before, before if refused else after, sums, refused)
