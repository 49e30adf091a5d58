"""All SQL of orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from uuid import UUID

import msgspec

from livestall.base.db import Read, Row, Tx
from livestall.orders.model import (
    Address,
    CancelReason,
    Line,
    OrderMinute,
    OrderMoment,
    OrderState,
    Record,
    SavedAddress,
)
from livestall.orders.model.mold import Made, Mold
from livestall.orders.model.numbers import numbers

LOCK = "for no key update"
"""How orders are locked before anything is decided about them; the race tests' twins switch it off."""

_ORDER = """id, number, seller_id, buyer_id, show_id, creator_id, state, currency, total, creator_amount, refunded,
            fingerprint, address, attempt, placed_at, expires_at, release_at, pay_started_at, paid_at,
            cancelled_at, cancel_reason"""
_LINE = """order_id, variant_id, product_id, listing_id, deal_id, quantity, unit_price, title, variant_title,
           picture_url"""
_ADDRESS = "id, recipient, phone, region, city, line1, line2, postcode, country, is_default"

Before = tuple[datetime, UUID] | None


def _record(row: Row, lines: Sequence[Line]) -> Record:
    address = None if row["address"] is None else msgspec.convert(row["address"], Address)
    fields: dict[str, Any] = {**row, "state": OrderState(row["state"]), "address": address, "lines": lines}
    return Record(**fields)


async def _with_lines(read: Read, rows: Sequence[Row]) -> list[Record]:
    if not rows:
        return []
    found = await read.fetch(
        f"select {_LINE} from order_line where order_id = any($1) order by order_id, line_no", [r["id"] for r in rows]
    )
    lines: dict[UUID, list[Line]] = {row["id"]: [] for row in rows}
    for row in found:
        order_id, *rest = row.values()
        lines[order_id].append(Line(*rest))
    return [_record(row, lines[row["id"]]) for row in rows]


async def add(tx: Tx, made: Sequence[Made]) -> None:
    """Insert orders with their lines. What is alike in the orders of a mold is sent once for all of them."""
    alike: dict[Mold, list[Made]] = {}
    for one in made:
        alike.setdefault(one.mold, []).append(one)
    in_order = [one for group in alike.values() for one in group] if len(alike) > 1 else made
    ends = list(accumulate(map(len, alike.values())))
    starts = [1, *(end + 1 for end in ends[:-1])]
    order_ids = [one.draft.order_id for one in in_order]
    await _add_orders(tx, in_order, order_ids, list(alike), starts, ends)
    await _add_lines(tx, order_ids, list(alike), starts, ends)


async def _add_orders(
    tx: Tx, made: Sequence[Made], order_ids: Sequence[UUID], molds: Sequence[Mold], starts: Sequence[int],
    ends: Sequence[int],
) -> None:  # fmt: skip
    await tx.later(
        """insert into orders (id, number, buyer_id, fingerprint, address, placed_at, expires_at, release_at, seller_id,
                               show_id, creator_id, currency, total, creator_amount)
           select o.id, o.number, o.buyer_id, o.fingerprint, o.address, $6, m.expires_at, m.expires_at, m.seller_id,
                  m.show_id, m.creator_id, m.currency, m.total, m.creator_amount
             from unnest($7::timestamptz[], $8::uuid[], $9::uuid[], $10::uuid[], $11::text[], $12::bigint[],
                         $13::bigint[], $14::int[], $15::int[])
                  as m(expires_at, seller_id, show_id, creator_id, currency, total, creator_amount, first, last),
                  unnest(($1::uuid[])[m.first:m.last], ($2::text[])[m.first:m.last], ($3::uuid[])[m.first:m.last],
                         ($4::bytea[])[m.first:m.last], ($5::jsonb[])[m.first:m.last])
                  as o(id, number, buyer_id, fingerprint, address)""",
        order_ids, [one.number for one in made], [one.draft.buyer_id for one in made],
        [one.draft.fingerprint for one in made], [one.draft.address for one in made], made[0].at,
        [made[0].at + timedelta(seconds=one.seconds) for one in molds], [one.seller_id for one in molds],
        [one.show_id for one in molds], [one.creator_id for one in molds], [one.currency for one in molds],
        [one.total for one in molds], [one.creator_amount for one in molds], starts, ends,
    )  # fmt: skip


async def _add_lines(
    tx: Tx, order_ids: Sequence[UUID], molds: Sequence[Mold], starts: Sequence[int], ends: Sequence[int]
) -> None:
    lines = [
        (number, one.seller_id, line, start, end)
        for one, start, end in zip(molds, starts, ends, strict=True)
        for number, line in enumerate(one.lines, 1)
    ]
    await tx.later(
        """insert into order_line (order_id, line_no, seller_id, variant_id, product_id, listing_id, deal_id, quantity,
                                   unit_price, title, variant_title, picture_url)
           select o.id, l.line_no, l.seller_id, l.variant_id, l.product_id, l.listing_id, l.deal_id, l.quantity,
                  l.unit_price, l.title, l.variant_title, l.picture_url
             from unnest($2::int[], $3::uuid[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::int[],
                         $9::bigint[], $10::text[], $11::text[], $12::text[], $13::int[], $14::int[])
                  as l(line_no, seller_id, variant_id, product_id, listing_id, deal_id, quantity, unit_price, title,
                       variant_title, picture_url, first, last),
                  unnest(($1::uuid[])[l.first:l.last]) as o(id)""",
        order_ids, [number for number, *_ in lines], [seller for _, seller, *_ in lines],
        [line.variant_id for _, _, line, *_ in lines], [line.product_id for _, _, line, *_ in lines],
        [line.listing_id for _, _, line, *_ in lines], [line.deal_id for _, _, line, *_ in lines],
        [line.quantity for _, _, line, *_ in lines], [line.unit_price for _, _, line, *_ in lines],
        [line.title for _, _, line, *_ in lines], [line.variant_title for _, _, line, *_ in lines],
        [line.picture_url for _, _, line, *_ in lines], [start for *_, start, _ in lines], [end for *_, end in lines],
    )  # fmt: skip


async def draw_numbers(read: Read) -> list[str]:
    """A fresh block of order numbers, without the day. Drawn for good, even if the transaction is rolled back."""
    row = await read.fetchrow("select nextval('order_number_block') as block, key from order_number_key")
    assert row is not None  # the migration made it
    return list(numbers(row["block"], row["key"]))


async def fingerprints(read: Read, order_ids: Collection[UUID]) -> dict[UUID, bytes]:
    rows = await read.fetch("select id, fingerprint from orders where id = any($1)", list(order_ids))
    return {row["id"]: row["fingerprint"] for row in rows}


async def orders(read: Read, order_ids: Collection[UUID]) -> dict[UUID, Record]:
    rows = await read.fetch(f"select {_ORDER} from orders where id = any($1)", list(order_ids))
    return {one.id: one for one in await _with_lines(read, rows)}


async def lock(tx: Tx, order_ids: Collection[UUID]) -> dict[UUID, Record]:
    """Lock in the order of ids, before any stock pool."""
    rows = await tx.fetch(f"select {_ORDER} from orders where id = any($1) order by id {LOCK}", list(order_ids))
    return {one.id: one for one in await _with_lines(tx, rows)}


async def lock_due(tx: Tx, now: datetime, limit: int) -> list[Record]:
    """Orders whose time is over, locked; those that somebody settles or cancels right now are skipped."""
    rows = await tx.fetch(
        f"""select {_ORDER} from orders where state = 'placed' and release_at <= $1
             order by release_at limit $2 {LOCK and LOCK + ' skip locked'}""",
        now, limit,
    )  # fmt: skip
    return await _with_lines(tx, rows)


async def move(
    tx: Tx, order_ids: Collection[UUID], source: OrderState, target: OrderState, *, reason: str, at: datetime,
    by_id: UUID | None = None, cancel_reason: CancelReason | None = None,
) -> set[UUID]:  # fmt: skip
    """Move those of the orders that are in `source`, write their history, and say which they were."""
    if not order_ids:
        return set()
    rows = await tx.fetch(
        """with moved as (
               update orders set state = $3,
                      paid_at = case when $3 = 'paid' then $4 else paid_at end,
                      cancelled_at = case when $3 = 'cancelled' then $4 when $3 = 'paid' then null
                                     else cancelled_at end,
                      cancel_reason = $5
                where id = any($1) and state = $2 returning id)
           insert into order_move (order_id, from_state, to_state, reason, by_id, at)
           select id, $2, $3, $6, $7, $4 from moved returning order_id""",
        list(order_ids), source.value, target.value, at, cancel_reason, reason, by_id,
    )  # fmt: skip
    return {row["order_id"] for row in rows}


async def note(tx: Tx, notes: Collection[tuple[UUID, str]], at: datetime) -> None:
    """Write what happened to orders that it did not move: (order, what). Unknown orders are passed over."""
    await tx.execute(
        """insert into order_move (order_id, from_state, to_state, reason, at)
           select o.id, o.state, o.state, n.what, $3
             from unnest($1::uuid[], $2::text[]) with ordinality as n(id, what, i)
             join orders o using (id) order by i""",
        [order_id for order_id, _ in notes], [what for _, what in notes], at,
    )  # fmt: skip


async def add_refunded(tx: Tx, amounts: Mapping[UUID, int]) -> None:
    await tx.execute(
        """update orders o set refunded = o.refunded + r.amount
             from unnest($1::uuid[], $2::bigint[]) as r(id, amount) where o.id = r.id""",
        list(amounts), list(amounts.values()),
    )  # fmt: skip


async def next_attempt(tx: Tx, order_ids: Collection[UUID]) -> None:
    await tx.execute("update orders set attempt = attempt + 1 where id = any($1)", list(order_ids))


async def start_paying(tx: Tx, order_id: UUID, at: datetime, expires_at: datetime, release_at: datetime) -> None:
    await tx.execute(
        """update orders set pay_started_at = coalesce(pay_started_at, $2), expires_at = $3, release_at = $4
            where id = $1""",
        order_id, at, expires_at, release_at,
    )  # fmt: skip


async def set_address(tx: Tx, order_id: UUID, address: Address) -> None:
    await tx.execute("update orders set address = $2 where id = $1", order_id, address)


async def history(read: Read, order_ids: Collection[UUID]) -> dict[UUID, list[OrderMoment]]:
    rows = await read.fetch(
        "select order_id, at, from_state, to_state, reason from order_move where order_id = any($1) order by id",
        list(order_ids),
    )
    found: dict[UUID, list[OrderMoment]] = {}
    for row in rows:
        what = f"{row['to_state']}:{row['reason']}"
        if row["reason"] == row["to_state"] or row["from_state"] == row["to_state"]:
            what = row["reason"]
        found.setdefault(row["order_id"], []).append(OrderMoment(row["at"], what))
    return found


async def page(read: Read, column: str, owner_id: UUID, before: Before, limit: int) -> list[Record]:
    """Orders of a buyer or a seller (`column`), the newest first."""
    assert column in {"buyer_id", "seller_id"}
    rows = await read.fetch(
        f"""select {_ORDER} from orders where {column} = $1
               and ($2::timestamptz is null or (placed_at, id) < ($2, $3::uuid))
             order by placed_at desc, id desc limit $4""",
        owner_id, *(before or (None, None)), limit,
    )  # fmt: skip
    return await _with_lines(read, rows)


async def per_minute(read: Read, show_id: UUID) -> list[OrderMinute]:
    """Minutes of a show in which something was placed or paid, in order."""
    rows = await read.fetch(
        """select at, sum(orders)::int as orders, sum(paid)::int as paid, sum(amount)::bigint as amount from (
               select date_trunc('minute', placed_at) as at, 1 as orders, 0 as paid, 0 as amount
                 from orders where show_id = $1
               union all
               select date_trunc('minute', paid_at), 0, 1, total
                 from orders where show_id = $1 and state in ('paid', 'completed')) as moments
           group by at order by at""",
        show_id,
    )
    return [OrderMinute(*row.values()) for row in rows]


async def addresses(read: Read, user_id: UUID) -> list[SavedAddress]:
    rows = await read.fetch(
        f"select {_ADDRESS} from address where user_id = $1 order by is_default desc, created_at desc", user_id
    )
    return [SavedAddress(**row) for row in rows]


async def owner_of_address(tx: Tx, address_id: UUID) -> UUID | None:
    return await tx.fetchval("select user_id from address where id = $1", address_id)


async def save_address(tx: Tx, user_id: UUID, address: SavedAddress) -> None:
    """Write the address; a default one takes that from the others of its owner."""
    if address.is_default:
        await tx.execute("update address set is_default = false where user_id = $1 and id <> $2", user_id, address.id)
    await tx.execute(
        f"""insert into address ({_ADDRESS}, user_id) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
            on conflict (id) do update set recipient = excluded.recipient, phone = excluded.phone,
                region = excluded.region, city = excluded.city, line1 = excluded.line1, line2 = excluded.line2,
                postcode = excluded.postcode, country = excluded.country, is_default = excluded.is_default
            where address.user_id = excluded.user_id""",
        address.id, address.recipient, address.phone, address.region, address.city, address.line1, address.line2,
        address.postcode, address.country, address.is_default, user_id,
    )  # fmt: skip


async def drop_address(tx: Tx, user_id: UUID, address_id: UUID) -> int:
    return await tx.execute("delete from address where id = $1 and user_id = $2", address_id, user_id)


async def lock_address_book(tx: Tx, user_id: UUID) -> None:
    await tx.execute("select pg_advisory_xact_lock(11, hashtext($1::uuid::text))", user_id)


async def pictures_shown(read: Read, addresses: Sequence[str]) -> set[str]:
    """Those of the addresses that a line of an order keeps, to show what was bought as it was then."""
    rows = await read.fetch(
        "select distinct picture_url from order_line where picture_url = any($1::text[])", list(addresses)
    )
    return {row["picture_url"] for row in rows}
