"""The SQL of accounts."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

import msgspec

from livestall.accounts.model import (
    Actor,
    ApiToken,
    Creator,
    Market,
    Member,
    NewUser,
    NoSuchPerson,
    Seller,
    SellerState,
    User,
    normal_login,
)
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


async def user(read: Read, user_id: UUID) -> Row | None:
    return await read.fetchrow("select * from user_account where id = $1", user_id)


async def user_by_login(read: Read, login: str) -> Row | None:
    return await read.fetchrow("select * from user_account where login = $1", login)


async def insert_user(tx: Tx, new: NewUser, now: datetime, *, is_operator: bool) -> bool:
    """False if the id or the login was taken."""
    return await tx.execute(
        """insert into user_account (id, login, password_hash, name, locale, is_operator, created_at)
           values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing""",
        new.id, new.login, new.password_hash, new.name, new.locale, is_operator, now,
    ) == 1  # fmt: skip


async def update_user(tx: Tx, user_id: UUID, name: str | None, locale: str | None) -> None:
    await tx.execute(
        "update user_account set name = coalesce($2, name), locale = coalesce($3, locale) where id = $1",
        user_id, name, locale,
    )  # fmt: skip


async def set_password_hash(tx: Tx, user_id: UUID, password_hash: str) -> None:
    await tx.execute("update user_account set password_hash = $2 where id = $1", user_id, password_hash)


async def find_user(read: Read, login: str) -> User:
    """The person with that login as typed. Raises BadLogin, NoSuchPerson."""
    row = await user_by_login(read, normal_login(login))
    if row is None:
        raise NoSuchPerson
    return User(row["id"], row["name"], row["login"], row["locale"])


async def users(read: Read, user_ids: Iterable[UUID]) -> dict[UUID, User]:
    rows = await read.fetch(
        "select id, name, login, locale from user_account where id = any($1::uuid[])", list(user_ids)
    )
    return {row["id"]: User(row["id"], row["name"], row["login"], row["locale"]) for row in rows}


async def names(read: Read, user_ids: Iterable[UUID]) -> dict[UUID, str]:
    rows = await read.fetch("select id, name from user_account where id = any($1::uuid[])", list(user_ids))
    return {row["id"]: row["name"] for row in rows}


async def insert_session(tx: Tx, token_hash: bytes, user_id: UUID, now: datetime, expires_at: datetime) -> None:
    await tx.execute(
        "insert into session (token_hash, user_id, created_at, expires_at) values ($1, $2, $3, $4)",
        token_hash, user_id, now, expires_at,
    )  # fmt: skip


async def delete_session(tx: Tx, token_hash: bytes) -> None:
    await tx.execute("delete from session where token_hash = $1", token_hash)


async def delete_sessions_of(tx: Tx, user_id: UUID) -> None:
    await tx.execute("delete from session where user_id = $1", user_id)


async def delete_old(tx: Tx, sessions_before: datetime, attempts_before: datetime, limit: int) -> int:
    """Remove sessions and attempts that no longer count, at most `limit` of each."""
    gone = await tx.execute(
        "delete from session where token_hash in (select token_hash from session where expires_at < $1 limit $2)",
        sessions_before, limit,
    )  # fmt: skip
    return gone + await tx.execute(
        "delete from sign_in_attempt where id in (select id from sign_in_attempt where at < $1 limit $2)",
        attempts_before, limit,
    )  # fmt: skip


async def lock_attempts(tx: Tx, account: bytes, address: str) -> None:
    """Attempts on one account, and from one address, are counted one after another until `tx` ends."""
    await tx.execute(
        """select pg_advisory_xact_lock(key) from (
             select hashtextextended(k, 2) as key from unnest($1::text[]) as t(k) order by 1) keys""",
        [f"account {account.hex()}", f"address {address}"],
    )


async def attempts(read: Read, account: bytes, address: str, since: datetime) -> tuple[list[datetime], list[datetime]]:
    """The times of attempts on the account and from the address after `since`, newest first."""
    by_account = await read.fetch(
        "select at from sign_in_attempt where account = $1 and at > $2 order by at desc limit 1000", account, since
    )
    by_address = await read.fetch(
        "select at from sign_in_attempt where address = $1 and at > $2 order by at desc limit 1000", address, since
    )
    return [row["at"] for row in by_account], [row["at"] for row in by_address]


async def insert_attempt(tx: Tx, account: bytes, address: str, now: datetime) -> int:
    return await tx.fetchval(
        "insert into sign_in_attempt (account, address, at) values ($1, $2, $3) returning id", account, address, now
    )


async def forget_attempts(tx: Tx, account: bytes, attempt_id: int) -> None:
    """After a success: the account starts anew. The address keeps its failures with other accounts."""
    await tx.execute("delete from sign_in_attempt where id = $1", attempt_id)
    await tx.execute("update sign_in_attempt set account = '' where account = $1", account)


async def tokens(read: Read, user_id: UUID) -> list[ApiToken]:
    rows = await read.fetch(
        "select id, name, scopes, created_at, last_used_at from api_token where user_id = $1 order by created_at, id",
        user_id,
    )
    return [ApiToken(row["id"], row["name"], row["scopes"], row["created_at"], row["last_used_at"]) for row in rows]


async def insert_token(tx: Tx, user_id: UUID, token: ApiToken, token_hash: bytes) -> bool:
    return await tx.execute(
        """insert into api_token (id, user_id, token_hash, name, scopes, created_at)
           values ($1, $2, $3, $4, $5, $6) on conflict do nothing""",
        token.id, user_id, token_hash, token.name, token.scopes, token.created_at,
    ) == 1  # fmt: skip


async def delete_token(tx: Tx, user_id: UUID, token_id: UUID) -> None:
    await tx.execute("delete from api_token where id = $2 and user_id = $1", user_id, token_id)


async def insert_creator(tx: Tx, creator: Creator, user_id: UUID, now: datetime) -> bool:
    return await tx.execute(
        "insert into creator (id, user_id, name, bio, created_at) values ($1, $2, $3, $4, $5) on conflict do nothing",
        creator.id, user_id, creator.name, creator.bio, now,
    ) == 1  # fmt: skip


async def creator_owner(read: Read, creator_id: UUID) -> UUID | None:
    return await read.fetchval("select user_id from creator where id = $1", creator_id)


async def creators(read: Read, creator_ids: Iterable[UUID]) -> dict[UUID, Creator]:
    rows = await read.fetch(
        "select id, name, bio, avatar_url, followers from creator where id = any($1::uuid[])", list(creator_ids)
    )
    return {row["id"]: Creator(row["id"], row["name"], row["bio"], row["avatar_url"], row["followers"]) for row in rows}


async def creator_of(read: Read, user_id: UUID) -> Creator | None:
    creator_id = await read.fetchval("select id from creator where user_id = $1", user_id)
    return (await creators(read, [creator_id]))[creator_id] if creator_id else None


async def follows(read: Read, user_id: UUID, creator_ids: Iterable[UUID]) -> set[UUID]:
    rows = await read.fetch(
        "select creator_id from follow where user_id = $1 and creator_id = any($2::uuid[])", user_id, list(creator_ids)
    )
    return {row["creator_id"] for row in rows}


async def followed(read: Read, user_id: UUID) -> list[UUID]:
    """The channels that this person follows."""
    rows = await read.fetch("select creator_id from follow where user_id = $1", user_id)
    return [row["creator_id"] for row in rows]


async def insert_follow(tx: Tx, user_id: UUID, creator_id: UUID, now: datetime) -> int:
    return await tx.execute(
        "insert into follow (user_id, creator_id, at) values ($1, $2, $3) on conflict do nothing",
        user_id, creator_id, now,
    )  # fmt: skip


async def delete_follow(tx: Tx, user_id: UUID, creator_id: UUID) -> int:
    return await tx.execute("delete from follow where user_id = $1 and creator_id = $2", user_id, creator_id)


async def add_followers(tx: Tx, creator_id: UUID, change: int) -> None:
    await tx.execute("update creator set followers = followers + $2 where id = $1", creator_id, change)


async def insert_seller(tx: Tx, seller: Seller, user_id: UUID, now: datetime) -> bool:
    return await tx.execute(
        """insert into seller (id, name, state, applied_by, created_at) values ($1, $2, $3, $4, $5)
           on conflict do nothing""",
        seller.id, seller.name, seller.state, user_id, now,
    ) == 1  # fmt: skip


async def seller_applicant(read: Read, seller_id: UUID) -> UUID | None:
    return await read.fetchval("select applied_by from seller where id = $1", seller_id)


async def sellers(read: Read, seller_ids: Iterable[UUID]) -> dict[UUID, Seller]:
    rows = await read.fetch("select id, name, state from seller where id = any($1::uuid[])", list(seller_ids))
    return {row["id"]: Seller(row["id"], row["name"], SellerState(row["state"])) for row in rows}


async def sellers_of(read: Read, user_id: UUID) -> list[Seller]:
    rows = await read.fetch(
        """select s.id, s.name, s.state from seller s join seller_member m on m.seller_id = s.id
            where m.user_id = $1 order by s.created_at, s.id""",
        user_id,
    )
    return [Seller(row["id"], row["name"], SellerState(row["state"])) for row in rows]


async def page_of_sellers(read: Read, after: UUID | None, limit: int) -> list[Seller]:
    rows = await read.fetch(
        "select id, name, state from seller where $1::uuid is null or id > $1 order by id limit $2", after, limit
    )
    return [Seller(row["id"], row["name"], SellerState(row["state"])) for row in rows]


async def set_seller_state(tx: Tx, seller_id: UUID, state: SellerState) -> None:
    await tx.execute("update seller set state = $2 where id = $1", seller_id, state)


async def lock_seller(tx: Tx, seller_id: UUID) -> None:
    await tx.execute("select 1 from seller where id = $1 for update", seller_id)


async def members(read: Read, seller_id: UUID) -> list[Member]:
    rows = await read.fetch(
        """select u.id, u.name, u.login from seller_member m join user_account u on u.id = m.user_id
            where m.seller_id = $1 order by m.added_at, u.id""",
        seller_id,
    )
    return [Member(row["id"], row["name"], row["login"]) for row in rows]


async def insert_member(tx: Tx, seller_id: UUID, user_id: UUID, now: datetime) -> None:
    await tx.execute(
        "insert into seller_member (seller_id, user_id, added_at) values ($1, $2, $3) on conflict do nothing",
        seller_id, user_id, now,
    )  # fmt: skip


async def delete_member(tx: Tx, seller_id: UUID, user_id: UUID) -> None:
    await tx.execute("delete from seller_member where seller_id = $1 and user_id = $2", seller_id, user_id)


async def market(read: Read) -> Market:
    row = await read.fetchrow("select name, currency from market")
    assert row is not None  # the migration made it
    return Market(row["name"], row["currency"])


async def has_operator(read: Read) -> bool:
    return await read.fetchval("select exists (select 1 from user_account where is_operator)")


async def lock_market(tx: Tx) -> None:
    """First runs go one after another until `tx` ends."""
    await tx.execute("select 1 from market for update")


async def first_run_hash(read: Read) -> bytes | None:
    return await read.fetchval("select first_run_token_hash from market")


async def set_first_run(tx: Tx, token_hash: bytes | None) -> None:
    await tx.execute("update market set first_run_token_hash = $1", token_hash)


async def set_market(tx: Tx, market: Market) -> None:
    await tx.execute("update market set name = $1, currency = $2", market.name, market.currency)
