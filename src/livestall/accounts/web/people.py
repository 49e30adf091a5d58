"""Endpoints of a person: signing up and in, me, API tokens, the first run."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, delete, get, patch, post
from litestar.datastructures import Cookie
from msgspec import Meta

from livestall.accounts import actions, store
from livestall.accounts.model import COOKIE, COOKIE_SECONDS, TOKENS_MAX, Actor, ApiToken, Market, Me, NewUser, User
from livestall.base.db import Database, Read
from livestall.base.http import Who, may

Name = Annotated[str, Meta(min_length=1, max_length=80)]
Login = Annotated[str, Meta(min_length=1, max_length=254)]
Password = Annotated[str, Meta(max_length=1000)]
Locale = Literal["en", "zh"]


class SignUp(msgspec.Struct, frozen=True):
    id: UUID
    login: Login
    password: Password
    name: Name
    locale: Locale = "en"


class SignIn(msgspec.Struct, frozen=True):
    login: Login
    password: Password


class ChangeMe(msgspec.Struct, frozen=True):
    name: Name | None = None
    locale: Locale | None = None


class ChangePassword(msgspec.Struct, frozen=True):
    old_password: Password
    new_password: Password


class NewToken(msgspec.Struct, frozen=True):
    id: UUID
    name: Name
    scopes: Annotated[list[str], Meta(max_length=20)]


class FirstRun(msgspec.Struct, frozen=True):
    token: Annotated[str, Meta(max_length=200)]
    id: UUID
    login: Login
    password: Password
    name: Name
    market_name: Name
    currency: Annotated[str, Meta(max_length=3)]
    locale: Locale = "en"


async def me_of(read: Read, user_id: UUID | None) -> Me:
    """What the pages need to know about that person, or about nobody."""
    row = await store.user(read, user_id) if user_id else None
    market = await store.market(read)
    if row is None:
        first_run = not await store.has_operator(read)
        return Me(None, None, [], is_operator=False, market=market, first_run=first_run)
    return Me(
        user=User(row["id"], row["name"], row["login"], row["locale"]),
        creator=await store.creator_of(read, row["id"]),
        sellers=await store.sellers_of(read, row["id"]),
        is_operator=row["is_operator"],
        market=market,
        first_run=not await store.has_operator(read),
    )


async def _with_session(request: Request[Any, Any, Any], db: Database, user_id: UUID, status: int) -> Response[Me]:
    async with db.write() as tx:
        if old := request.cookies.get(COOKIE):
            await actions.close_session(tx, old)
        token = await actions.open_session(tx, user_id)
        me = await me_of(tx, user_id)
    secure = request.url.scheme == "https"
    cookie = Cookie(COOKIE, value=token, max_age=COOKIE_SECONDS, httponly=True, samesite="lax", secure=secure)
    return Response(me, status_code=status, cookies=[cookie])


@get("/api/me", opt=may(Who.anyone))
async def me(db: Database, actor: Actor) -> Me:
    """Who I am here; also for viewers who are nobody yet."""
    async with db.read() as read:
        return await me_of(read, actor.user_id)


@post("/api/sign-up", opt=may(Who.anyone))
async def sign_up(request: Request[Any, Any, Any], db: Database, data: SignUp) -> Response[Me]:
    """Make an account and sign in. Repeated with the same id and contents: signs in again."""
    new = await actions.new_user(data.id, data.login, data.password, data.name, data.locale)
    async with db.read() as read:
        known = await store.user(read, new.id)
        taken = known is None and await store.user_by_login(read, new.login) is not None
    if not await actions.already_signed_up(known, new, taken=taken):
        async with db.write() as tx:
            await actions.sign_up(tx, new)
    return await _with_session(request, db, new.id, 201)


@post("/api/sign-in", opt=may(Who.anyone), status_code=200)
async def sign_in(request: Request[Any, Any, Any], db: Database, data: SignIn) -> Response[Me]:
    """Sign in with e-mail or phone and password."""
    address = request.client.host if request.client else ""
    user_id = await actions.sign_in(db, data.login, data.password, address)
    return await _with_session(request, db, user_id, 200)


@post("/api/sign-out", opt=may(Who.anyone), status_code=204)
async def sign_out(request: Request[Any, Any, Any], db: Database) -> Response[None]:
    """End this session; without one, nothing happens."""
    if token := request.cookies.get(COOKIE):
        async with db.write() as tx:
            await actions.close_session(tx, token)
    answer = Response(None, status_code=204)
    answer.delete_cookie(COOKIE, path="/")
    return answer


@patch("/api/me", opt=may(Who.signed_in, "profile:write"))
async def change_me(db: Database, actor: Actor, data: ChangeMe) -> Me:
    """Change my name or language."""
    async with db.write() as tx:
        await actions.change_me(tx, actor.need_user(), data.name, data.locale)
        return await me_of(tx, actor.user_id)


@post("/api/me/password", opt=may(Who.signed_in), status_code=200)
async def change_password(
    request: Request[Any, Any, Any], db: Database, actor: Actor, data: ChangePassword
) -> Response[Me]:
    """Change my password; ends all my other sessions."""
    user_id = actor.need_user()
    address = request.client.host if request.client else ""
    await actions.change_password(db, user_id, data.old_password, data.new_password, address)
    return await _with_session(request, db, user_id, 200)


@get("/api/me/tokens", opt=may(Who.signed_in))
async def my_tokens(db: Database, actor: Actor) -> list[ApiToken]:
    """My API tokens, without their secrets."""
    async with db.read() as read:
        return (await store.tokens(read, actor.need_user()))[:TOKENS_MAX]


@post("/api/me/tokens", opt=may(Who.signed_in))
async def make_token(db: Database, actor: Actor, data: NewToken) -> ApiToken:
    """Make an API token. Its secret is in this answer and never again."""
    async with db.write() as tx:
        return await actions.make_token(tx, actor.need_user(), data.id, data.name, data.scopes)


@delete("/api/me/tokens/{token_id:uuid}", opt=may(Who.signed_in))
async def delete_token(db: Database, actor: Actor, token_id: UUID) -> None:
    """End an API token of mine at once."""
    async with db.write() as tx:
        await actions.delete_token(tx, actor.need_user(), token_id)


@post("/api/first-run", opt=may(Who.anyone), status_code=200)
async def first_run(request: Request[Any, Any, Any], db: Database, data: FirstRun) -> Response[Me]:
    """Make the operator with the one-time token that the first start printed, and name the market."""
    async with db.read() as read:
        await actions.check_first_run(read, data.token)  # before any password is hashed for a stranger
    new: NewUser = await actions.new_user(data.id, data.login, data.password, data.name, data.locale)
    async with db.write() as tx:
        await actions.first_run(tx, data.token, new, Market(data.market_name, data.currency))
    return await _with_session(request, db, new.id, 200)


ROUTES = [
    me, sign_up, sign_in, sign_out, change_me, change_password, my_tokens, make_token, delete_token, first_run,
]  # fmt: skip
