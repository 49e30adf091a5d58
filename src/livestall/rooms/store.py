"""SQL of shows, trays, pins and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from livestall.base.db import Read, Row, Tx
from livestall.rooms.model import Listing, Pin, Role, ShowRecord, ShowState, Standing

SHOW = ", ".join(ShowRecord.__struct_fields__)


def _show(row: Row) -> ShowRecord:
    return msgspec.convert(dict(row), ShowRecord, from_attributes=False)


async def show(read: Read, show_id: UUID) -> ShowRecord | None:
    row = await read.fetchrow(f"select {SHOW} from show where id = $1", show_id)
    return None if row is None else _show(row)


async def shows(read: Read, show_ids: Sequence[UUID]) -> dict[UUID, ShowRecord]:
    rows = await read.fetch(f"select {SHOW} from show where id = any($1)", list(show_ids))
    return {row["id"]: _show(row) for row in rows}


async def standings(read: Read, show_ids: Sequence[UUID]) -> dict[UUID, Standing]:
    rows = await read.fetch("select id, state, creator_id from show where id = any($1)", list(show_ids))
    return {row["id"]: Standing(row["id"], ShowState(row["state"]), row["creator_id"]) for row in rows}


async def lock_show(tx: Tx, show_id: UUID) -> ShowRecord | None:
    """The show, its row locked until `tx` ends: everything that changes a show goes through here."""
    row = await tx.fetchrow(f"select {SHOW} from show where id = $1 for no key update", show_id)
    return None if row is None else _show(row)


async def page(
    read: Read, *, states: Sequence[ShowState] | None, creator_ids: Sequence[UUID] | None, host_or_staff: UUID | None,
    before: tuple[datetime, UUID] | None, limit: int,
) -> list[tuple[datetime, ShowRecord]]:  # fmt: skip
    """Shows, the newest first, each with the time it is sorted by."""
    rows = await read.fetch(
        f"""select {SHOW}, coalesce(started_at, planned_at, created_at) as sort_at from show
             where ($1::text[] is null or state = any($1))
               and ($2::uuid[] is null or creator_id = any($2))
               and ($3::uuid is null or host_id = $3
                    or id in (select show_id from show_staff where user_id = $3))
               and ($4::timestamptz is null or (coalesce(started_at, planned_at, created_at), id) < ($4, $5))
             order by coalesce(started_at, planned_at, created_at) desc, id desc limit $6""",
        None if states is None else [state.value for state in states], creator_ids, host_or_staff,
        before and before[0], before and before[1], limit,
    )  # fmt: skip
    return [(row["sort_at"], _show({k: v for k, v in row.items() if k != "sort_at"})) for row in rows]


async def open_room(tx: Tx, room_id: UUID, creator_id: UUID) -> UUID:
    """The room of the creator, made now if there is none."""
    await tx.execute(
        "insert into room (id, creator_id) values ($1, $2) on conflict (creator_id) do nothing", room_id, creator_id
    )
    return await tx.fetchval("select id from room where creator_id = $1", creator_id)


async def insert_show(tx: Tx, fields: Mapping[str, Any]) -> bool:
    """True if the row is new, False if a show with this id exists."""
    names = list(fields)
    places = ", ".join(f"${n}" for n in range(1, len(names) + 1))
    return bool(
        await tx.execute(
            f"insert into show ({', '.join(names)}) values ({places}) on conflict (id) do nothing",
            *fields.values(),
        )
    )


async def update_show(tx: Tx, show_id: UUID, fields: Mapping[str, Any]) -> ShowRecord:
    """Set `fields` of a show that the caller has locked."""
    sets = ", ".join(f"{name} = ${n}" for n, name in enumerate(fields, start=2))
    row = await tx.fetchrow(f"update show set {sets} where id = $1 returning {SHOW}", show_id, *fields.values())
    return _show(row)


async def write_move(
    tx: Tx, show_id: UUID, was: ShowState, becomes: ShowState, at: datetime, by_id: UUID | None, reason: str
) -> None:
    await tx.execute(
        """insert into show_move (show_id, from_state, to_state, at, by_id, reason)
           values ($1, $2, $3, $4, $5, $6)""",
        show_id, was.value, becomes.value, at, by_id, reason,
    )  # fmt: skip


async def moves(read: Read, show_id: UUID) -> list[tuple[ShowState, ShowState]]:
    rows = await read.fetch("select from_state, to_state from show_move where show_id = $1 order by id", show_id)
    return [(ShowState(row["from_state"]), ShowState(row["to_state"])) for row in rows]


async def planned_count(read: Read, creator_id: UUID) -> int:
    return await read.fetchval(
        "select count(*) from show where creator_id = $1 and state not in ('ended', 'replay', 'purged')", creator_id
    )


async def past_grace(tx: Tx, now: datetime, limit: int) -> list[UUID]:
    """Interrupted shows whose grace is over, their rows locked."""
    rows = await tx.fetch(
        """select id from show where state = 'interrupted' and grace_until <= $1
            order by grace_until limit $2 for no key update skip locked""",
        now, limit,
    )  # fmt: skip
    return [row["id"] for row in rows]


async def role(read: Read, show_id: UUID, user_id: UUID) -> Role | None:
    text = await read.fetchval(
        """select case when s.host_id = $2 then 'host' else t.role end
             from show s left join show_staff t on t.show_id = s.id and t.user_id = $2 where s.id = $1""",
        show_id, user_id,
    )  # fmt: skip
    return None if text is None else Role(text)


async def roles(read: Read, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], Role]:
    """Roles of (show, user) pairs; pairs without one are left out."""
    rows = await read.fetch(
        """select p.show_id, p.user_id, case when s.host_id = p.user_id then 'host' else t.role end as role
             from unnest($1::uuid[], $2::uuid[]) as p(show_id, user_id)
             join show s on s.id = p.show_id
             left join show_staff t on t.show_id = p.show_id and t.user_id = p.user_id
            where s.host_id = p.user_id or t.role is not null""",
        [show_id for show_id, _ in pairs], [user_id for _, user_id in pairs],
    )  # fmt: skip
    return {(row["show_id"], row["user_id"]): Role(row["role"]) for row in rows}


async def staff(read: Read, show_id: UUID) -> dict[UUID, Role]:
    rows = await read.fetch("select user_id, role from show_staff where show_id = $1 order by added_at", show_id)
    return {row["user_id"]: Role(row["role"]) for row in rows}


async def put_staff(tx: Tx, show_id: UUID, user_id: UUID, what: Role, by_id: UUID) -> None:
    await tx.execute(
        """insert into show_staff (show_id, user_id, role, added_by) values ($1, $2, $3, $4)
           on conflict (show_id, user_id) do update set role = excluded.role, added_by = excluded.added_by""",
        show_id, user_id, what.value, by_id,
    )  # fmt: skip


async def drop_staff(tx: Tx, show_id: UUID, user_id: UUID) -> None:
    await tx.execute("delete from show_staff where show_id = $1 and user_id = $2", show_id, user_id)


LISTING = """select l.id, l.show_id, l.product_id, l.seller_id, l.slot, l.per_buyer,
                    coalesce((select jsonb_object_agg(variant_id, amount) from listing_price where listing_id = l.id),
                             '{}'::jsonb) as prices
               from listing l"""


def _listing(row: Row) -> Listing:
    return Listing(
        row["id"], row["show_id"], row["product_id"], row["seller_id"], row["slot"], row["per_buyer"],
        {UUID(variant_id): amount for variant_id, amount in row["prices"].items()},
    )  # fmt: skip


async def listings(read: Read, ids: Sequence[UUID]) -> dict[UUID, Listing]:
    rows = await read.fetch(f"{LISTING} where l.id = any($1)", list(ids))
    return {row["id"]: _listing(row) for row in rows}


async def tray(read: Read, show_id: UUID) -> list[Listing]:
    """What is in the tray, in the order of its slots."""
    rows = await read.fetch(f"{LISTING} where l.show_id = $1 and l.slot is not null order by l.slot", show_id)
    return [_listing(row) for row in rows]


async def pinned_listings(read: Read, show_ids: Sequence[UUID]) -> dict[UUID, Listing]:
    """The listing under the open primary pin of each show that has one."""
    rows = await read.fetch(
        f"""{LISTING} join pin p on p.listing_id = l.id
             where p.show_id = any($1) and p.is_primary and p.ended_at is null""",
        list(show_ids),
    )
    return {row["show_id"]: _listing(row) for row in rows}


async def write_tray(tx: Tx, show_id: UUID, listings: Sequence[Listing]) -> None:
    """Make `listings` the tray: those gone lose their slot, all others are written with theirs and their prices."""
    await tx.execute(
        "update listing set slot = null where show_id = $1 and slot is not null and id <> all($2)",
        show_id, [one.id for one in listings],
    )  # fmt: skip
    await tx.execute(
        """insert into listing (id, show_id, product_id, seller_id, slot, per_buyer)
           select id, $1, product_id, seller_id, slot, per_buyer
             from unnest($2::uuid[], $3::uuid[], $4::uuid[], $5::int[], $6::int[])
                  as t(id, product_id, seller_id, slot, per_buyer)
           on conflict (id) do update set slot = excluded.slot, per_buyer = excluded.per_buyer""",
        show_id, [one.id for one in listings], [one.product_id for one in listings],
        [one.seller_id for one in listings], [one.slot for one in listings], [one.per_buyer for one in listings],
    )  # fmt: skip
    prices = [(one.id, variant_id, amount) for one in listings for variant_id, amount in one.prices.items()]
    await tx.execute("delete from listing_price where listing_id = any($1)", [one.id for one in listings])
    await tx.execute(
        """insert into listing_price (listing_id, variant_id, amount)
           select * from unnest($1::uuid[], $2::uuid[], $3::bigint[])""",
        [one[0] for one in prices], [one[1] for one in prices], [one[2] for one in prices],
    )  # fmt: skip


async def shows_offering(read: Read, product_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
    """(show, product) for every open or past show that may still be watched and has one of the products in its tray."""
    rows = await read.fetch(
        """select l.show_id, l.product_id from listing l join show s on s.id = l.show_id
            where l.product_id = any($1) and l.slot is not null
              and s.state in ('scheduled', 'preview', 'live', 'interrupted', 'replay')""",
        list(product_ids),
    )
    return [(row["show_id"], row["product_id"]) for row in rows]


PIN = "id, listing_id, stream_at, ended_stream_at, is_primary"


def _pin(row: Row) -> Pin:
    return Pin(row["id"], row["listing_id"], row["stream_at"], row["ended_stream_at"], row["is_primary"])


async def pins(read: Read, show_id: UUID) -> list[Pin]:
    """All pins of a show by stream time, open ones too."""
    rows = await read.fetch(f"select {PIN} from pin where show_id = $1 order by stream_at, id", show_id)
    return [_pin(row) for row in rows]


async def pin(read: Read, pin_id: UUID) -> tuple[UUID, Pin] | None:
    """The pin and the show it belongs to."""
    row = await read.fetchrow(f"select show_id, {PIN} from pin where id = $1", pin_id)
    return None if row is None else (row["show_id"], _pin(row))


async def insert_pin(tx: Tx, show_id: UUID, pin: Pin, by_id: UUID, at: datetime) -> None:
    await tx.execute(
        """insert into pin (id, show_id, listing_id, is_primary, by_id, at, stream_at)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        pin.id, show_id, pin.listing_id, pin.primary, by_id, at, pin.stream_at,
    )  # fmt: skip


async def end_pins(tx: Tx, pin_ids: Sequence[UUID], at: datetime, stream_at: datetime) -> list[Pin]:
    """End those of the pins that are open; a pin never ends before it began."""
    rows = await tx.fetch(
        f"""update pin set ended_at = $2, ended_stream_at = greatest(stream_at, $3)
             where id = any($1) and ended_at is null returning {PIN}""",
        list(pin_ids), at, stream_at,
    )  # fmt: skip
    return sorted((_pin(row) for row in rows), key=lambda one: (one.stream_at, one.id))
