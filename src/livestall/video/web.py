"""HTTP of video: the hook endpoint that media servers ask and tell."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, post
from litestar.types import ControllerRouterHandler

from livestall.base.db import Database
from livestall.base.errors import Conflict, Forbidden
from livestall.base.http import Who, may
from livestall.video import actions
from livestall.video.backends import server
from livestall.video.model import Grant, Hook, Publishing, Stopping

BODY_BYTES_MAX = 64 * 1024


@post("/api/hooks/media/{server_name:str}", opt=may(Who.system), request_max_body_size=BODY_BYTES_MAX, status_code=200)
async def media_hook(server_name: str, request: Request[Any, Any, Any], db: Database) -> Response[bytes]:
    """A notice or question of a media server, in that server's own form and signed its own way."""
    media = server(server_name)
    hook = media.parse_hook(request.headers, await request.body())
    answer: Grant | Conflict | Forbidden | None
    try:
        answer = await _take_in(db, hook)
    except (Conflict, Forbidden) as refusal:
        answer = refusal
    reply = media.reply(answer)
    return Response(reply.body, status_code=reply.status, media_type=reply.media_type)


async def _take_in(db: Database, hook: Hook) -> Grant | None:
    if hook.kind == "authorize_publish":
        async with db.read() as read:
            return await actions.authorise(read, hook.stream, hook.secret or "")
    if hook.kind == "published":
        start = Publishing(hook.stream, hook.session_of(), hook.protocol, hook.at)
        await db.run(lambda tx: actions.published(tx, [start]))
    elif hook.kind == "unpublished":
        stop = Stopping(hook.stream, hook.session_of(), hook.protocol, hook.at, hook.reason)
        await db.run(lambda tx: actions.unpublished(tx, [stop]))
    elif hook.kind == "recorded":
        await db.run(lambda tx: actions.recorded(tx, hook.stream, hook.recording))
    return None


ROUTES: list[ControllerRouterHandler] = [media_hook]
