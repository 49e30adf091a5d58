"""`POST /api/orders` in a rush: the plain order of a browser is answered without the framework.

The whole endpoint is `web.place_order`; this is its short way for what nearly every request is: a session's cookie and
a device's, the page's own origin, an order in JSON. Whatever is different in any way, or wrong in any way, is handed to
the framework as it came, which guards, checks and answers it. So there is one word on who may do what, and it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from uuid import UUID

import msgspec
from litestar.types import ASGIApp, Receive, Scope, Send

from livestall.base import config, devices, trace
from livestall.base.errors import Refusal
from livestall.base.http import cookies_of, problem_answer
from livestall.orders import model
from livestall.orders.counter import Entry
from livestall.orders.line import Line
from livestall.orders.model import NewOrder
from livestall.orders.model.mold import Placed

PATH = "/api/orders"
BODY_BYTES_MAX = 65_536

Headers = Mapping[bytes, bytes]
Person = Callable[[Headers, Mapping[str, str]], Awaitable[UUID | None]]
"""The person of the session in these headers and cookies; None unless all about the request is plain."""

_decode = msgspec.json.Decoder(NewOrder).decode
_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


class Rush:
    """In front of `api`."""

    def __init__(self, api: ASGIApp, line: Line, person: Person) -> None:
        self._api, self._line, self._person = api, line, person

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST" or trace.on():
            await self._api(scope, receive, send)
            return
        messages, body = await _read(receive)
        waiting = None if body is None else await self._enter(dict(scope["headers"]), body)
        said = waiting if isinstance(waiting, Refusal | None) else await _answer(waiting)
        if isinstance(waiting, Entry) and said is None:
            where = (b"location", f"{PATH}/{waiting.draft.order_id}/place".encode())
            await _send(send, 202, [_JSON, where], _encode(self._line.ticket(waiting)))
        elif isinstance(said, Placed):
            await _send(send, 201 if said.new else 200, [_JSON], said.json)
        elif isinstance(said, Refusal):
            status, headers, body = problem_answer(said, _locale(scope))
            await _send(send, status, headers, body)
        else:
            await self._api(scope, _again(messages, receive), send)
            return
        scope["path_template"] = PATH  # for who counts requests by route

    async def _enter(self, headers: Headers, body: bytes) -> Entry | Refusal | None:
        """The claim's place in line, or why it has none; None for what the framework should look at."""
        if b"prefer" in headers:
            return None
        if headers.get(b"content-type", b"").partition(b";")[0].strip() != b"application/json":
            return None
        try:
            wanted = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        cookies = cookies_of(headers)
        device = devices.read(cookies.get(devices.COOKIE, ""))
        try:
            person = None if device is None else await self._person(headers, cookies)
            if person is None:
                return None
            return self._line.enter(model.draft(person, wanted), device)
        except Refusal as refusal:
            return refusal


async def _read(receive: Receive) -> tuple[list[Any], bytes | None]:
    """What came of a request, and its body; None if that is too long, or whoever sent it has gone."""
    messages: list[Any] = []
    parts: list[bytes] = []
    while True:
        message: Any = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            return messages, None
        parts.append(message.get("body", b""))
        if sum(map(len, parts)) > BODY_BYTES_MAX:
            return messages, None
        if not message.get("more_body"):
            return messages, b"".join(parts)


async def _answer(waiting: Entry) -> Placed | Exception | None:
    """What became of the claim; None if that takes long."""
    loop = asyncio.get_running_loop()
    said: asyncio.Future[Placed | Exception | None] = loop.create_future()

    def told(answer: Placed | Exception | None) -> None:
        if not said.done():
            said.set_result(answer)

    waiting.then(told)
    timer = loop.call_later(config.of(model.Settings).line_patience_seconds, told, None)
    try:
        return await said
    finally:
        timer.cancel()


def _locale(scope: Any) -> str:
    asked = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    return "zh" if asked.lower().startswith(b"zh") else "en"


def _again(messages: list[Any], receive: Receive) -> Receive:
    """`receive`, with what was read of it already."""

    async def next_message() -> Any:
        return messages.pop(0) if messages else await receive()

    return next_message


async def _send(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body, "more_body": False})
