"""Who is behind a request, and whether they may do it: the guard in front of every endpoint."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from livestall.accounts import actions, store
from livestall.accounts.model import (
    ANONYMOUS,
    COOKIE,
    Actor,
    OtherOrigin,
    ScopeNeeded,
    SellerNotApproved,
    SellerState,
    SessionNeeded,
    Settings,
)
from livestall.base import clock, config, ids
from livestall.base.db import Database
from livestall.base.errors import Forbidden, Unauthenticated
from livestall.base.http import Who

Connection = ASGIConnection[Any, Any, Any, Any]
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
SESSION_SECONDS = 2.0
SESSIONS_MAX = 20_000
TOUCH_AFTER = timedelta(minutes=10)
"""A session or token in use is written down again at most this often."""


async def actor_of(connection: Connection) -> Actor:
    """Who sent this request; asked of the database once a request, and only if the request names somebody.

    An unknown or expired session is an anonymous viewer. An unknown API token raises Unauthenticated.
    """
    known = connection.scope.get("livestall_actor")
    if isinstance(known, Actor):
        return known
    actor = await _find_actor(connection.app.state.db, connection)
    connection.scope["livestall_actor"] = actor  # type: ignore[typeddict-unknown-key]
    return actor


async def _find_actor(db: Database, connection: Connection) -> Actor:
    if (bearer := _bearer(connection)) is not None:
        return await _token_actor(db, actions.hash_of(bearer))
    if cookie := connection.cookies.get(COOKIE):
        return await _session_actor(db, actions.hash_of(cookie))
    return ANONYMOUS


def _bearer(connection: Connection) -> str | None:
    kind, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else None


async def _session_actor(db: Database, token_hash: bytes) -> Actor:
    now = clock.now()
    async with db.read() as read:
        session = await store.session(read, token_hash, now)
    if session is None:
        return ANONYMOUS
    expires_at = now + timedelta(days=config.of(Settings).session_days)
    if expires_at - session.expires_at > TOUCH_AFTER:
        async with db.write() as tx:
            await store.touch_session(tx, token_hash, expires_at)
    return session.actor


async def _token_actor(db: Database, token_hash: bytes) -> Actor:
    now = clock.now()
    async with db.read() as read:
        found = await store.token_actor(read, token_hash)
    if found is None:
        raise Unauthenticated
    actor, last_used_at = found
    if last_used_at is None or now - last_used_at > TOUCH_AFTER:
        async with db.write() as tx:
            await store.touch_token(tx, token_hash, now)
    return actor


async def provide_actor(request: Request[Any, Any, Any]) -> Actor:
    """The `actor` that handlers ask for."""
    return await actor_of(request)


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Lets a request through to its handler only if `opt=may(…)` allows it. Refuses handlers without that mark."""
    method = connection.scope.get("method", "GET")
    if method == "OPTIONS":
        return
    opt = handler.resolve_opts() or handler.opt
    who = Who(opt["who"])
    if who is Who.system:
        return
    if method not in SAFE and _bearer(connection) is None:
        check_origin(connection)
    scope: str | None = opt.get("scope")
    if who is Who.anyone and (scope is None or method in SAFE):
        return  # the actor is looked up only if the handler asks for it
    actor = await actor_of(connection)
    if who is not Who.anyone:
        actor.need_user()
    _check_scope(actor, scope)
    await _check_role(connection, actor, who, method)


def _check_scope(actor: Actor, scope: str | None) -> None:
    if actor.scopes is None:
        return
    if scope is None:
        raise SessionNeeded
    if scope not in actor.scopes:
        raise ScopeNeeded(scope=scope)


async def _check_role(connection: Connection, actor: Actor, who: Who, method: str) -> None:
    if who is Who.operator and not actor.is_operator:
        raise Forbidden
    if who is Who.creator:
        actor.need_creator()
    if who is Who.seller:
        seller_id = ids.parse(str(connection.path_params["seller_id"]))
        if seller_id not in actor.seller_ids and not actor.is_operator:
            raise Forbidden
        if method not in SAFE and not actor.is_operator:
            await _check_approved(connection.app.state.db, seller_id)


async def _check_approved(db: Database, seller_id: UUID) -> None:
    async with db.read() as read:
        if await store.seller_state(read, seller_id) != SellerState.approved:
            raise SellerNotApproved


def check_origin(connection: Connection) -> None:
    """Raises OtherOrigin when a browser says that another site's page sent this. Programs send no such headers."""
    asked = connection.headers
    if not _is_same_site(asked.get("origin"), asked.get("sec-fetch-site"), asked.get("host", "")):
        raise OtherOrigin


def _is_same_site(origin: str | None, site: str | None, host: str) -> bool:
    if origin and origin in _trusted_origins():
        return True
    if site is not None:
        return site in {"same-origin", "none"}
    return origin is None or urlsplit(origin).netloc == host


class Sessions:
    """Who a plain request of a browser comes from, remembered for SESSION_SECONDS: a session that is ended still buys
    for so long, and no longer. Only for the one endpoint that a rush comes by; all others ask the database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known: OrderedDict[str, tuple[UUID, float]] = OrderedDict()

    def token(self, asked: Mapping[bytes, bytes], cookies: Mapping[str, str]) -> str | None:
        """The token of the session in the headers and cookies of a request; None for all that the guard has to look
        at: programs with a token of their own, other sites' pages, nobody."""
        if b"authorization" in asked:
            return None
        origin, site, host = (asked.get(name) for name in (b"origin", b"sec-fetch-site", b"host"))
        return cookies.get(COOKIE) if _is_same_site(_text(origin), _text(site), _text(host) or "") else None

    def known(self, token: str) -> UUID | None:
        """Whose session it was a moment ago; None if it has to be looked up."""
        known = self._known.get(token)
        return known[0] if known is not None and time.monotonic() - known[1] < SESSION_SECONDS else None

    async def look(self, token: str) -> UUID | None:
        """Whose session it is, to be remembered; None if there is no such session, or not any more."""
        now = time.monotonic()
        actor = await _session_actor(self._db, actions.hash_of(token))
        self._known.pop(token, None)
        if actor.user_id is None:
            return None
        self._known[token] = actor.user_id, now
        if len(self._known) > SESSIONS_MAX:
            self._known.popitem(last=False)
        return actor.user_id


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("latin-1")


def _trusted_origins() -> set[str]:
    return {one.strip().rstrip("/") for one in config.of(Settings).trusted_origins.split(",") if one.strip()}


class Unguarded(RuntimeError):
    """An endpoint does not say who may call it: the application does not start."""


def check_marks(app: Litestar) -> None:
    """Raises Unguarded, naming every handler of `app` without a valid `opt=may(Who.…)`, or whose role needs a
    `seller_id` that its path does not have."""
    problems = sorted({problem for route in app.routes for problem in _problems(route.path, _handlers(route))})
    if problems:
        raise Unguarded("\n".join(problems))


def _handlers(route: Any) -> Iterable[BaseRouteHandler]:
    many = getattr(route, "route_handlers", None)
    return many if many is not None else (route.route_handler,)


def _problems(path: str, handlers: Iterable[BaseRouteHandler]) -> Iterable[str]:
    for handler in handlers:
        if getattr(handler, "http_methods", None) == {"OPTIONS"}:
            continue  # Litestar's own answer to "which methods are there"
        who = (handler.resolve_opts() or handler.opt).get("who")
        if not isinstance(who, Who):
            yield f"{path}: {handler} does not say who may call it: opt=may(Who.…)"
        elif who is Who.seller and "{seller_id:" not in path:
            yield f"{path}: {handler} is for sellers, but its path has no seller_id"
