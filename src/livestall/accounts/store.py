"""The SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from livestall.accounts.model import Actor
from livestall.base.db import Read, Row, Tx

_ROLES = """u.id, u.name, u.is_operator,
    (select c.id from creator c where c.user_id = u.id) as creator_id,
    array(select m.seller_id from seller_member m where m.user_id = u.id) as seller_ids"""


class Session(msgspec.Struct, frozen=True):
    """A live session: whose it is and until when it lives."""

    actor: Actor
    expires_at: datetime


def _actor(row: Row, scopes: Iterable[str] | None) -> Actor:
    return Actor(
        user_id=row["id"], name=row["name"], is_operator=row["is_operator"] and scopes is None,
        creator_id=row["creator_id"], seller_ids=frozenset(row["seller_ids"]),
        scopes=None if scopes is None else frozenset(scopes),
    )  # fmt: skip


async def session(read: Read, token_hash: bytes, now: datetime) -> Session | None:
    row = await read.fetchrow(
        f"""select {_ROLES}, s.expires_at from session s join user_account u on u.id = s.user_id
             where s.token_hash = $1 and s.expires_at > $2""",
        token_hash, now,
    )  # fmt: skip
    return Session(_actor(row, None), row["expires_at"]) if row else None


async def token_actor(read: Read, token_hash: bytes) -> tuple[Actor, datetime | None] | None:
    """The actor of an API token and when it was last used. An operator's token carries no operator's rights."""
    row = await read.fetchrow(
        f"""select {_ROLES}, t.scopes, t.last_used_at from api_token t join user_account u on u.id = t.user_id
             where t.token_hash = $1""",
        token_hash,
    )
    return (_actor(row, row["scopes"]), row["last_used_at"]) if row else None


async def touch_session(tx: Tx, token_hash: bytes, expires_at: datetime) -> None:
    await tx.execute(
        "update session set expires_at = greatest(expires_at, $2) where token_hash = $1", token_hash, expires_at
    )


async def touch_token(tx: Tx, token_hash: bytes, now: datetime) -> None:
    await tx.execute("update api_token set last_used_at = $2 where token_hash = $1", token_hash, now)


async def seller_state(read: Read, seller_id: UUID) -> str | None:
    return await read.fetchval("select state from seller where id = $1", seller_id)
