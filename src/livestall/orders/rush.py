"""`POST /api/orders` in a rush: the plain order of a browser is taken in without the framework.

The whole endpoint is `web.place_order`; this is its short way for what nearly every request is: a session's cookie and
a device's, the page's own origin, an order in JSON. Whatever is different in any way, or wrong in any way, is left to
the framework as it came, which guards, checks and answers it. So there is one word on who may do what, and it is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol
from uuid import UUID

import msgspec
import structlog

from livestall.base import config, devices
from livestall.base.errors import Refusal
from livestall.base.http import cookies_of, problem_answer
from livestall.orders import model
from livestall.orders.entry import Entry
from livestall.orders.line import Line
from livestall.orders.model import LineTicket, wishes
from livestall.orders.model.mold import Placed
from livestall.orders.model.wishes import NewOrder

log = structlog.get_logger()
PATH = "/api/orders"
BODY_BYTES_MAX = 65_536

Headers = Mapping[bytes, bytes]

_decode = msgspec.json.Decoder(NewOrder).decode
_encode = msgspec.json.Encoder().encode
_JSON = (b"content-type", b"application/json")


class Answer(NamedTuple):
    """What is sent back: the headers are without those that every answer carries."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


Reply = Callable[[Answer | None], None]
"""Called once for each request; None: let the framework see to it."""


class Sessions(Protocol):
    """Whose sessions the requests come with (`accounts.Sessions`)."""

    def token(self, asked: Headers, cookies: Mapping[str, str]) -> str | None: ...
    def known(self, token: str) -> UUID | None: ...
    async def look(self, token: str) -> UUID | None: ...


class Rush:
    """In front of the framework."""

    def __init__(self, line: Line, sessions: Sessions) -> None:
        self._line, self._sessions = line, sessions
        self._looking: set[asyncio.Task[None]] = set()

    def take(self, headers: Headers, body: bytes, reply: Reply) -> None:
        """Take an order in and `reply` when it is decided: at once, or once its batch is, or with a place in line."""
        cookies = cookies_of(headers)
        token = None if b"prefer" in headers else self._sessions.token(headers, cookies)
        device = None if token is None else devices.read(cookies.get(devices.COOKIE, ""))
        is_json = headers.get(b"content-type", b"").partition(b";")[0].strip() == b"application/json"
        if token is None or device is None or not is_json:
            reply(None)
            return
        try:
            wanted = _decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            reply(None)
            return
        claim = _Claim(self._line, device, wanted, _locale(headers), reply)
        person = self._sessions.known(token)
        if person is not None:
            claim.enter(person)
            return
        task = asyncio.create_task(self._look(token, claim))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _look(self, token: str, claim: _Claim) -> None:
        try:
            person = await self._sessions.look(token)
            if person is None:
                claim.pass_on()
            else:
                claim.enter(person)
        except Refusal as refusal:
            claim.end(refusal)
        except Exception as error:
            log.error("an order broke on the short way", exc_info=error)
            claim.pass_on()


class _Claim:
    """One order on its way through the line."""

    __slots__ = ("_device", "_entry", "_line", "_locale", "_reply", "_timer", "_wanted")

    def __init__(self, line: Line, device: UUID, wanted: NewOrder, locale: str, reply: Reply) -> None:
        self._line, self._device, self._wanted, self._locale = line, device, wanted, locale
        self._reply: Reply | None = reply
        self._entry: Entry | None = None
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, person: UUID) -> None:
        """Stand in line."""
        try:
            entry = self._line.enter(wishes.draft(person, self._wanted), self._device)
        except Refusal as refusal:
            self.end(refusal)
            return
        self._entry = entry
        patience = config.of(model.Settings).line_patience_seconds
        self._timer = asyncio.get_running_loop().call_later(patience, self._late)
        entry.ask(self)

    def tell(self, ticket: LineTicket) -> None:
        """Who asks by HTTP comes back for the place."""

    def end(self, said: Placed | Exception) -> None:
        """What became of the order."""
        if isinstance(said, Placed):
            self._say(Answer(201 if said.new else 200, (_JSON,), said.json))
        elif isinstance(said, Refusal):
            self._say(Answer(*problem_answer(said, self._locale)))
        else:
            self.pass_on()

    def pass_on(self) -> None:
        """Let the framework answer."""
        self._say(None)

    def _late(self) -> None:
        """Nobody waits longer: the order keeps its place, and whoever asks there is told what becomes of it."""
        entry = self._entry
        if entry is not None:
            where = (b"location", f"{PATH}/{entry.draft.order_id}/place".encode())
            self._say(Answer(202, (_JSON, where), _encode(self._line.ticket(entry))))

    def _say(self, answer: Answer | None) -> None:
        reply, self._reply = self._reply, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if reply is not None:
            reply(answer)


def _locale(headers: Headers) -> str:
    return "zh" if headers.get(b"accept-language", b"").lower().startswith(b"zh") else "en"
