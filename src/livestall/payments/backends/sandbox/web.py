"""HTTP of the sandbox provider: its server API (/sandbox/v1, with a key) and its hosted page (/sandbox/pay)."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs

from litestar import Request, Response, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency
from litestar.handlers.base import BaseRouteHandler
from litestar.params import HeaderParameter, JSONBody, PathParameter

from livestall.base import clock, config, keys
from livestall.base.db import Database
from livestall.base.errors import NotFound
from livestall.base.http import Who, locale_of, may
from livestall.payments.backends.sandbox import actions, page
from livestall.payments.backends.sandbox.model import (
    Amounted,
    BadKey,
    CaptureRefused,
    NewSession,
    NoSession,
    Session,
    Settings,
    api_key,
    check_card,
)

Key = Annotated[str, HeaderParameter(name="Idempotency-Key", min_length=8, max_length=100)]
Db = NamedDependency[Database]
SessionId = Annotated[str, PathParameter(max_length=80)]
ASSETS = {
    "pay.css": ("text/css", (Path(__file__).parent / "assets" / "pay.css").read_text(encoding="utf-8")),
    "pay.js": ("text/javascript", (Path(__file__).parent / "assets" / "pay.js").read_text(encoding="utf-8")),
}
BODY_BYTES_MAX = 16_384


def enabled(_connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """The guard of every endpoint here: a market that takes real money switches the sandbox off."""
    if not config.of(Settings).enabled:
        raise NotFound


def has_key(connection: ASGIConnection[Any, Any, Any, Any], _handler: BaseRouteHandler) -> None:
    """The guard of the server API."""
    if not keys.same(connection.headers.get("authorization", "")[:200], f"Bearer {api_key()}"):
        raise BadKey


# The server API


API: dict[str, Any] = {
    "opt": may(Who.system), "guards": [enabled, has_key], "include_in_schema": False, "status_code": 200,
    "request_max_body_size": BODY_BYTES_MAX,
}  # fmt: skip
READ: dict[str, Any] = {"opt": may(Who.system), "guards": [enabled, has_key], "include_in_schema": False}


@post("/sandbox/v1/sessions", **API)
async def sandbox_open_session(data: JSONBody[NewSession], key: Key, db: Db) -> Session:
    return await db.run(lambda tx: actions.open_session(tx, key, data))


@get("/sandbox/v1/sessions/{session_id:str}", **READ)
async def sandbox_session(session_id: SessionId, db: Db) -> Session:
    async with db.write() as tx:
        return await actions.shown(tx, await actions.locked(tx, session_id))


@post("/sandbox/v1/sessions/{session_id:str}/capture", **API)
async def sandbox_capture(session_id: SessionId, data: JSONBody[Amounted], key: Key, db: Db) -> Session:
    session, taken = await db.run(lambda tx: actions.capture(tx, session_id, key, data.amount))
    if not taken:  # said after the commit: the refusal itself changed the session
        raise CaptureRefused
    return session


@post("/sandbox/v1/sessions/{session_id:str}/void", **API)
async def sandbox_void(session_id: SessionId, key: Key, db: Db) -> Session:
    return await db.run(lambda tx: actions.void(tx, session_id, key))


@post("/sandbox/v1/sessions/{session_id:str}/refunds", **API)
async def sandbox_refund(session_id: SessionId, data: JSONBody[Amounted], key: Key, db: Db) -> Session:
    return await db.run(lambda tx: actions.refund(tx, session_id, key, data.amount))


# The hosted page


PAGE: dict[str, Any] = {"opt": may(Who.anyone), "guards": [enabled], "include_in_schema": False}


def _locale(request: Request[Any, Any, Any], session_locale: str) -> str:
    """The buyer's choice on the page, else the market's, else the browser's."""
    for chosen in (request.query_params.get("lang", ""), session_locale, locale_of(request)):
        if chosen[:2] in {"en", "zh"}:
            return chosen[:2]
    return "en"


@get("/sandbox/pay/{session_id:str}", **PAGE)
async def sandbox_pay_page(session_id: SessionId, request: Request[Any, Any, Any], db: Db) -> Response[str]:
    try:
        async with db.write() as tx:
            stored = await actions.locked(tx, session_id)
    except NoSession:
        return page.unknown(_locale(request, ""))
    card = request.query_params.get("card", "")
    shown = page.Shown(stored, _locale(request, stored.locale), secrets.token_urlsafe(16), clock.now())
    return page.answer(shown, values={"number": card} if page.is_test_number(card) else {})


@post("/sandbox/pay/{session_id:str}", **PAGE, status_code=200, request_max_body_size=BODY_BYTES_MAX)
async def sandbox_pay(session_id: SessionId, request: Request[Any, Any, Any], db: Db) -> Response[str]:
    """The click on "pay". Declines come back on the page; whatever is settled goes back to the market."""
    fields = {
        name: values[0][:64]
        for name, values in parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=20).items()
    }
    now = clock.now()
    card, wrong = check_card(fields.get("number", ""), fields.get("expiry", ""), fields.get("cvc", ""), now)
    try:
        if card is None:
            async with db.write() as tx:
                stored = await actions.locked(tx, session_id)
        else:
            token = fields.get("token") or secrets.token_urlsafe(16)
            stored = await db.run(lambda tx: actions.pay(tx, session_id, token, card))
    except NoSession:
        return page.unknown(_locale(request, ""))
    if stored.status in page.PAID:
        return page.go_back(stored)
    shown = page.Shown(stored, _locale(request, stored.locale), secrets.token_urlsafe(16), now)
    return page.answer(shown, values={"expiry": fields.get("expiry", "")}, wrong=wrong)


@get("/sandbox/assets/{name:str}", **PAGE)
async def sandbox_asset(name: SessionId) -> Response[str]:
    if name not in ASSETS:
        raise NotFound
    media_type, text = ASSETS[name]
    return Response(text, media_type=media_type, headers={"cache-control": "public, max-age=300"})


ROUTES = [
    sandbox_open_session,
    sandbox_session,
    sandbox_capture,
    sandbox_void,
    sandbox_refund,
    sandbox_pay_page,
    sandbox_pay,
    sandbox_asset,
]
