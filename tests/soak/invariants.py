"""What must hold exactly at the end, read straight from the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from livestall import ledger, stock
from livestall.base.db import Database, Read


class Found(msgspec.Struct, frozen=True):
    """One invariant: its sentence, and what contradicts it (empty: it holds)."""

    name: str
    wrong: str


async def check(
    db: Database, show_id: UUID, acknowledged: Sequence[str], viewers: Collection[Any], limit: int
) -> list[Found]:
    async with db.read() as read:
        return [
            await _drift(read),
            await _oversold(read),
            await _holds(read),
            await _acknowledged(read, acknowledged),
            await _limits(read, limit),
            await _money(read),
            await _numbers(read, show_id),
            await _heard(read, show_id, viewers),
        ]


async def _drift(read: Read) -> Found:
    pools, _, wrong = await stock.audited(read)
    return Found(f"drift 0 on all {pools} pools: numbers = holds = movements", f"{wrong}" if wrong else "")


async def _oversold(read: Read) -> Found:
    wrong = await read.fetchval("select count(*) from stock_pool where held + sold > open or open > on_hand")
    return Found("no pool oversold: held + sold ≤ open ≤ on hand", f"{wrong} pools" if wrong else "")


async def _holds(read: Read) -> Found:
    rows = await read.fetch(
        """select o.id, o.state, l.quantity as wanted, h.units from orders o
            join (select order_id, sum(quantity) as quantity from order_line group by 1) l on l.order_id = o.id
            left join (select order_id, sum(quantity) filter (where state = 'pending') as pending,
                              sum(quantity) filter (where state = 'posted') as posted from stock_hold group by 1) s
                   on s.order_id = o.id
            cross join lateral (select case o.state when 'placed' then coalesce(s.pending, 0)
                                when 'paid' then coalesce(s.posted, 0) when 'completed' then coalesce(s.posted, 0)
                                else coalesce(s.pending, 0) + coalesce(s.posted, 0) end as units) h
           where h.units <> case when o.state in ('placed', 'paid', 'completed') then l.quantity else 0 end"""
    )
    return Found("holds = open and paid orders, line by line", f"{[tuple(row) for row in rows[:5]]}" if rows else "")


async def _acknowledged(read: Read, acknowledged: Sequence[str]) -> Found:
    kept = Counter(str(row["id"]) for row in await read.fetch("select id from orders"))
    lost = [one for one in acknowledged if kept[one] != 1]
    twice = [one for one, count in Counter(acknowledged).items() if count > 1]
    wrong = f"lost {lost[:5]}, twice {twice[:5]}" if lost or twice else ""
    return Found(f"every one of {len(acknowledged)} acknowledged orders exists exactly once", wrong)


async def _limits(read: Read, limit: int) -> Found:
    rows = await read.fetch(
        """select l.deal_id, o.buyer_id, sum(l.quantity) as units from orders o join order_line l on l.order_id = o.id
            where l.deal_id is not null and o.state in ('placed', 'paid', 'completed') group by 1, 2
           having sum(l.quantity) > $1""",
        limit,
    )
    return Found(f"nobody has more than {limit} of a flash sale", f"{len(rows)} people" if rows else "")


async def _money(read: Read) -> Found:
    sums = await read.fetchrow(
        """select coalesce(sum(debits_posted), 0) as debits, coalesce(sum(credits_posted), 0) as credits,
                  (select coalesce(sum(amount), 0) from ledger_transfer where phase = 'posted') as moved
             from ledger_account"""
    )
    drift = await ledger.drift(read)
    paid = await read.fetchval(
        """select count(*) from orders o where o.state in ('paid', 'completed') and o.total <>
            (select coalesce(sum(t.amount), 0) from ledger_transfer t
              where t.reference = o.id and t.kind = 'sale.seller' and t.phase = 'posted')"""
    )
    wrong = f"ledger drift {drift}, {paid} paid orders without their money" if drift or paid else ""
    return Found(
        f"debits = credits, and every paid order's money is booked once ({sums['moved'] if sums else 0} moved)", wrong
    )


async def _numbers(read: Read, show_id: UUID) -> Found:
    row = await read.fetchrow(
        "select count(*) as events, coalesce(max(seq), 0) as last from live_event where channel = $1", show_id
    )
    assert row is not None
    wrong = f"{row['events']} events, the last is {row['last']}" if row["events"] != row["last"] else ""
    return Found(f"the room's {row['events']} events are numbered without a gap", wrong)


async def _heard(read: Read, show_id: UUID, viewers: Collection[Any]) -> Found:
    last = await read.fetchval("select coalesce(max(seq), 0) from live_event where channel = $1", show_id)
    wrong = [
        f"gaps {one['gaps']}, contradictions {one['contradictions']}, at {one['seq']} of {last}"
        for one in viewers if one["gaps"] or one["contradictions"] or one["seq"] != last
    ]  # fmt: skip
    return Found(f"all {len(viewers)} viewers heard up to event {last} without a gap", "; ".join(wrong[:5]))


def enough(
    kills: Mapping[str, int], hostile: Mapping[str, int], unanswered: int, done: Mapping[str, int]
) -> list[Found]:
    """The trouble was real, and so was the evening: else the rest would hold of nothing."""
    spared = [name for name, count in kills.items() if not count]
    missing = [name for counts in (hostile, done) for name, count in counts.items() if not count]
    return [
        Found("everybody was told what became of their order", f"{unanswered} were not" if unanswered else ""),
        Found("every plane was killed at least once", ", ".join(spared)),
        Found("every kind of harm was done, and people bought, paid, and came back", ", ".join(missing)),
    ]
