"""All SQL of the sandbox provider, over its own tables."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from livestall.base.db import Read, Tx
from livestall.payments.backends.sandbox.model import Movement, NewSession, Stored

COLUMNS = ", ".join(Stored.__struct_fields__)


def _stored(row: Any) -> Stored:
    fields: dict[str, Any] = {name: row[name] for name in Stored.__struct_fields__}
    return Stored(**fields)


async def insert_session(
    tx: Tx, session_id: str, key: str, request_hash: str, new: NewSession, now: datetime
) -> tuple[Stored, str]:
    """The session of this idempotency key, made now or before, and the hash of the request that made it."""
    await tx.execute(
        """insert into sandbox_session (id, idempotency_key, request_hash, merchant, title, reference, amount, currency,
                                        locale, return_url, notify_url, status, expires_at, created_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open', $12, $13)
           on conflict (idempotency_key) do nothing""",
        session_id, key, request_hash, new.merchant, new.title, new.reference, new.amount, new.currency, new.locale,
        new.return_url, new.notify_url, new.expires_at, now,
    )  # fmt: skip
    row = await tx.fetchrow(f"select {COLUMNS}, request_hash from sandbox_session where idempotency_key = $1", key)
    assert row is not None
    return _stored(row), row["request_hash"]


async def session(read: Read, session_id: str) -> Stored | None:
    row = await read.fetchrow(f"select {COLUMNS} from sandbox_session where id = $1", session_id)
    return None if row is None else _stored(row)


async def lock_session(tx: Tx, session_id: str) -> Stored | None:
    row = await tx.fetchrow(f"select {COLUMNS} from sandbox_session where id = $1 for update", session_id)
    return None if row is None else _stored(row)


async def lock_expired(tx: Tx, now: datetime, limit: int) -> list[Stored]:
    rows = await tx.fetch(
        f"""select {COLUMNS} from sandbox_session where status = 'open' and expires_at <= $1
             order by expires_at limit $2 for update skip locked""",
        now, limit,
    )  # fmt: skip
    return [_stored(row) for row in rows]


async def save(tx: Tx, one: Stored) -> None:
    """Write what may change of a session; the caller holds its lock."""
    await tx.execute(
        """update sandbox_session set status = $2, version = $3, captured = $4, refunded = $5, card_brand = $6,
                  card_last4 = $7, behaviour = $8, refusal = $9 where id = $1""",
        one.id, one.status, one.version, one.captured, one.refunded, one.card_brand, one.card_last4, one.behaviour,
        one.refusal,
    )  # fmt: skip


async def refunds(read: Read, session_id: str) -> list[Movement]:
    rows = await read.fetch(
        """select idempotency_key, amount from sandbox_movement where session_id = $1 and kind = 'refund'
            order by at, idempotency_key""",
        session_id,
    )
    return [Movement(row["idempotency_key"], row["amount"]) for row in rows]


async def movement(read: Read, session_id: str, key: str) -> tuple[str, int] | None:
    row = await read.fetchrow(
        "select kind, amount from sandbox_movement where session_id = $1 and idempotency_key = $2", session_id, key
    )
    return None if row is None else (row["kind"], row["amount"])


async def insert_movement(tx: Tx, session_id: str, key: str, kind: str, amount: int, now: datetime) -> None:
    await tx.execute(
        "insert into sandbox_movement (session_id, idempotency_key, kind, amount, at) values ($1, $2, $3, $4, $5)",
        session_id, key, kind, amount, now,
    )  # fmt: skip


async def attempt(read: Read, session_id: str, token: str) -> str | None:
    return await read.fetchval(
        "select answer from sandbox_attempt where session_id = $1 and token = $2", session_id, token
    )


async def insert_attempt(tx: Tx, session_id: str, token: str, answer: str, now: datetime) -> None:
    await tx.execute(
        "insert into sandbox_attempt (session_id, token, answer, at) values ($1, $2, $3, $4)",
        session_id, token, answer, now,
    )  # fmt: skip


async def insert_notice(
    tx: Tx, notice_id: str, session_id: str, body: bytes, *, copies: int, at: datetime, now: datetime
) -> None:
    await tx.execute(
        """insert into sandbox_notice (id, session_id, body, copies_left, next_try_at, created_at)
           values ($1, $2, $3, $4, $5, $6)""",
        notice_id, session_id, body, copies, at, now,
    )  # fmt: skip


async def claim_notices(tx: Tx, now: datetime, lease: timedelta, limit: int) -> Sequence[Any]:
    """Notices to deliver now, leased to the caller: id, body, attempts, notify_url."""
    return await tx.fetch(
        """update sandbox_notice n set next_try_at = $1 + $2 from sandbox_session s
            where s.id = n.session_id and n.id in (
                  select id from sandbox_notice where next_try_at <= $1 order by next_try_at limit $3
                     for update skip locked)
            returning n.id, n.body, n.attempts, s.notify_url""",
        now, lease, limit,
    )  # fmt: skip


async def notice_delivered(tx: Tx, notice_id: str, now: datetime, answer: str) -> None:
    await tx.execute(
        """update sandbox_notice set copies_left = copies_left - 1, attempts = attempts + 1, last_answer = $3,
                  next_try_at = case when copies_left > 1 then $2::timestamptz end where id = $1""",
        notice_id, now, answer,
    )  # fmt: skip


async def notice_failed(tx: Tx, notice_id: str, next_try_at: datetime | None, answer: str) -> None:
    await tx.execute(
        """update sandbox_notice set attempts = attempts + 1, next_try_at = $2, last_answer = $3 where id = $1""",
        notice_id, next_try_at, answer,
    )  # fmt: skip
