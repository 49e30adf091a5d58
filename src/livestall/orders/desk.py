"""A counter's desk: what it keeps from batch to batch, and how it prepares one before its turn."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from uuid import UUID

from livestall import accounts, payments, stock
from livestall.base import clock
from livestall.base.columns import Value, of_uuid
from livestall.base.db import Read, Tx
from livestall.base.errors import Refusal
from livestall.base.together import at_once
from livestall.orders import model, pricing, store
from livestall.orders.model import Order, Record
from livestall.orders.model.mold import Mold
from livestall.orders.model.wishes import Draft
from livestall.orders.straight import Depends, Straight, Terms

NAMES_SECONDS, NAMES_MAX = 2.0, 1000
"""How old the name of a creator or of the market may be in the answer to a buyer."""

SHORT_SECONDS, SHORT_MAX = 2.0, 10_000
"""For how long a pool that had too little is looked at without locks first."""


class Names:
    """Who is behind the ids of some orders."""

    def __init__(
        self, sellers: Mapping[UUID, accounts.Seller], creators: Mapping[UUID, accounts.Creator], market: str
    ) -> None:
        self.sellers, self.creators, self.market = sellers, creators, market

    def of(self, seller_id: UUID, creator_id: UUID | None) -> tuple[str, str, str]:
        """The names of a seller, a creator ("" if none) and the market."""
        seller = self.sellers.get(seller_id)
        creator = self.creators.get(creator_id) if creator_id else None
        return seller.name if seller else "", creator.name if creator else "", self.market

    def view(
        self, record: Record, payment: payments.OrderPayment | None = None, history: Sequence[model.OrderMoment] = ()
    ) -> Order:
        return model.view(record, *self.of(record.seller_id, record.creator_id), payment, history)


async def names_of(read: Read, sellers: Mapping[UUID, accounts.Seller], creator_ids: Collection[UUID]) -> Names:
    creators = await accounts.creators(read, creator_ids) if creator_ids else {}
    market = await accounts.market(read)
    return Names(sellers, creators, market.name)


PLENTY = 4
"""A pool has plenty if it had this many times the units wanted when it was seen last, less what was sold since."""

CAREFUL_SECONDS = 1.0
"""For how long batches are decided under locks after one that could do without them had to be decided again."""


class Desk:
    """What a counter keeps from batch to batch: order numbers drawn in advance, what things cost and are called, and
    which pools had plenty, or too little."""

    def __init__(self) -> None:
        self._numbers: list[str] = []
        self.book = pricing.Book()
        self._molds: dict[bytes, Mold] = {}
        self._terms: dict[bytes, Terms] = {}
        self._molds_of: tuple[int, Mapping[UUID, accounts.Creator], str] | None = None
        self._names: tuple[float, set[UUID], Names] | None = None
        self._short: dict[UUID, float] = {}
        self._pools: dict[UUID, stock.Pool] = {}
        """Pools as they were seen last: whose they are stays true, their numbers do not."""
        self._room: dict[int, int] = {}
        """Units that pools had when they were seen last, less what was sold since; by the numbers of their ids."""
        self._careful_until = 0.0

    async def fill(self, read: Read, count: int) -> bool:
        """See to it that `count` numbers are there. True if they were not."""
        is_short = len(self._numbers) < count
        while len(self._numbers) < count:
            self._numbers += await store.draw_numbers(read)
        return is_short

    async def numbers(self, tx: Tx, count: int) -> list[str]:
        await self.fill(tx, count)
        return self._draw(count)

    def _draw(self, count: int) -> list[str]:
        self._numbers, taken = self._numbers[count:], self._numbers[:count]
        return taken

    def known_names(self, prices: pricing.Prices) -> Names | None:
        """Of sellers as in `prices`, of creators and the market as of NAMES_SECONDS ago at most; None if that is not
        known."""
        kept = self._names
        if kept is None or time.monotonic() - kept[0] > NAMES_SECONDS:
            return None
        if not {one.creator_id for one in prices.shows.values()} <= kept[1]:
            return None
        return Names(prices.sellers, kept[2].creators, kept[2].market)

    async def names(self, read: Read, prices: pricing.Prices) -> Names:
        """`known_names`, or looked up."""
        known = self.known_names(prices)
        if known is not None:
            return known
        creator_ids = {one.creator_id for one in prices.shows.values()}
        now, kept = time.monotonic(), self._names
        creator_ids |= set() if kept is None or len(kept[1]) > NAMES_MAX else kept[1]
        found = await names_of(read, {}, creator_ids)
        if kept is not None and (found.creators, found.market) == (kept[2].creators, kept[2].market):
            found = kept[2]
        self._names = now, creator_ids, found
        return Names(prices.sellers, found.creators, found.market)

    def molds(self, prices: pricing.Prices, names: Names) -> dict[bytes, Mold]:
        """The molds that were cast at just these prices and names, to be added to."""
        if prices.claims or prices.version != self.book.version:
            return {}
        of = self._molds_of
        same = of is not None and of[0] == prices.version and of[1] is names.creators and of[2] == names.market
        if not same or len(self._molds) > pricing.ENTRIES_MAX:
            self._molds_of, self._molds, self._terms = (prices.version, names.creators, names.market), {}, {}
        return self._molds

    def _molds_hold(self) -> bool:
        """Whether the molds are cast at what the book says, and at names that are not too old."""
        of, names = self._molds_of, self._names
        if of is None or names is None or time.monotonic() - names[0] > NAMES_SECONDS:
            return False
        return of[0] == self.book.version and of[1] is names[2].creators and of[2] == names[2].market

    def _learn(self, wish: bytes) -> Terms | None:
        """The terms of a wish, if there is a mold for it, nobody's limit counts and its pools were seen."""
        mold = self._molds.get(wish)
        if mold is None or not mold.is_free:
            return None
        pools = [self._pools.get(line.pool_id) for line in mold.lines]
        depends = pricing.depends(mold, self.book)
        known = [one for one in pools if one is not None]
        if depends is None or len(known) < len(pools):
            return None
        terms = self._terms[wish] = Terms(mold, known, depends)
        return terms

    def saw(self, pools: Mapping[UUID, stock.Pool]) -> None:
        """These pools have, or had a moment ago, what they say."""
        if len(self._pools) > pricing.ENTRIES_MAX:
            self._pools.clear()
            self._room.clear()
        self._pools.update(pools)
        self._room.update((pool_id.int, pool.available) for pool_id, pool in pools.items())

    async def look_at(self, read: Read, pool_ids: Collection[UUID]) -> None:
        """See what those pools have that nobody saw yet, without locking them: like all that a desk keeps, it only says
        which way to go."""
        unseen = [one for one in pool_ids if one.int not in self._room]
        if unseen and time.monotonic() >= self._careful_until:
            self._room.update((one.int, 0) for one in unseen)
            self.saw(await stock.pools(read, unseen))

    def be_careful(self) -> None:
        """Something was not as it seemed: decide under locks for a while, and look at everything again."""
        self._room.clear()
        self._careful_until = time.monotonic() + CAREFUL_SECONDS

    def straight(self, drafts: Sequence[Draft]) -> Straight | None:
        """The batch, if it needs no decision under locks: everything wanted is for sale, without limits for a person
        and with plenty of units, as far as the batches before saw. Then its numbers are drawn and its units counted as
        sold. Nothing is asked for this."""
        count, terms = len(drafts), self._terms
        if len(self._numbers) < count or time.monotonic() < self._careful_until or not self._molds_hold():
            return None
        first = terms.get(drafts[0].wish)
        if first and any(self._room.get(pool, 0) < PLENTY * quantity for pool, quantity in first.units):
            return None  # in a rush for the last units: seen at once
        every: list[Terms] = []
        for one in drafts:
            its = terms.get(one.wish) or self._learn(one.wish)
            if its is None:
                return None
            every.append(its)
        if len({one.order_id.int for one in drafts}) < count:
            return None
        units: dict[int, int] = {}
        depends: Depends = {}, {}, {}, {}
        for its, times in Counter(every).items():
            for pool, quantity in its.units:
                units[pool] = units.get(pool, 0) + times * quantity
            for page, entries in zip(depends, its.depends, strict=True):
                page.update(entries)
        room = self._room
        if any(room.get(pool, 0) < PLENTY * wanted for pool, wanted in units.items()):
            return None
        for pool, wanted in units.items():
            room[pool] -= wanted
        return Straight(drafts, every, depends, self._draw(count))

    def was_short(self, pool_id: UUID) -> None:
        """A claim just found too little in this pool."""
        if len(self._short) > SHORT_MAX:
            self._short.clear()
        self._short[pool_id] = time.monotonic() + SHORT_SECONDS

    def short(self, pool_ids: Collection[UUID]) -> list[UUID]:
        """The pools among these that had too little a moment ago; only a hint where to look."""
        now = time.monotonic()
        return [one for one in pool_ids if self._short.get(one, 0) > now] if self._short else []


class Ready:
    """A batch of drafts, priced before any lock: for each the mold of the order it would become, or the refusal."""

    def __init__(self, drafts: Sequence[Draft], prices: pricing.Prices, names: Names, desk: Desk) -> None:
        self.drafts, self.prices, self.names, self.desk = drafts, prices, names, desk
        self.locked = asyncio.Event()
        self.early: Mapping[int, stock.SoldOut] = {}
        """Claims answered already, by their place among those that came; `drafts` are the others."""
        self.wishes = dict(zip((one.wish for one in drafts), drafts, strict=True))
        """Of each wish, one who has it."""
        self.at = clock.now()
        self.molds: dict[bytes, Mold | Refusal] = {}
        self.price()

    @cached_property
    def firsts(self) -> dict[UUID, int]:
        """Of each id, the place of its first draft: of a double click, the first counts."""
        firsts: dict[UUID, int] = {}
        for place, one in enumerate(self.drafts):
            firsts.setdefault(one.order_id, place)
        return firsts

    def price(self) -> None:
        """Say of each wish what it would become at the prices of now."""
        self.at = clock.now()
        self.molds = {}
        kept = self.desk.molds(self.prices, self.names)
        for wish, one in self.wishes.items():
            mold = kept.get(wish) or self._mold(one)
            self.molds[wish] = mold
            if isinstance(mold, Mold):
                kept[wish] = mold

    def _mold(self, draft: Draft) -> Mold | Refusal:
        try:
            mold = pricing.mold(draft, self.prices)
        except Refusal as refusal:
            return refusal
        mold.seller, mold.creator, mold.market = self.names.of(mold.seller_id, mold.creator_id)
        return mold


Prepared = Ready | Straight
"""A batch whose turn may come: to be decided, or decided already."""


async def prepare(read: Read, drafts: Sequence[Draft], desk: Desk) -> Prepared:
    """All of `place` that needs no lock, for a batch whose turn has not come: reads and arithmetic. Claims on a pool
    that has just been found short may be answered here, see `_early`."""
    if await desk.fill(read, len(drafts)) and (straight := desk.straight(drafts)):
        return straight
    ready = await price(read, drafts, desk)
    short = desk.short(ready.prices.pool_ids)
    if not short:
        await desk.look_at(read, ready.prices.pool_ids)
        return desk.straight(drafts) or ready
    early = await _early(read, ready, short)
    if early:
        others = [one for place, one in enumerate(drafts) if place not in early]
        ready = Ready(others, ready.prices, ready.names, desk)
        ready.early = early
    return ready


async def price(read: Read, drafts: Sequence[Draft], desk: Desk) -> Ready:
    """A batch that will be decided under locks, at the prices of now."""
    await desk.fill(read, len(drafts))
    prices = await pricing.look(read, drafts, desk.book)
    return Ready(drafts, prices, await desk.names(read, prices), desk)


async def nothing_left(
    read: Read, wishes: Mapping[bytes, Draft], order_ids: Sequence[Value], desk: Desk
) -> tuple[Mapping[bytes, stock.SoldOut], Collection[UUID]]:  # fmt: skip
    """The wishes (of each, one who has it) for which there is too little now, and which of the ids came before."""
    drafts = list(wishes.values())
    prices = await pricing.look(read, drafts, desk.book)
    ready = Ready(drafts, prices, await desk.names(read, prices), desk)
    return await _too_little(read, ready, prices.pool_ids, order_ids)


async def _too_little(
    read: Read, ready: Ready, pool_ids: Collection[UUID], order_ids: Sequence[Value]
) -> tuple[Mapping[bytes, stock.SoldOut], Collection[UUID]]:  # fmt: skip
    """Both are seen at the same moment, after the claims arrived: for a wish that finds too little then, with an id
    that is new, nothing was left, so no lock is needed to say so. Pools and ids are read by one statement: an id is
    never seen as new beside a pool from which its own order has been taken."""
    known: dict[UUID, bytes]
    pools: dict[UUID, stock.Pool]
    pools, known = await at_once(
        read, lambda r: stock.pools(r, pool_ids), lambda r: store.fingerprints(r, order_ids)
    )  # fmt: skip
    verdicts: dict[bytes, stock.SoldOut] = {}
    for wish, one in ready.wishes.items():
        lines = () if isinstance(ready.molds[wish], Refusal) else one.lines
        for line in lines:
            pool = pools.get(line.pool_id)
            if pool is not None and line.quantity > pool.available:
                verdicts[wish] = stock.SoldOut(left=pool.available, quantity=line.quantity)
                ready.desk.was_short(line.pool_id)
                break
    return verdicts, known


async def _early(read: Read, ready: Ready, short: Collection[UUID]) -> dict[int, stock.SoldOut]:
    """The claims that find too little and came for the first time."""
    order_ids = [of_uuid(one.order_id) for one in ready.drafts]
    if len(set(order_ids)) < len(order_ids):
        return {}
    verdicts, known = await _too_little(read, ready, short, order_ids)
    early: dict[int, stock.SoldOut] = {}
    for place, one in enumerate(ready.drafts):
        verdict = verdicts.get(one.wish)
        if verdict is not None and not (known and one.order_id in known):
            early[place] = verdict
    return early
