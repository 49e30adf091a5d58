"""All SQL of stock. Pools are always locked in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from livestall.base import outbox
from livestall.base.columns import Value, column, columns, each, of_int, of_uuid
from livestall.base.db import Read, Row, Tx
from livestall.stock.model import (
    Audit,
    Delta,
    Hold,
    HoldKind,
    HoldRequest,
    HoldState,
    Moved,
    OnHand,
    Pool,
    PoolValues,
    Reason,
    Repair,
    Stand,
    StockChanged,
)

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


_NUMBERS = ("bigints",) * 4
_MOVEMENT = ("uuids", "uuids", "uuids", *_NUMBERS)
_ASIDE = ("uuids", "uuids", "uuids", "bigints")
OLD_SECONDS_MAX = 1.0
"""How long a sale may have waited for its pools while prices were not looked at."""
_HOLD = ("uuids", "bigints", "uuids", "uuids", "uuids", "bigints", "bigints")


async def change(tx: Tx, reason: Reason, pools: Mapping[UUID, Pool], deltas: Mapping[UUID, Delta]) -> None:
    """Add `deltas` to locked pools and write one movement each."""
    rows = [
        (
            of_uuid(pool_id), of_uuid(pool.variant_id), of_uuid(pool.seller_id), of_int(delta.on_hand),
            of_int(delta.open), of_int(delta.held), of_int(delta.sold),
        )
        for pool_id, delta in deltas.items()
        for pool in (pools[pool_id],)
    ]  # fmt: skip
    pool_ids, variant_ids, seller_ids, *numbers = columns(_MOVEMENT, rows)
    await tx.later(
        f"""update stock_pool p set on_hand = p.on_hand + d.on_hand, open = p.open + d.open,
                                   held = p.held + d.held, sold = p.sold + d.sold
             from (select {each(("uuids", *_NUMBERS))}) as d(pool_id, on_hand, open, held, sold)
            where p.pool_id = d.pool_id""",
        pool_ids, *numbers,
    )  # fmt: skip
    await tx.later(
        f"""insert into stock_movement (reason, pool_id, variant_id, seller_id, on_hand, open, held, sold)
           select $8::text, {each(_MOVEMENT)}""",
        pool_ids, variant_ids, seller_ids, *numbers, reason.value,
    )  # fmt: skip


async def set_aside(tx: Tx, reason: Reason, units: Mapping[PoolValues, int]) -> None:
    """Take units out of pools that are not locked yet, with everything else that `tx` sends together, and write one
    movement each and the event. All or nothing: `tx` raises Changed if one of them is closed or has too few."""
    rows = [(*pool, of_int(units[pool])) for pool in sorted(units)]
    ids, variant_ids, seller_ids, held = columns(_ASIDE, rows)
    await tx.must(
        f"""(select count(*) from (select pool_id, open - held - sold as available from stock_pool
                                    where pool_id = any($1::uuids) and not closed order by pool_id {LOCK}) p
              join unnest($1::uuids, $2::bigints) as w(pool_id, units) using (pool_id)
             where available >= units) = cardinality($1::uuids)
            and clock_timestamp() < statement_timestamp() + $3::float8 * interval '1 second'""",
        ids, held, OLD_SECONDS_MAX,
    )  # fmt: skip
    await tx.later(
        f"""update stock_pool p set held = p.held + d.held
             from (select {each(("uuids", "bigints"))}) as d(pool_id, held) where p.pool_id = d.pool_id
        returning p.pool_id, p.variant_id, p.parent_id, p.on_hand, p.open, p.held, p.sold,
                  case when p.closed then 0 else p.open - p.held - p.sold end as available""",
        ids, held, name="aside",
    )  # fmt: skip
    await tx.later(
        f"""insert into stock_movement (reason, on_hand, open, sold, pool_id, variant_id, seller_id, held)
           select $5::text, 0, 0, 0, {each(_ASIDE)}""",
        ids, variant_ids, seller_ids, held, reason.value,
    )  # fmt: skip
    await outbox.emit_read(
        tx, StockChanged,
        """select variant_id as subject, to_jsonb(a) - 'parent_id' || jsonb_build_object('subject', variant_id, 'also',
                  (select coalesce(jsonb_agg(jsonb_build_array(pool_id, available, parent_id is not null)), '[]')
                     from aside where pool_id <> $1)) as payload
             from aside a where pool_id = $1""",
        UUID(bytes=rows[0][0][-16:]),
    )  # fmt: skip


async def add_holds_of(
    tx: Tx, order_ids: Sequence[Value], holder_ids: Sequence[Value], kinds: Sequence[HoldKind]
) -> None:  # fmt: skip
    """Holds of which it is known what they have in common."""
    await _add_holds(tx, order_ids, holder_ids, [one.values for one in ([kinds[0]] if len({*kinds}) == 1 else kinds)])


async def add_holds(tx: Tx, requests: Sequence[HoldRequest], pools: Mapping[UUID, Pool]) -> None:
    """Holds that want the same of the same pool differ in who wants it: if all do, the rest is sent once."""
    kinds: dict[tuple[int, ...], Sequence[Value]] = {}
    alike: list[Sequence[Value]] = []
    for one in requests:
        counts_for = 0 if one.counts_for is None else one.counts_for.int
        key = one.pool_id.int, one.quantity, counts_for, one.line_no, one.attempt
        if key not in kinds:
            pool = pools[one.pool_id]
            kinds[key] = (
                of_uuid(one.pool_id), of_int(one.quantity), of_uuid(one.counts_for), of_uuid(pool.seller_id),
                of_uuid(pool.variant_id), of_int(one.line_no), of_int(one.attempt),
            )  # fmt: skip
        alike.append(kinds[key])
    order_ids, holder_ids = [of_uuid(one.order_id) for one in requests], [of_uuid(one.holder_id) for one in requests]
    await _add_holds(tx, order_ids, holder_ids, alike[:1] if len(kinds) == 1 else alike)


async def _add_holds(
    tx: Tx, order_ids: Sequence[Value], holder_ids: Sequence[Value], alike: Sequence[Sequence[Value]]
) -> None:  # fmt: skip
    """`alike` has one row for all of them, or one for each."""
    await tx.later(
        f"""insert into stock_hold (order_id, holder_id, pool_id, quantity, counts_for, seller_id, variant_id, line_no,
                                   attempt)
           select {each(("uuids", "uuids"))}, {each(_HOLD, first=3, alike=len(alike) == 1)}""",
        column("uuids", order_ids), column("uuids", holder_ids), *columns(_HOLD, alike),
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


_AUDIT = """select coalesce(p.pool_id, h.pool_id, m.pool_id) as pool_id, p.variant_id, p.seller_id,
       coalesce(p.on_hand, 0) as on_hand, coalesce(p.open, 0) as open, coalesce(p.held, 0) as held,
       coalesce(p.sold, 0) as sold, p.pool_id is null as missing,
       coalesce(h.held, 0) as open_holds, coalesce(h.orders, 0) as open_orders, coalesce(h.sold, 0) as posted_holds,
       coalesce(m.count, 0) as m_count, coalesce(m.on_hand, 0) as m_on_hand, coalesce(m.open, 0) as m_open,
       coalesce(m.held, 0) as m_held, coalesce(m.sold, 0) as m_sold"""
_HELD = """select pool_id, sum(quantity) filter (where state = 'pending') as held,
       count(*) filter (where state = 'pending') as orders, sum(quantity) filter (where state = 'posted') as sold
  from stock_hold where state in ('pending', 'posted')"""
_MOVED = """select pool_id, count(*) as count, sum(on_hand) as on_hand, sum(open) as open, sum(held) as held,
       sum(sold) as sold from stock_movement"""


def _audit(row: Row) -> Audit:
    moved = Moved(row["m_count"], row["m_on_hand"], row["m_open"], row["m_held"], row["m_sold"])
    return Audit(
        row["pool_id"], row["variant_id"] or row["pool_id"], row["seller_id"] or row["pool_id"], row["missing"],
        row["on_hand"], row["open"], row["held"], row["sold"], row["open_holds"], row["open_orders"],
        row["posted_holds"], moved,
    )  # fmt: skip


async def audits(read: Read, pool_ids: Collection[UUID]) -> tuple[datetime, list[Audit]]:
    """The pools beside their holds and movements, in the order of `pool_ids`, and the database's time. One statement:
    the numbers are of one moment, however many orders are under way. Reads these pools' rows only."""
    rows = await read.fetch(
        f"""with wanted as (select pool_id, place from unnest($1::uuid[]) with ordinality as t(pool_id, place)),
                 h as ({_HELD} and pool_id in (select pool_id from wanted) group by 1),
                 m as ({_MOVED} where pool_id in (select pool_id from wanted) group by 1)
            {_AUDIT}, clock_timestamp() as at
              from wanted w join stock_pool p using (pool_id)
              left join h using (pool_id) left join m using (pool_id) order by w.place""",
        list(pool_ids),
    )
    return (rows[0]["at"] if rows else await read.fetchval("select clock_timestamp()")), [_audit(row) for row in rows]


async def audited(read: Read) -> tuple[int, datetime, list[Audit]]:
    """How many pools there are, the database's time, and every pool that drifts (holds and movements without a pool
    are among them). Reads all holds and movements, in one statement."""
    rows = await read.fetch(
        f"""with h as ({_HELD} group by 1), m as ({_MOVED} group by 1),
                 found as ({_AUDIT} from stock_pool p full join h using (pool_id) full join m using (pool_id))
            select total.pools, clock_timestamp() as at, found.*
              from (select count(*) as pools from stock_pool) total
              left join found on missing or (held, sold) is distinct from (open_holds, posted_holds)
                or (on_hand, open, held, sold) is distinct from (m_on_hand, m_open, m_held, m_sold)
             order by found.pool_id"""
    )
    return rows[0]["pools"], rows[0]["at"], [_audit(row) for row in rows if row["pool_id"] is not None]


async def pool_ids_after(read: Read, after: UUID | None, limit: int) -> list[UUID]:
    rows = await read.fetch(
        "select pool_id from stock_pool where $1::uuid is null or pool_id > $1 order by pool_id limit $2", after, limit
    )
    return [row["pool_id"] for row in rows]


async def correct(tx: Tx, repairs: Sequence[Repair], owners: Mapping[UUID, Pool]) -> None:
    """Set locked pools to `after`. History is added to, never changed: a movement "found" says by how much the numbers
    differed from the movements, one "correction" what they were changed by."""
    await tx.execute(
        """update stock_pool p set on_hand = r.on_hand, open = r.open, held = r.held, sold = r.sold
             from unnest($1::uuid[], $2::int[], $3::int[], $4::int[], $5::int[])
                  as r(pool_id, on_hand, open, held, sold)
            where p.pool_id = r.pool_id""",
        [one.pool_id for one in repairs], *[[one.after[column] for one in repairs] for column in range(4)],
    )  # fmt: skip
    movements = [
        (reason.value, one.pool_id, one.variant_id, owners[one.pool_id].seller_id, *difference)
        for one in repairs
        for reason, new, old in ((Reason.found, one.before, one.moved), (Reason.correction, one.after, one.before))
        if any(difference := [a - b for a, b in zip(new, old, strict=True)])
    ]
    await tx.executemany(
        """insert into stock_movement (reason, pool_id, variant_id, seller_id, on_hand, open, held, sold)
           values ($1, $2, $3, $4, $5, $6, $7, $8)""",
        movements,
    )
