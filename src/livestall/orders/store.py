"""All SQL of orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from livestall.base.columns import NULL, Value, column, columns, each, of_bytes, of_text
from livestall.base.db import Read, Row, Tx
from livestall.orders.model import CancelReason, Line, OrderMinute, OrderMoment, OrderState, Record
from livestall.orders.model.mold import Made, Mold
from livestall.orders.model.numbers import numbers
from livestall.orders.model.wishes import Address, SavedAddress

LOCK = "for no key update"
"""How orders are locked before anything is decided about them; the race tests' twins switch it off."""

_ORDER = """id, number, seller_id, buyer_id, show_id, creator_id, state, currency, total, creator_amount, refunded,
            fingerprint, address, attempt, placed_at, expires_at, release_at, pay_started_at, paid_at,
            cancelled_at, cancel_reason"""
_LINE = """order_id, variant_id, product_id, listing_id, deal_id, quantity, unit_price, title, variant_title,
           picture_url"""
_ADDRESS = "id, recipient, phone, region, city, line1, line2, postcode, country, is_default"

encode = msgspec.json.Encoder().encode
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


_UNLIKE = ("uuids", "texts", "uuids", "byteas", "texts")
_ALIKE = ("bigints", "uuids", "uuids", "uuids", "texts", "bigints", "bigints")
_LINE_ALIKE = ("bigints", *("uuids",) * 5, "bigints", "bigints", "texts", "texts", "texts")
"""The columns in which the orders of a mold differ, and those in which they and their lines are alike."""


async def add(tx: Tx, made: Sequence[Made]) -> None:
    """Insert orders with their lines. What is alike in orders that are all of one mold is sent once."""
    order_ids = [one.order_value for one in made]
    mold = made[0].mold
    only = mold if all(one.mold is mold for one in made) else None
    await _add_orders(tx, made, order_ids, only)
    await _add_lines(tx, made, order_ids, only)


async def _add_orders(tx: Tx, made: Sequence[Made], order_ids: Sequence[Value], only: Mold | None) -> None:
    drafts = [one.draft for one in made]
    unlike = (
        order_ids, [of_text(one.number) for one in made], [one.buyer_value for one in made],
        [of_bytes(one.fingerprint) for one in drafts],
        [NULL if one.address is None else of_bytes(encode(one.address)) for one in drafts],
    )  # fmt: skip
    alike = [only.values] if only is not None else [one.mold.values for one in made]
    unlike_values, alike_values = each(_UNLIKE), each(_ALIKE, first=1 + len(_UNLIKE), alike=only is not None)
    await tx.later(
        f"""insert into orders (id, number, buyer_id, fingerprint, address, placed_at, expires_at, release_at,
                                seller_id, show_id, creator_id, currency, total, creator_amount)
           select id, number, buyer_id, fingerprint, address::jsonb, $13::timestamptz,
                  $13::timestamptz + seconds * interval '1 second', $13::timestamptz + seconds * interval '1 second',
                  seller_id, show_id, creator_id, currency, total, creator_amount
             from (select {unlike_values}, {alike_values})
                  as o(id, number, buyer_id, fingerprint, address, seconds, seller_id, show_id, creator_id, currency,
                       total, creator_amount)""",
        *map(column, _UNLIKE, unlike), *columns(_ALIKE, alike), made[0].at,
    )  # fmt: skip


async def _add_lines(tx: Tx, made: Sequence[Made], order_ids: Sequence[Value], only: Mold | None) -> None:
    if only is not None and len(only.lines) == 1:
        ids, alike = order_ids, only.line_values
    else:
        ids = [one.order_value for one in made for _ in one.mold.line_values]
        alike = [values for one in made for values in one.mold.line_values]
    await tx.later(
        f"""insert into order_line (order_id, line_no, seller_id, variant_id, product_id, listing_id, deal_id, quantity,
                                   unit_price, title, variant_title, picture_url)
           select {each(("uuids",))}, {each(_LINE_ALIKE, first=2, alike=len(alike) < len(ids))}""",
        column("uuids", ids), *columns(_LINE_ALIKE, alike),
    )  # fmt: skip


async def draw_numbers(read: Read) -> list[str]:
    """A fresh block of order numbers, without the day. Drawn for good, even if the transaction is rolled back."""
    row = await read.fetchrow("select nextval('order_number_block') as block, key from order_number_key")
    assert row is not None  # the migration made it
    return list(numbers(row["block"], row["key"]))


async def fingerprints(read: Read, order_ids: Sequence[Value]) -> dict[UUID, bytes]:
    """Of the orders that there are, by id. `order_ids` are written already, each once."""
    rows = await read.fetch("select id, fingerprint from orders where id = any($1::uuids)", column("uuids", order_ids))
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
