"""A person at the market's public door: the HTTP API and the room's socket, as any program may use them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping
from html.parser import HTMLParser
from typing import Any, cast
from urllib.parse import urljoin
from uuid import UUID

import aiohttp
import msgspec

from livestall.base import ids

Json = dict[str, Any]


class Refused(Exception):
    """The market said no: an RFC 9457 problem."""

    def __init__(self, status: int, problem: Json) -> None:
        self.status = status
        self.code: str = problem.get("code", "")
        self.detail: str = problem.get("detail", "")
        super().__init__(f"{status} {self.code}: {self.detail}")


class Door:
    """The market's address and the connections to it, shared by many people."""

    def __init__(self, base: str) -> None:
        self.base = base.rstrip("/")
        self.session = aiohttp.ClientSession(
            cookie_jar=aiohttp.DummyCookieJar(), timeout=aiohttp.ClientTimeout(total=30),
            connector=aiohttp.TCPConnector(limit=512),  # every viewer keeps a socket open
        )  # fmt: skip

    async def close(self) -> None:
        await self.session.close()

    async def __aenter__(self) -> Door:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class Person:
    """Somebody at the door: signed out, signed in by cookie, or a program with an API token."""

    def __init__(self, door: Door, *, token: str | None = None, locale: str = "en") -> None:
        self.door = door
        self.headers: dict[str, str] = {"Accept-Language": locale}
        self.me: Json = {}
        if token is not None:
            self.headers["Authorization"] = f"Bearer {token}"

    async def call(self, method: str, path: str, body: object = None, *, data: object = None) -> Any:
        """The decoded answer. Raises Refused for every status from 400, aiohttp.ClientError when nobody answers."""
        raw = None if body is None else msgspec.json.encode(body)
        headers = dict(self.headers) if raw is None else {**self.headers, "Content-Type": "application/json"}
        payload = raw if raw is not None else data
        url = urljoin(self.door.base, path)
        async with self.door.session.request(method, url, data=payload, headers=headers) as answer:
            text = await answer.read()
            decoded = msgspec.json.decode(text) if text and "json" in answer.content_type else text
            if answer.status >= 400:
                raise Refused(answer.status, cast("Json", decoded) if isinstance(decoded, dict) else {})
            if answer.cookies:
                kept = dict(one.split("=", 1) for one in self.headers.get("Cookie", "").split("; ") if one)
                kept |= {cookie.key: cookie.value for cookie in answer.cookies.values()}
                self.headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in kept.items())
            return decoded

    async def get(self, path: str) -> Any:
        return await self.call("GET", path)

    async def post(self, path: str, body: object = None) -> Any:
        return await self.call("POST", path, body)

    async def put(self, path: str, body: object) -> Any:
        return await self.call("PUT", path, body)

    async def delete(self, path: str) -> Any:
        return await self.call("DELETE", path)

    async def upload(self, path: str, name: str, content: bytes, kind: str) -> Any:
        form = aiohttp.FormData()
        form.add_field("file", content, filename=name, content_type=kind)
        return await self.call("POST", path, data=form)

    async def sign_up(self, login: str, password: str, name: str, locale: str = "en") -> Person:
        body = {"id": ids.new(), "login": login, "password": password, "name": name, "locale": locale}
        self.me = await self.post("/api/sign-up", body)
        return self

    async def sign_in(self, login: str, password: str) -> Person:
        self.me = await self.post("/api/sign-in", {"login": login, "password": password})
        return self

    async def api_token(self, name: str, scopes: list[str]) -> str:
        made = await self.post("/api/me/tokens", {"id": ids.new(), "name": name, "scopes": scopes})
        return made["secret"]

    async def pay(self, order_id: object, card: str = "4242 4242 4242 4242", return_url: str = "") -> int:
        """Pay a placed order on the sandbox provider's hosted page; returns the HTTP status of its answer."""
        started = await self.post(
            f"/api/orders/{order_id}/pay", {"return_url": return_url or f"{self.door.base}/orders"}
        )
        return await pay_at(self.door, started["pay_url"], card)


class _Form(HTMLParser):
    """The first form of a page: where it goes, and its fields with what stands in them."""

    def __init__(self) -> None:
        super().__init__()
        self.action: str | None = None
        self.fields: dict[str, str] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "form" and self.action is None:
            self.action = given.get("action") or ""
        elif tag == "input" and (name := given.get("name")):
            self.fields[name] = given.get("value") or ""


async def pay_at(door: Door, pay_url: str, card: str) -> int:
    """Fill in the hosted page at `pay_url` like a person: the card's number, a date to come, any three digits."""
    async with door.session.get(urljoin(door.base, pay_url)) as page:
        form = _Form()
        form.feed(await page.text())
        at = str(page.url)
    if form.action is None:
        raise Refused(502, {"code": "no-form", "detail": f"the payment page at {pay_url} has no form"})
    for name in form.fields:
        if re.search("card|number", name):
            form.fields[name] = card
        elif re.search("exp", name):
            form.fields[name] = "12/39"
        elif re.search("cvc|cvv", name):
            form.fields[name] = "123"
        elif re.search("name|holder", name):
            form.fields[name] = "Demo Buyer"
    async with door.session.post(urljoin(at, form.action), data=form.fields, allow_redirects=False) as answer:
        await answer.read()
        return answer.status


class Socket:
    """The socket of one room for one person. `heard` is called with every frame of the room except answers."""

    def __init__(self, person: Person, show_id: object, heard: Callable[[Json], None] | None = None) -> None:
        self._person = person
        self._show_id = show_id
        self._heard = heard
        self._waiting: dict[str, asyncio.Future[Json]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._ws: aiohttp.ClientWebSocketResponse | None = None

    async def open(self, last_seq: int | None = None) -> Socket:
        """Get a ticket, connect, say hello. Raises Refused, aiohttp.ClientError."""
        ticket = await self._person.post(f"/api/shows/{self._show_id}/ticket")
        url = ticket["url"]
        if "ticket=" not in url:
            url = f"{url}{'&' if '?' in url else '?'}ticket={ticket['ticket']}"
        self._ws = await self._person.door.session.ws_connect(url, autoping=True, max_msg_size=0)
        await self._ws.send_json({"type": "hello", "last_seq": last_seq})
        self._reader = asyncio.create_task(self._read(self._ws))
        return self

    @property
    def closed(self) -> bool:
        return self._reader is None or self._reader.done()

    async def until_closed(self) -> None:
        if self._reader is not None:
            await asyncio.wait([self._reader])

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        try:
            async for message in ws:
                if message.type != aiohttp.WSMsgType.TEXT:
                    continue
                text = cast("str", message.data)
                if self._heard is None and '"answer"' not in text[:40]:
                    continue  # the crowd looks at its own answers only: decoding every frame would cost a core
                self._take(msgspec.json.decode(text))
        finally:
            for future in self._waiting.values():
                if not future.done():
                    future.set_exception(ConnectionResetError("the socket closed before the answer"))

    def _take(self, frame: Json) -> None:
        if frame.get("type") != "answer":
            if self._heard is not None:
                self._heard(frame)
            return
        future = self._waiting.pop(frame["id"], None)
        if future is not None and not future.done():
            future.set_result(frame)

    async def ask(self, command: Mapping[str, object], seconds: float = 15) -> Json:
        """Send a command and wait for its answer's result. Raises Refused, ConnectionError, TimeoutError."""
        if self._ws is None or self.closed:
            raise ConnectionResetError("the socket is closed")
        key = str(command["id"])
        future = self._waiting[key] = asyncio.get_running_loop().create_future()
        try:
            await self._ws.send_str(msgspec.json.encode(command).decode())
            async with asyncio.timeout(seconds):
                answer = await future
        finally:
            self._waiting.pop(key, None)
        if not answer["ok"]:
            raise Refused(answer["error"].get("status", 400), answer["error"])
        return answer.get("result") or {}

    async def chat(self, text: str) -> Json:
        return await self.ask({"type": "chat", "id": ids.new(), "text": text})

    async def like(self, count: int = 1) -> Json:
        return await self.ask({"type": "like", "id": ids.new(), "count": count})

    async def buy(self, line: Mapping[str, object], order_id: UUID | None = None) -> Json:
        return await self.ask({"type": "buy", "id": order_id or ids.new(), "lines": [line]})

    async def close(self) -> None:
        if self._ws is not None:
            await self._ws.close()
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
