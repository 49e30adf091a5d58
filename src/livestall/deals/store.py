"""All SQL of deals."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from livestall.base import clock
from livestall.base.db import Read, Row, Tx
from livestall.base.money import Money
from livestall.deals.model import DealState, Terms, Tier

_TERMS = """id, show_id, listing_id, variant_id, seller_id, state, currency, price_amount, list_price_amount, quota,
            released, per_buyer, announced_at, announced_stream_at, opens_at, closes_at, fair_at, slowest_tier"""


def _terms(row: Row) -> Terms:
    return Terms(
        id=row["id"], show_id=row["show_id"], listing_id=row["listing_id"], variant_id=row["variant_id"],
        seller_id=row["seller_id"], state=DealState(row["state"]), price=Money(row["price_amount"], row["currency"]),
        list_price=Money(row["list_price_amount"], row["currency"]), quota=row["quota"], released=row["released"],
        per_buyer=row["per_buyer"], announced_at=row["announced_at"], announced_stream_at=row["announced_stream_at"],
        opens_at=row["opens_at"], closes_at=row["closes_at"], fair_at=row["fair_at"],
        slowest_tier=None if row["slowest_tier"] is None else Tier(row["slowest_tier"]),
    )  # fmt: skip


async def now(read: Read) -> datetime:
    """The database's clock: the one that all processes of a market share."""
    return await read.fetchval("select clock_timestamp()") + clock.travelled()


async def terms(read: Read, deal_ids: Collection[UUID]) -> dict[UUID, Terms]:
    rows = await read.fetch(f"select {_TERMS} from deal where id = any($1)", list(deal_ids))
    return {row["id"]: _terms(row) for row in rows}


async def of_show(read: Read, show_id: UUID) -> list[Terms]:
    rows = await read.fetch(f"select {_TERMS} from deal where show_id = $1 order by announced_at, id", show_id)
    return [_terms(row) for row in rows]


async def lock(tx: Tx, deal_ids: Collection[UUID]) -> dict[UUID, Terms]:
    rows = await tx.fetch(f"select {_TERMS} from deal where id = any($1) order by id for update", list(deal_ids))
    return {row["id"]: _terms(row) for row in rows}


async def lock_not_over(
    tx: Tx, *, variant_id: UUID | None = None, show_ids: Collection[UUID] | None = None
) -> list[Terms]:
    """Deals of a variant or of shows that are not over, locked."""
    rows = await tx.fetch(
        f"""select {_TERMS} from deal where state in ('countdown', 'running')
               and ($1::uuid is null or variant_id = $1) and ($2::uuid[] is null or show_id = any($2))
             order by id for update""",
        variant_id,
        None if show_ids is None else list(show_ids),
    )
    return [_terms(row) for row in rows]


async def lock_due(tx: Tx, now: datetime, limit: int) -> list[Terms]:
    """Deals whose clock says another state than their row, locked; those another worker has are skipped."""
    rows = await tx.fetch(
        f"""select {_TERMS} from deal where state in ('countdown', 'running')
               and (closes_at <= $1 or (state = 'countdown' and opens_at <= $1))
             order by closes_at limit $2 for update skip locked""",
        now, limit,
    )  # fmt: skip
    return [_terms(row) for row in rows]


async def add(tx: Tx, terms: Terms, by_id: UUID) -> bool:
    """False if a deal with this id exists. Raises UniqueViolationError if the variant has one that is not over."""
    return bool(
        await tx.execute(
            f"""insert into deal ({_TERMS}, announced_by, kind)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 'flash')
                on conflict (id) do nothing""",
            terms.id,
            terms.show_id,
            terms.listing_id,
            terms.variant_id,
            terms.seller_id,
            terms.state.value,
            terms.price.currency,
            terms.price.amount,
            terms.list_price.amount,
            terms.quota,
            terms.released,
            terms.per_buyer,
            terms.announced_at,
            terms.announced_stream_at,
            terms.opens_at,
            terms.closes_at,
            terms.fair_at,
            None if terms.slowest_tier is None else terms.slowest_tier.value,
            by_id,
        )
    )


async def move(tx: Tx, deal_ids: Collection[UUID], state: DealState, closes_at: datetime | None = None) -> None:
    await tx.execute(
        """update deal set state = $2, closes_at = greatest(coalesce($3, closes_at), opens_at + interval '1 ms')
            where id = any($1)""",
        list(deal_ids), state.value, closes_at,
    )  # fmt: skip


async def add_release(tx: Tx, release_id: UUID, deal_id: UUID, quantity: int, by_id: UUID, at: datetime) -> bool:
    """Count `quantity` more as released. False if a release with this id exists."""
    new = await tx.execute(
        """insert into deal_release (id, deal_id, quantity, by_id, at) values ($1, $2, $3, $4, $5)
           on conflict (id) do nothing""",
        release_id, deal_id, quantity, by_id, at,
    )  # fmt: skip
    if new:
        await tx.execute("update deal set released = released + $2 where id = $1", deal_id, quantity)
    return bool(new)


async def release(read: Read, release_id: UUID) -> tuple[UUID, int] | None:
    row = await read.fetchrow("select deal_id, quantity from deal_release where id = $1", release_id)
    return None if row is None else (row["deal_id"], row["quantity"])
