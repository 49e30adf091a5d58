"""All SQL of orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
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


_NEW_ORDER = ("id", "number", "seller_id", "buyer_id", "show_id", "creator_id", "currency", "total", "creator_amount",
              "fingerprint", "address", "placed_at", "expires_at", "release_at")  # fmt: skip
_NEW_LINE = ("order_id", "line_no", "seller_id", "variant_id", "product_id", "listing_id", "deal_id", "quantity",
             "unit_price", "title", "variant_title", "picture_url")  # fmt: skip


async def add(tx: Tx, records: Sequence[Record]) -> None:
    """Insert orders with their lines."""
    await tx.copy(
        "orders", _NEW_ORDER,
        [
            (one.id, one.number, one.seller_id, one.buyer_id, one.show_id, one.creator_id, one.currency, one.total,
             one.creator_amount, one.fingerprint, one.address, one.placed_at, one.expires_at, one.expires_at)
            for one in records
        ],
    )  # fmt: skip
    await tx.copy(
        "order_line", _NEW_LINE,
        [
            (one.id, number, one.seller_id, line.variant_id, line.product_id, line.listing_id, line.deal_id,
             line.quantity, line.unit_price, line.title, line.variant_title, line.picture_url)
            for one in records
            for number, line in enumerate(one.lines, 1)
        ],
    )  # fmt: skip


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
