"""The public proof that nothing is oversold: what is offered now, beside its holds and its movements.

Anyone may ask, thousands at once: an answer is kept for a second, the same question is asked of the database once, and
checks take turns, each followed by a rest of four times its own length. So the proof takes at most a fifth of one
connection, however many ask and however long a market's history is.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import asyncpg
import msgspec
from litestar import Response, get
from litestar.params import Parameter

from livestall import catalog, stock
from livestall.accounts import Actor
from livestall.base.db import Database, Read
from livestall.base.errors import Unavailable
from livestall.base.http import Who, cursor_of, may, read_cursor

POOLS = 50
KEPT_SECONDS = 1.0
REST = 4.0
KEPT_MAX = 256
CHECK_SECONDS_MAX = 5

OFFERED = """
select pool_id from (
    select d.id as pool_id, d.show_id from deal d
     where d.state in ('countdown', 'running') and ($2::uuid is null or d.id = $2)
    union all
    select v.id, l.show_id from listing l
      join product p on p.id = l.product_id and p.state = 'active'
      join variant v on v.product_id = p.id and v.removed_at is null
     where l.slot is not null and $2::uuid is null) offered
 where ($1::uuid is null or show_id = $1)
   and exists (select from show s where s.id = offered.show_id and s.state in ('live', 'interrupted'))
   and ($3::uuid is null or pool_id in (select pool_id from stock_pool where variant_id = $3))
   and ($4::uuid is null or pool_id > $4)
 group by pool_id order by pool_id limit $5"""
"""Pools that somebody can buy from in a show that is on air. $1 show, $2 deal, $3 variant, $4 after, $5 at most."""

PoolId = Annotated[UUID | None, Parameter()]


class ProofMovements(msgspec.Struct, frozen=True):
    """What all movements of a pool add up to; each equals the number of the same name of the pool."""

    count: int
    on_hand: int
    open: int
    held: int
    sold: int


class ProofPool(msgspec.Struct, frozen=True):
    """One row that is sold from: a variant's ordinary stock, or the quota of a flash sale (`deal_id`).

    `held` equals `open_holds` (units of `open_orders` orders that wait for their money), `sold` equals `posted_holds`
    (units of paid orders); `held + sold` is never more than `open`, nor `open` more than `on_hand`. `drift` is the
    units by which any of these disagree: 0.
    """

    pool_id: UUID
    variant_id: UUID
    deal_id: UUID | None
    kind: Literal["stock", "flash"]
    title: str
    variant_title: str
    picture_url: str | None
    on_hand: int
    open: int
    held: int
    sold: int
    left: int
    open_holds: int
    open_orders: int
    posted_holds: int
    movements: ProofMovements
    drift: int


class StockProof(msgspec.Struct, frozen=True):
    """A page of pools, all of one moment: `checked_at`, by the database's clock. `drift` sums up this page."""

    checked_at: datetime
    drift: int
    items: list[ProofPool]
    next: str | None = None


class Question(msgspec.Struct, frozen=True):
    show: UUID | None
    deal: UUID | None
    variant: UUID | None
    after: UUID | None


async def offered(read: Read, asked: Question) -> list[UUID]:
    """Pools that the question is about and that are on sale in a show on air; one more than a page if there are."""
    rows = await read.fetch(OFFERED, asked.show, asked.deal, asked.variant, asked.after, POOLS + 1)
    return [row["pool_id"] for row in rows]


async def of_variant(read: Read, actor: Actor, variant_id: UUID) -> list[UUID]:
    """The ordinary pool of a variant for who may see it at any time: its seller's members and the operator."""
    pool = (await stock.pools(read, [variant_id])).get(variant_id)
    theirs = pool is not None and (actor.is_operator or pool.seller_id in actor.seller_ids)
    return [variant_id] if theirs else []


async def prove(read: Read, pool_ids: Sequence[UUID]) -> StockProof:
    """The pools' numbers beside their holds and movements, of one moment."""
    shown = pool_ids[:POOLS]
    at, audits = await stock.audits(read, shown)
    names = await catalog.offers(read, list({one.variant_id for one in audits}))
    items = [_item(one, names.get(one.variant_id)) for one in audits]
    return StockProof(
        at, sum(one.drift for one in items), items, cursor_of(shown[-1]) if len(pool_ids) > POOLS else None
    )


def _item(one: stock.Audit, offer: catalog.Offer | None) -> ProofPool:
    is_deal = one.pool_id != one.variant_id
    return ProofPool(
        one.pool_id, one.variant_id, one.pool_id if is_deal else None, "flash" if is_deal else "stock",
        offer.product_title if offer else "", offer.variant_title if offer else "",
        offer.picture_url if offer else None, one.on_hand, one.open, one.held, one.sold,
        one.open - one.held - one.sold, one.open_holds, one.open_orders, one.posted_holds,
        ProofMovements(*msgspec.structs.astuple(one.moved)), one.drift_units,
    )  # fmt: skip


class Proofs:
    """Answers of the last second. Checks take turns; whoever asks meanwhile waits for the same answer."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Question, tuple[float, StockProof]] = OrderedDict()
        self._under_way: dict[Question, asyncio.Task[StockProof]] = {}
        self._turn = asyncio.Lock()
        self._rested_at = 0.0
        self.checks = 0

    async def ask(self, question: Question, check: Callable[[], Awaitable[StockProof]]) -> StockProof:
        kept = self._kept.get(question)
        if kept is not None and time.monotonic() < kept[0]:
            return kept[1]
        task = self._under_way.get(question)
        if task is None:
            if len(self._under_way) >= KEPT_MAX:
                raise Unavailable
            task = self._under_way[question] = asyncio.create_task(self._check(question, check))
            task.add_done_callback(lambda done: self._done(question, done))
        return await asyncio.shield(task)

    def _done(self, question: Question, task: asyncio.Task[StockProof]) -> None:
        self._under_way.pop(question, None)
        if not task.cancelled():
            task.exception()  # whoever asked heard it; nobody may be left by now

    async def _check(self, question: Question, check: Callable[[], Awaitable[StockProof]]) -> StockProof:
        async with self._turn:
            await asyncio.sleep(max(0.0, self._rested_at - time.monotonic()))
            began = time.monotonic()
            try:
                async with asyncio.timeout(CHECK_SECONDS_MAX):
                    proof = await check()
            except (TimeoutError, asyncpg.QueryCanceledError) as error:
                raise Unavailable from error
            self.checks += 1
            now = time.monotonic()
            self._rested_at = now + REST * (now - began)
            self._kept[question] = (max(now + KEPT_SECONDS, self._rested_at), proof)
            self._kept.move_to_end(question)
            while len(self._kept) > KEPT_MAX:
                self._kept.popitem(last=False)
        return proof


PROOFS = Proofs()


@get("/api/proof/stock", opt=may(Who.anyone), summary="Proof that nothing is oversold")
async def stock_proof(
    db: Database,
    actor: Actor,
    show: PoolId = None,
    deal: PoolId = None,
    variant: PoolId = None,
    cursor: Annotated[str | None, Parameter(max_length=500)] = None,
) -> Response[StockProof]:
    """What is offered in shows on air: per pool on hand, held, sold, the sums of holds and movements, and the drift.

    `?show=`, `?deal=` and `?variant=` narrow it. A variant that is not on sale in a show now answers only to its
    seller and the operator; to others it is as if there were none.
    """
    after: UUID | None = read_cursor(cursor, (UUID,))[0] if cursor else None
    question = Question(show, deal, variant, after)

    async def check() -> StockProof:
        async with db.read() as read:
            return await prove(read, await offered(read, question))

    proof = await PROOFS.ask(question, check)
    if proof.items or variant is None or not (actor.is_operator or actor.seller_ids):
        return Response(proof, headers={"Cache-Control": "public, max-age=1"})
    async with db.read() as read:
        proof = await prove(read, await of_variant(read, actor, variant))
    return Response(proof, headers={"Cache-Control": "private, no-store"})


ROUTES = [stock_proof]
