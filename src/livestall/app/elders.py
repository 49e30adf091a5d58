"""A media process that was replaced carries its shows to their end; the fresh one answers for it in public.

The one that leaves (the elder) accepts nobody new, keeps its publishers, and opens a private port. The fresh one has
the public ports: what is asked about a stream of an elder it hands on, so neither the host nor a viewer notices. When
a publisher comes back to the fresh one, its stream moves there: the elder ends its own part of it first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from uuid import UUID

import aiohttp
import msgspec
import structlog
from aiohttp import web

from livestall.base import ids, keys
from livestall.base.errors import Invalid
from livestall.video.backends.embedded import SIGNATURE
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.http import Target
from livestall.video.embedded.recorder import MEDIA_FILE

log = structlog.get_logger()
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
TIMEOUT = aiohttp.ClientTimeout(total=40, connect=1)
PURPOSE = "elder"
OWN = (f"/{MEDIA_FILE}", "/whip", "/replay.m3u8")
"""What the fresh process answers itself: files, and publishers who come back."""

HOP_HEADERS = {"connection", "keep-alive", "transfer-encoding", "content-length", "upgrade", "te", "trailer", "host"}


class Elders:
    """The elders of this process, at `addresses`, and the way to them."""

    def __init__(self, engine: Engine, addresses: Sequence[str]) -> None:
        self._engine = engine
        self._client = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False, auto_decompress=False)
        self._carried: dict[str, set[UUID]] = {address: set() for address in addresses}
        self.leaving = False
        """Connections end with their next answer, so that everyone comes to the process that follows."""

    async def start(self) -> None:
        """Learn what the elders carry. They take nothing new, so that never grows."""
        for address in list(self._carried):
            with suppress(aiohttp.ClientError, TimeoutError, msgspec.MsgspecError):
                self._carried[address] = set(msgspec.json.decode(await self._ask(address, "streams"), type=list[UUID]))
        carried = sum(map(len, self._carried.values()))
        if self._carried:
            log.info("the process before carries its shows to their end", streams=carried)

    async def close(self) -> None:
        await self._client.close()

    async def take_over(self, stream_id: UUID) -> None:
        """A publisher of `stream_id` came to this process: the elder that carried it ends its part."""
        address = self._elder_of(stream_id)
        if address is None:
            return
        with suppress(aiohttp.ClientError, TimeoutError):
            await self._ask(address, "release", stream_id)
        self._carried[address].discard(stream_id)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await self._answer(request, handler) if self._carried else await handler(request)
        if self.leaving and not answer.prepared:
            answer.force_close()
        return answer

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        verb = request.match_info.get("verb")
        stream_id = _target(await request.read()) if verb else _id(request.match_info.get("stream", ""))
        address = None if request.path.endswith(OWN) or stream_id is None else self._elder_of(stream_id)
        if address is not None:
            return await self._hand_on(request, address)
        answer = await handler(request)
        if verb == "online" and isinstance(answer, web.Response) and answer.status == 200:
            return await self._with_elders(request, answer)
        return answer

    def _elder_of(self, stream_id: UUID) -> str | None:
        if stream_id in self._engine.streams:
            return None
        return next((address for address, carried in self._carried.items() if stream_id in carried), None)

    async def _hand_on(self, request: web.Request, address: str) -> web.StreamResponse:
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP_HEADERS}
        body = await request.read() or None
        try:
            async with self._client.request(
                request.method, f"{address}{request.path_qs}", headers=headers, data=body
            ) as answer:
                kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP_HEADERS]
                return web.Response(status=answer.status, body=await answer.read(), headers=kept)
        except (aiohttp.ClientConnectionError, TimeoutError):
            if self._carried.pop(address, None) is not None:
                log.info("the process before has ended", address=address)
            return web.Response(status=404)

    async def _with_elders(self, request: web.Request, own: web.Response) -> web.Response:
        """Everyone who publishes, here and at the elders."""
        here = own.body if isinstance(own.body, bytes) else b"[]"
        found: list[msgspec.Raw] = msgspec.json.decode(here, type=list[msgspec.Raw])
        for address in list(self._carried):
            answer = await self._hand_on(request, address)
            if isinstance(answer, web.Response) and answer.status == 200 and isinstance(answer.body, bytes):
                found += msgspec.json.decode(answer.body, type=list[msgspec.Raw])
        return web.Response(body=msgspec.json.encode(found), content_type="application/json")

    async def _ask(self, address: str, verb: str, stream_id: UUID | None = None) -> bytes:
        body = msgspec.json.encode(Target(stream_id))
        headers = {SIGNATURE: keys.stamp(PURPOSE, verb.encode() + b"." + body)}
        async with self._client.post(f"{address}/elder/{verb}", data=body, headers=headers) as answer:
            answer.raise_for_status()
            return await answer.read()


def elder_routes(engine: Engine) -> list[web.RouteDef]:
    """What a process that leaves answers to the one that follows, signed."""

    async def answer(request: web.Request) -> web.Response:
        verb, body = request.match_info["what"], await request.read()
        if not keys.proves(PURPOSE, request.headers.get(SIGNATURE, ""), verb.encode() + b"." + body):
            return web.Response(status=403)
        if verb == "streams":
            return web.Response(body=msgspec.json.encode(list(engine.streams)), content_type="application/json")
        stream_id = _target(body)
        if verb == "release" and stream_id is not None:
            await engine.release(stream_id)
        return web.Response(status=204)

    return [web.post("/elder/{what}", answer)]


def _target(body: bytes) -> UUID | None:
    try:
        return msgspec.json.decode(body, type=Target).stream
    except msgspec.MsgspecError:
        return None


def _id(text: str) -> UUID | None:
    try:
        return ids.parse(text)
    except Invalid:
        return None
