"""All SQL of stock. Pools are always locked in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from livestall.base.db import Read, Row, Tx
from livestall.stock.model import Delta, Hold, HoldRequest, HoldState, OnHand, Pool, Reason, Stand

LOCK = "for no key update"
"""How pools are locked before anything is decided about them; the race tests' twins switch it off."""

_POOL = "pool_id, variant_id, seller_id, parent_id, closed, on_hand, open, held, sold"


def _pool(row: Row) -> Pool:
    return Pool(*row.values())


async def lock_keys(tx: Tx, keys: Collection[UUID]) -> None:
    """Serialise on things that have no row here (a listing whose limit spans several pools), until the end of `tx`."""
    await tx.execute(
        "select pg_advisory_xact_lock(7, k) from (select distinct hashtext(u::text) as k"
        " from unnest($1::uuid[]) as t(u) order by 1) as keys",
        list(keys),
    )


async def lock_pools(tx: Tx, pool_ids: Collection[UUID]) -> dict[UUID, Pool]:
    """Lock and read; unknown ids are missing from the answer."""
    rows = await tx.fetch(
        f"select {_POOL} from stock_pool where pool_id = any($1) order by pool_id {LOCK}", list(pool_ids)
    )
    return {row["pool_id"]: _pool(row) for row in rows}


async def lock_variants(tx: Tx, variant_ids: Collection[UUID]) -> dict[UUID, Pool]:
    """Lock every pool of the variants, carved ones too."""
    rows = await tx.fetch(
        f"select {_POOL} from stock_pool where variant_id = any($1) order by pool_id {LOCK}",
        list(variant_ids),
    )
    return {row["pool_id"]: _pool(row) for row in rows}


async def pools(read: Read, pool_ids: Collection[UUID]) -> dict[UUID, Pool]:
    rows = await read.fetch(f"select {_POOL} from stock_pool where pool_id = any($1)", list(pool_ids))
    return {row["pool_id"]: _pool(row) for row in rows}


async def add_general_pools(tx: Tx, rows: Sequence[OnHand]) -> None:
    owners = sorted({row.variant_id: row.seller_id for row in rows}.items())
    await tx.execute(
        """insert into stock_pool (pool_id, variant_id, seller_id)
           select v, v, s from unnest($1::uuid[], $2::uuid[]) as t(v, s) on conflict do nothing""",
        [variant for variant, _ in owners],
        [seller for _, seller in owners],
    )


async def add_carved_pool(tx: Tx, pool_id: UUID, parent: Pool) -> None:
    await tx.execute(
        "insert into stock_pool (pool_id, variant_id, seller_id, parent_id) values ($1, $2, $3, $4)",
        pool_id, parent.variant_id, parent.seller_id, parent.pool_id,
    )  # fmt: skip


async def close_pools(tx: Tx, pool_ids: Collection[UUID]) -> None:
    await tx.execute("update stock_pool set closed = true where pool_id = any($1)", list(pool_ids))


async def change(tx: Tx, reason: Reason, pools: Mapping[UUID, Pool], deltas: Mapping[UUID, Delta]) -> None:
    """Add `deltas` to locked pools and write one movement each."""
    ids = sorted(deltas)
    await tx.execute(
        """with moved as (
               update stock_pool p set on_hand = p.on_hand + d.on_hand, open = p.open + d.open,
                                       held = p.held + d.held, sold = p.sold + d.sold
                 from unnest($2::uuid[], $5::int[], $6::int[], $7::int[], $8::int[])
                      as d(pool_id, on_hand, open, held, sold)
                where p.pool_id = d.pool_id)
           insert into stock_movement (reason, pool_id, variant_id, seller_id, on_hand, open, held, sold)
           select $1, * from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::int[], $7::int[], $8::int[])""",
        reason.value, ids,
        [pools[one].variant_id for one in ids], [pools[one].seller_id for one in ids],
        [deltas[one].on_hand for one in ids], [deltas[one].open for one in ids],
        [deltas[one].held for one in ids], [deltas[one].sold for one in ids],
    )  # fmt: skip


async def add_holds(tx: Tx, requests: Sequence[HoldRequest], pools: Mapping[UUID, Pool]) -> None:
    found = [(one, pools[one.pool_id]) for one in requests]
    await tx.copy(
        "stock_hold",
        ("order_id", "line_no", "attempt", "seller_id", "pool_id", "variant_id", "holder_id", "counts_for",
         "quantity"),
        [
            (one.order_id, one.line_no, one.attempt, pool.seller_id, one.pool_id, pool.variant_id, one.holder_id,
             one.counts_for, one.quantity)
            for one, pool in found
        ],
    )  # fmt: skip


async def taken(read: Read, keys: Collection[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], int]:
    """Pending and posted units of each (counts_for, holder). Ask after the pools are locked, in a statement of its own:
    only then does it see what the lock's last owner committed."""
    pairs = list(keys)
    rows = await read.fetch(
        """select k.counts_for, k.holder_id,
                  (select coalesce(sum(h.quantity), 0) from stock_hold h
                    where h.counts_for = k.counts_for and h.holder_id = k.holder_id
                      and h.state in ('pending', 'posted')) as units
             from unnest($1::uuid[], $2::uuid[]) as k(counts_for, holder_id)""",
        [counts_for for counts_for, _ in pairs],
        [holder for _, holder in pairs],
    )
    return {(row["counts_for"], row["holder_id"]): row["units"] for row in rows if row["units"]}


async def pools_of_holds(read: Read, order_ids: Collection[UUID]) -> list[UUID]:
    """The pools that giving back or taking holds of these orders touches: their own and the ones they came from."""
    rows = await read.fetch(
        """select p.pool_id, p.parent_id from stock_pool p
            where p.pool_id in (select pool_id from stock_hold where order_id = any($1))""",
        list(order_ids),
    )
    return list({one for row in rows for one in row.values() if one is not None})


async def move_holds(tx: Tx, order_ids: Collection[UUID], source: HoldState, target: HoldState) -> list[Hold]:
    """Move every hold of the orders that is in `source`; returns the ones moved: whoever moves a hold owns it."""
    rows = await tx.fetch(
        """update stock_hold set state = $3 where order_id = any($1) and state = $2
           returning order_id, line_no, attempt, pool_id, quantity""",
        list(order_ids), source.value, target.value,
    )  # fmt: skip
    return [Hold(*row.values()) for row in rows]


async def add_default_warehouses(tx: Tx, seller_ids: Collection[UUID]) -> None:
    """The default warehouse has the seller's own id: two first counts at once make one warehouse."""
    await tx.execute(
        """insert into warehouse (id, seller_id, name, is_default)
           select s, s, 'Main warehouse', true from unnest($1::uuid[]) as t(s) order by s on conflict do nothing""",
        list(seller_ids),
    )


async def set_levels(tx: Tx, rows: Sequence[OnHand]) -> None:
    await tx.execute(
        """insert into stock_level (variant_id, warehouse_id, seller_id, on_hand)
           select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::int[])
           on conflict (variant_id, warehouse_id) do update set on_hand = excluded.on_hand, changed_at = now()""",
        [row.variant_id for row in rows],
        [row.warehouse_id or row.seller_id for row in rows],
        [row.seller_id for row in rows],
        [row.on_hand for row in rows],
    )


async def levels(read: Read, variant_ids: Collection[UUID]) -> dict[UUID, int]:
    """Units on all shelves of each variant."""
    rows = await read.fetch(
        "select variant_id, sum(on_hand) as units from stock_level where variant_id = any($1) group by 1",
        list(variant_ids),
    )
    return {row["variant_id"]: row["units"] for row in rows}


async def stands(read: Read, variant_ids: Collection[UUID]) -> dict[UUID, Stand]:
    rows = await read.fetch(
        """select variant_id, sum(on_hand)::int, sum(held)::int, sum(sold)::int,
                  coalesce(sum(open - held - sold) filter (where parent_id is null), 0)::int,
                  coalesce(sum(on_hand - held - sold) filter (where parent_id is not null), 0)::int
             from stock_pool where variant_id = any($1) group by variant_id""",
        list(variant_ids),
    )
    return {row["variant_id"]: Stand(*row.values()) for row in rows}


async def available(read: Read, variant_ids: Collection[UUID]) -> dict[UUID, int]:
    rows = await read.fetch(
        "select pool_id, open - held - sold as units from stock_pool where pool_id = any($1) and parent_id is null",
        list(variant_ids),
    )
    return {row["pool_id"]: row["units"] for row in rows}


async def drift(read: Read) -> int:
    """Pools whose numbers are not what their open holds and movements say; 0 or something is wrong."""
    return await read.fetchval(
        """select count(*) from stock_pool p
            left join (select pool_id, sum(quantity) filter (where state = 'pending') as held,
                              sum(quantity) filter (where state = 'posted') as sold
                         from stock_hold group by 1) h using (pool_id)
            left join (select pool_id, sum(on_hand) as on_hand, sum(open) as open, sum(held) as held, sum(sold) as sold
                         from stock_movement group by 1) m using (pool_id)
           where (p.held, p.sold) is distinct from (coalesce(h.held, 0), coalesce(h.sold, 0))
              or (p.on_hand, p.open, p.held, p.sold) is distinct from
                 (coalesce(m.on_hand, 0), coalesce(m.open, 0), coalesce(m.held, 0), coalesce(m.sold, 0))"""
    )
