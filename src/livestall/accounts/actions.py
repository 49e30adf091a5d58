"""The verbs of accounts. Passwords are hashed before a transaction is opened, never inside one."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import ipaddress
import secrets
import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from math import ceil
from uuid import UUID

import argon2
from argon2.exceptions import InvalidHashError, VerificationError

from livestall.accounts import store
from livestall.accounts.model import (
    MEMBERS_MAX,
    SCOPES,
    TOKEN_PREFIX,
    TOKENS_MAX,
    ApiToken,
    Creator,
    FirstRunOver,
    LastMember,
    LoginTaken,
    Market,
    Member,
    NewUser,
    NoSuchPerson,
    OneChannel,
    Seller,
    SellerState,
    Settings,
    TooManyMembers,
    TooManyTokens,
    WrongLogin,
    check_currency,
    check_password,
    normal_login,
)
from livestall.base import clock, config
from livestall.base.db import Database, Read, Row, Tx
from livestall.base.errors import Invalid, NotFound, SameIdOtherContents, TooMany


@cache
def _hashing() -> tuple[argon2.PasswordHasher, ThreadPoolExecutor, str]:
    """The hasher, the threads it runs on (their number bounds its memory), and the hash of no one's password."""
    settings = config.of(Settings)
    hasher = argon2.PasswordHasher(settings.argon2_passes, settings.argon2_memory_kib, parallelism=1)
    pool = ThreadPoolExecutor(settings.argon2_at_once, thread_name_prefix="argon2")
    return hasher, pool, hasher.hash(secrets.token_hex())


def _plain(password: str) -> str:
    return unicodedata.normalize("NFC", password)


async def hash_password(password: str) -> str:
    """The argon2id hash of `password`, computed off the event loop."""
    hasher, pool, _ = _hashing()
    return await asyncio.get_running_loop().run_in_executor(pool, hasher.hash, _plain(password))


async def password_fits(password_hash: str | None, password: str) -> bool:
    """Whether `password` belongs to the hash. Takes the same time when there is no hash: None is never right."""
    hasher, pool, nobody = _hashing()

    def verify() -> bool:
        try:
            return hasher.verify(password_hash or nobody, _plain(password)) and password_hash is not None
        except (VerificationError, InvalidHashError):
            return False

    return await asyncio.get_running_loop().run_in_executor(pool, verify)


def hash_of(token: str) -> bytes:
    """What is stored of a session, API or first-run token: they are random, so one SHA-256 is enough."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


async def new_user(user_id: UUID, login: str, password: str, name: str, locale: str = "en") -> NewUser:
    """Check and hash what a person typed. Raises BadLogin, WeakPassword, Invalid."""
    plain = normal_login(login)
    check_password(password, plain)
    if not (tidy := name.strip()):
        raise Invalid(reason="the name is empty")
    return NewUser(user_id, plain, password, await hash_password(password), tidy, locale)


async def already_signed_up(known: Row | None, new: NewUser, *, taken: bool) -> bool:
    """Whether this very sign-up happened before, given the account with its id and whether its login has another
    one. Raises SameIdOtherContents, LoginTaken. Verifies a password, so it is called outside a transaction.
    """
    if known is None:
        if taken:
            raise LoginTaken
        return False
    if (known["login"], known["name"]) != (new.login, new.name):
        raise SameIdOtherContents
    if not await password_fits(known["password_hash"], new.password):
        raise SameIdOtherContents
    return True


async def sign_up(tx: Tx, new: NewUser, *, is_operator: bool = False) -> None:
    """Make an account. Raises LoginTaken when the login, or the id in a race, is taken."""
    if not await store.insert_user(tx, new, clock.now(), is_operator=is_operator):
        raise LoginTaken


async def open_session(tx: Tx, user_id: UUID) -> str:
    """A new session of that person; returns the token for the cookie, of which only the hash is kept."""
    token, now = secrets.token_urlsafe(32), clock.now()
    expires_at = now + timedelta(days=config.of(Settings).session_days)
    await store.insert_session(tx, hash_of(token), user_id, now, expires_at)
    return token


async def close_session(tx: Tx, token: str) -> None:
    await store.delete_session(tx, hash_of(token))


_checking: dict[asyncio.AbstractEventLoop, asyncio.Semaphore] = {}


def _one_of_few() -> asyncio.Semaphore:
    """Attempts are counted before the password is checked, so only a few may be on their way at once: else a crowd
    behind one address would lock itself out by being quick."""
    loop = asyncio.get_running_loop()
    if loop not in _checking:
        _checking.clear()
        _checking[loop] = asyncio.Semaphore(config.of(Settings).argon2_at_once)
    return _checking[loop]


async def sign_in(db: Database, login: str, password: str, address: str) -> UUID:
    """The id of the person whose login and password these are.

    Raises WrongLogin, the same way and after the same time whether the account exists or not; TooMany after too many
    failures on this account or from this address.
    """
    plain = normal_login(login)
    account = hashlib.sha256(plain.encode(errors="replace")).digest()
    async with _one_of_few():
        attempt_id = await db.run(lambda tx: count_attempt(tx, account, network_of(address)))
        async with db.read() as read:
            row = await store.user_by_login(read, plain)
        if not await password_fits(row["password_hash"] if row else None, password) or row is None:
            raise WrongLogin
        async with db.write() as tx:
            await store.forget_attempts(tx, account, attempt_id)
    return row["id"]


async def change_password(db: Database, user_id: UUID, old: str, new: str, address: str) -> None:
    """Set a new password and end all sessions of that person. Raises WrongLogin, WeakPassword, TooMany."""
    async with db.read() as read:
        row = await store.user(read, user_id)
    if row is None:
        raise WrongLogin
    check_password(new, row["login"])
    await sign_in(db, row["login"], old, address)
    password_hash = await hash_password(new)
    async with db.write() as tx:
        await store.set_password_hash(tx, user_id, password_hash)
        await store.delete_sessions_of(tx, user_id)


def network_of(address: str) -> str:
    """The address that attempts are counted by: an IPv6 customer has a whole /64."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


async def count_attempt(tx: Tx, account: bytes, address: str) -> int:
    """Write down an attempt before it is judged; returns its id. Raises TooMany with the seconds to wait."""
    settings, now = config.of(Settings), clock.now()
    window = timedelta(seconds=settings.attempts_window_seconds)
    await store.lock_attempts(tx, account, address)
    by_account, by_address = await store.attempts(tx, account, address, now - window)
    waits = [
        times[limit - 1] + window - now
        for times, limit in (
            (by_account, settings.attempts_per_account), (by_address, min(settings.attempts_per_address, 1000)),
        )
        if len(times) >= limit
    ]  # fmt: skip
    if waits:
        raise TooMany(retry_after_seconds=max(1, ceil(max(waits).total_seconds())))
    return await store.insert_attempt(tx, account, address, now)


async def change_me(tx: Tx, user_id: UUID, name: str | None, locale: str | None) -> None:
    if name is not None and not name.strip():
        raise Invalid(reason="the name is empty")
    await store.update_user(tx, user_id, name.strip() if name else None, locale)


async def make_token(tx: Tx, user_id: UUID, token_id: UUID, name: str, scopes: Sequence[str]) -> ApiToken:
    """A new API token with its secret. Repeated with the same id: the same token, without the secret.

    Raises SameIdOtherContents, TooManyTokens, Invalid for an unknown scope.
    """
    if unknown := set(scopes) - set(SCOPES):
        raise Invalid(reason=f"there is no scope {min(unknown)!r}; there are {', '.join(SCOPES)}")
    existing = await store.tokens(tx, user_id)
    wanted = sorted(set(scopes))
    for token in existing:
        if token.id == token_id:
            if (token.name, token.scopes) != (name, wanted):
                raise SameIdOtherContents
            return token
    if len(existing) >= TOKENS_MAX:
        raise TooManyTokens
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken(token_id, name, wanted, clock.now(), None, secret)
    if not await store.insert_token(tx, user_id, token, hash_of(secret)):
        raise SameIdOtherContents
    return token


async def delete_token(tx: Tx, user_id: UUID, token_id: UUID) -> None:
    await store.delete_token(tx, user_id, token_id)


async def open_channel(tx: Tx, user_id: UUID, creator_id: UUID, name: str, bio: str = "") -> Creator:
    """Make the person a creator. Raises SameIdOtherContents, OneChannel."""
    wanted = Creator(creator_id, name.strip(), bio.strip(), None, 0)
    if not wanted.name:
        raise Invalid(reason="the name is empty")
    if await store.insert_creator(tx, wanted, user_id, clock.now()):
        return wanted
    found = (await store.creators(tx, [creator_id])).get(creator_id)
    if found is None:
        raise OneChannel
    same = (found.name, found.bio) == (wanted.name, wanted.bio)
    if not same or await store.creator_owner(tx, creator_id) != user_id:
        raise SameIdOtherContents
    return found


async def follow(tx: Tx, user_id: UUID, creator_id: UUID) -> None:
    """Raises NotFound."""
    if await store.creator_owner(tx, creator_id) is None:
        raise NotFound
    if await store.insert_follow(tx, user_id, creator_id, clock.now()):
        await store.add_followers(tx, creator_id, 1)


async def unfollow(tx: Tx, user_id: UUID, creator_id: UUID) -> None:
    if await store.delete_follow(tx, user_id, creator_id):
        await store.add_followers(tx, creator_id, -1)


async def apply_as_seller(tx: Tx, user_id: UUID, seller_id: UUID, name: str) -> Seller:
    """Make a seller with this person as its first member. Raises SameIdOtherContents."""
    state = SellerState.approved if config.of(Settings).open_sellers else SellerState.applied
    wanted = Seller(seller_id, name.strip(), state)
    if not wanted.name:
        raise Invalid(reason="the name is empty")
    now = clock.now()
    if await store.insert_seller(tx, wanted, user_id, now):
        await store.insert_member(tx, seller_id, user_id, now)
        return wanted
    found = (await store.sellers(tx, [seller_id]))[seller_id]
    if found.name != wanted.name or await store.seller_applicant(tx, seller_id) != user_id:
        raise SameIdOtherContents
    return found


async def move_seller(tx: Tx, seller_id: UUID, state: SellerState) -> Seller:
    """Approve or suspend. Raises NotFound."""
    await store.set_seller_state(tx, seller_id, state)
    found = (await store.sellers(tx, [seller_id])).get(seller_id)
    if found is None:
        raise NotFound
    return found


async def add_member(tx: Tx, seller_id: UUID, login: str) -> Member:
    """Raises BadLogin, NoSuchPerson, TooManyMembers, NotFound."""
    row = await store.user_by_login(tx, normal_login(login))
    if row is None:
        raise NoSuchPerson
    await store.lock_seller(tx, seller_id)
    if await store.seller_state(tx, seller_id) is None:
        raise NotFound
    if len(await store.members(tx, seller_id)) >= MEMBERS_MAX:
        raise TooManyMembers
    await store.insert_member(tx, seller_id, row["id"], clock.now())
    return Member(row["id"], row["name"], row["login"])


async def remove_member(tx: Tx, seller_id: UUID, user_id: UUID) -> None:
    """Raises LastMember."""
    await store.lock_seller(tx, seller_id)
    if [member.user_id for member in await store.members(tx, seller_id)] == [user_id]:
        raise LastMember
    await store.delete_member(tx, seller_id, user_id)


async def offer_first_run(tx: Tx) -> str | None:
    """A one-time token for making the operator; an older one stops working. None if there is an operator already."""
    await store.lock_market(tx)
    if await store.has_operator(tx):
        return None
    token = secrets.token_urlsafe(32)
    await store.set_first_run(tx, hash_of(token))
    return token


async def check_first_run(read: Read, token: str) -> None:
    """Raises FirstRunOver unless `token` is the one that `offer_first_run` gave last."""
    expected = await store.first_run_hash(read)
    if expected is None or not hmac.compare_digest(expected, hash_of(token)) or await store.has_operator(read):
        raise FirstRunOver


async def first_run(tx: Tx, token: str, new: NewUser, market: Market) -> None:
    """Make the operator and name the market. Raises FirstRunOver, LoginTaken, Invalid for the currency."""
    check_currency(market.currency)
    await store.lock_market(tx)
    await check_first_run(tx, token)
    await sign_up(tx, new, is_operator=True)
    await store.set_market(tx, market)
    await store.set_first_run(tx, None)


async def forget_old(tx: Tx, limit: int = 500) -> int:
    """Remove ended sessions and old attempts; returns how many."""
    now = clock.now()
    window = timedelta(seconds=config.of(Settings).attempts_window_seconds)
    return await store.delete_old(tx, now, now - 2 * window, limit)
