"""The SQL of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from livestall.base.db import Read, Row, Tx
from livestall.catalog.pictures.model import Waiting


async def picture(read: Read, picture_id: UUID) -> Row | None:
    return await read.fetchrow("select * from picture where id = $1", picture_id)


async def count(read: Read, product_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many pictures each product has, if any."""
    rows = await read.fetch(
        "select product_id, count(*) as n from picture where product_id = any($1::uuid[]) group by product_id",
        list(product_ids),
    )
    return {row["product_id"]: row["n"] for row in rows}


async def insert_ready(
    tx: Tx, picture_id: UUID, product_id: UUID, *, alt: str, digest: bytes, large: str, small: str, width: int,
    height: int, now: datetime,
) -> bool:  # fmt: skip
    """Add a picture behind the others; False if its id is taken."""
    done = await tx.execute(
        """insert into picture (id, product_id, position, state, alt, digest, file, thumb, width, height, next_try_at)
           select $1, $2, coalesce(max(position), 0) + 1, 'ready', $3, $4, $5, $6, $7, $8, $9
             from picture where product_id = $2
           on conflict (id) do nothing""",
        picture_id, product_id, alt, digest, large, small, width, height, now,
    )  # fmt: skip
    return done > 0


async def delete(tx: Tx, product_id: UUID, picture_id: UUID) -> bool:
    return await tx.execute("delete from picture where id = $1 and product_id = $2", picture_id, product_id) > 0


async def known_addresses(read: Read, product_ids: Sequence[UUID]) -> dict[tuple[UUID, str], UUID]:
    """Product and address → picture, for all that came from an address."""
    rows = await read.fetch(
        "select id, product_id, source_url from picture where product_id = any($1::uuid[]) and source_url is not null",
        list(product_ids),
    )
    return {(row["product_id"], row["source_url"]): row["id"] for row in rows}


async def insert_pending(
    tx: Tx, wanted: Sequence[tuple[UUID, UUID, str, str, int]], import_id: UUID | None, now: datetime
) -> None:
    """Add pictures to be fetched; one whose id is known stays as it is."""
    await tx.execute(
        """insert into picture (id, product_id, source_url, alt, position, state, import_id, next_try_at)
           select id, product_id, url, alt, position, 'pending', $6, $7
             from unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::int[])
                  as t (id, product_id, url, alt, position)
           on conflict do nothing""",
        *_columns(wanted), import_id, now,
    )  # fmt: skip


async def renew(
    tx: Tx, known: Sequence[tuple[UUID, UUID, str, str, int]], import_id: UUID | None, now: datetime
) -> None:
    """Words and places of known pictures as they are named now; those that failed are tried again."""
    await tx.execute(
        """update picture f set alt = t.alt, position = t.position,
                  state = case f.state when 'failed' then 'pending' else f.state end,
                  error = null, attempts = case f.state when 'failed' then 0 else f.attempts end,
                  next_try_at = case f.state when 'failed' then $5 else f.next_try_at end,
                  import_id = $4
             from unnest($1::uuid[], $2::text[], $3::int[]) as t (id, alt, position)
            where f.id = t.id""",
        [one[0] for one in known], [one[3] for one in known], [one[4] for one in known], import_id, now,
    )  # fmt: skip


def _columns(rows: Sequence[Sequence[object]]) -> list[list[object]]:
    return [[row[column] for row in rows] for column in range(5)]


async def claim(tx: Tx, now: datetime, lease: timedelta, limit: int) -> list[Waiting]:
    """Pictures whose turn it is; nobody else gets them until the lease is over."""
    rows = await tx.fetch(
        """update picture set attempts = attempts + 1, next_try_at = $1 + $2::interval
            where id in (select id from picture where state = 'pending' and next_try_at <= $1
                          order by next_try_at limit $3 for update skip locked)
        returning id, product_id, source_url, attempts""",
        now, lease, limit,
    )  # fmt: skip
    return [Waiting(row["id"], row["product_id"], row["source_url"], row["attempts"]) for row in rows]


async def ready(tx: Tx, picture_id: UUID, *, digest: bytes, large: str, small: str, width: int, height: int) -> bool:
    """The picture is there; False if nobody waits for it any more."""
    done = await tx.execute(
        """update picture set state = 'ready', digest = $2, file = $3, thumb = $4, width = $5, height = $6, error = null
            where id = $1 and state = 'pending'""",
        picture_id, digest, large, small, width, height,
    )  # fmt: skip
    return done > 0


async def failed(tx: Tx, picture_id: UUID, error: str) -> bool:
    done = await tx.execute(
        "update picture set state = 'failed', error = $2 where id = $1 and state = 'pending'", picture_id, error
    )
    return done > 0


async def files_in_use(read: Read, keys: Sequence[str]) -> set[str]:
    """Those of the stored files that pictures of products are made of."""
    rows = await read.fetch(
        """select file as key from picture where file = any($1::text[])
           union select thumb from picture where thumb = any($1::text[])""",
        list(keys),
    )
    return {row["key"] for row in rows}


async def again(tx: Tx, picture_id: UUID, at: datetime) -> None:
    await tx.execute("update picture set next_try_at = $2 where id = $1 and state = 'pending'", picture_id, at)
