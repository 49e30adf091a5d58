"""HTTP of video: the hooks of media servers, each in its server's own form."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Any

import structlog
from litestar import Request, Response, post
from litestar.types import ControllerRouterHandler

from livestall.base.db import Database
from livestall.base.errors import Conflict, Forbidden, NotFound, TooMany
from livestall.base.http import Who, may
from livestall.video import actions
from livestall.video.backends import Embedded, by_name
from livestall.video.backends.embedded import BeatTaken
from livestall.video.model import BadHook, Grant, Hook, Publishing, Stopping

log = structlog.get_logger()
BODY_BYTES_MAX = 64 * 1024
HOOKS_PER_SECOND = 200
STRANGERS_PER_MINUTE = 60
COUNTED_MAX = 1000


class _Pace:
    """How many calls of one name there were in the window of now."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._counts: OrderedDict[str, tuple[int, int]] = OrderedDict()

    def count(self, name: str) -> None:
        """Raises TooMany."""
        window = int(time.monotonic() / self._seconds)
        before, count = self._counts.pop(name, (window, 0))
        count = count + 1 if before == window else 1
        self._counts[name] = (window, count)
        if len(self._counts) > COUNTED_MAX:
            self._counts.popitem(last=False)
        if count > self._most:
            raise TooMany(retry_after_seconds=max(1, round(self._seconds)))


_hooks = _Pace(HOOKS_PER_SECOND, 1.0)
_strangers = _Pace(STRANGERS_PER_MINUTE, 60.0)


@post("/api/hooks/media/{server_name:str}", opt=may(Who.system), request_max_body_size=BODY_BYTES_MAX, status_code=200)
async def media_hook(server_name: str, request: Request[Any, Any, Any], db: Database) -> Response[bytes]:
    """A notice or question of a media server, in that server's own form and proven its own way."""
    try:
        media = by_name(server_name)
    except NotFound:
        _count_stranger(request)
        raise
    body = await request.body()
    hook: Hook | None = None
    answer: Grant | Conflict | Forbidden | None
    try:
        hook = media.parse_hook(request.headers, body, request.query_params)
        answer = await _take_in(db, hook) if _worth_it(hook) else None
    except BadHook as refusal:
        if type(refusal) is BadHook:  # not a server of ours: it is told so plainly, and not often
            _count_stranger(request)
            raise
        answer = refusal
    except (Conflict, Forbidden) as refusal:
        answer = refusal
    reply = media.reply(answer, hook)
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type, headers=dict(reply.headers))


def _count_stranger(request: Request[Any, Any, Any]) -> None:
    _strangers.count(request.client.host if request.client else "")


def _worth_it(hook: Hook) -> bool:
    """Readers are let in and segments passed over without a look at the database. Raises TooMany."""
    if hook.kind in {"authorize_read", "ignore"}:
        return False
    if hook.client is not None:  # a neighbour's: our own are signed one by one, and a lost one would be told again
        _hooks.count(hook.server)
    return True


async def _take_in(db: Database, hook: Hook) -> Grant | None:
    if hook.kind == "authorize_publish":
        async with db.read() as read:
            return await actions.authorise(read, hook.stream, hook.secret or "")
    if hook.kind == "published":
        start = Publishing(hook.stream, hook.session_of(), hook.protocol, hook.at, hook.server or None)
        await db.run(lambda tx: actions.published(tx, [start]))
    elif hook.kind == "unpublished" and hook.client is not None:
        client = hook.client
        await db.run(lambda tx: actions.left(tx, hook.stream, hook.server, client, hook.reason))
    elif hook.kind == "unpublished":
        stop = Stopping(hook.stream, hook.session_of(), hook.protocol, hook.at, hook.reason, hook.server or None)
        await db.run(lambda tx: actions.unpublished(tx, [stop]))
    elif hook.kind == "warned":
        await db.run(lambda tx: actions.warned(tx, hook.stream, hook.warnings, hook.at))
    elif hook.kind == "recorded" and hook.client is None:
        # A neighbour's finished file is found when the stream is settled; its path in a notice is not believed.
        await db.run(lambda tx: actions.recorded(tx, hook.stream, hook.recording))
    return None


@post("/api/hooks/media/embedded/beat", opt=may(Who.system), request_max_body_size=BODY_BYTES_MAX, status_code=200)
async def media_beat(request: Request[Any, Any, Any], db: Database) -> BeatTaken:
    """A media process of ours says that it is there, and under which addresses. It hears the database's time."""
    server = Embedded().parse_beat(request.headers, await request.body())
    await db.run(lambda tx: actions.saw_server(tx, server))
    async with db.read() as read:
        return BeatTaken(await actions.database_time(read))


ROUTES: list[ControllerRouterHandler] = [media_hook, media_beat]
