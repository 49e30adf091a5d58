"""HTTP of chat, and the socket command `chat`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from litestar.params import Parameter
from msgspec import Meta

from livestall import rooms
from livestall.accounts import Actor
from livestall.base.db import Database, Tx
from livestall.base.errors import Refusal
from livestall.base.http import PAGE_MAX, Page, Who, cursor_of, may, read_cursor
from livestall.chat import actions, store
from livestall.chat.model import MUTE_SECONDS_MAX, ChatMessage, ChatMode, Message

Reason = Annotated[str, Meta(max_length=500)]
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class NewMessage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID
    text: Annotated[str, Meta(max_length=2000)]


class NewMute(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`seconds` null: for good."""

    id: UUID
    user_id: UUID
    seconds: Annotated[int, Meta(ge=1, le=MUTE_SECONDS_MAX)] | None
    reason: Reason = ""


@post("/api/shows/{show_id:uuid}/chat", opt=may(Who.signed_in, "chat:write"))
async def say_in_chat(db: Database, actor: Actor, show_id: UUID, data: NewMessage) -> ChatMessage:
    message = Message(data.id, show_id, actor.need_user(), actor.name, data.text)
    (answer,) = await db.run(lambda tx: actions.say(tx, [message]))
    if isinstance(answer, Refusal):
        raise answer
    return answer


@get("/api/shows/{show_id:uuid}/chat", opt=may(Who.anyone))
async def list_chat(
    db: Database, actor: Actor, show_id: UUID, after_stream_at: datetime | None = None,
    cursor: Annotated[str | None, Parameter(max_length=500)] = None,
) -> Page[ChatMessage]:  # fmt: skip
    """The chat as it was, by stream time, from `after_stream_at` on."""
    after: tuple[datetime, UUID | None] = (after_stream_at or BEGINNING, None)
    if after[0].tzinfo is None:
        after = (after[0].replace(tzinfo=UTC), None)
    if cursor is not None:
        at, message_id = read_cursor(cursor, [datetime, UUID])
        after = (at, message_id)
    async with db.read() as read:
        await rooms.visible_show(read, show_id, actor)
        found = await store.page(read, show_id, after, PAGE_MAX + 1)
    shown = found[:PAGE_MAX]
    return Page(shown, cursor_of(shown[-1].stream_at, shown[-1].id) if len(found) > PAGE_MAX else None)


@delete("/api/shows/{show_id:uuid}/chat/{message_id:uuid}", opt=may(Who.signed_in, "chat:write"))
async def delete_message(
    db: Database, actor: Actor, show_id: UUID, message_id: UUID,
    reason: Annotated[str, Parameter(max_length=500)] = "",
) -> None:  # fmt: skip
    await db.run(lambda tx: actions.delete(tx, actor, show_id, message_id, reason))


@post("/api/shows/{show_id:uuid}/mutes", opt=may(Who.signed_in, "chat:write"), status_code=204)
async def mute_person(db: Database, actor: Actor, show_id: UUID, data: NewMute) -> None:
    async def verb(tx: Tx) -> None:
        await actions.mute(
            tx, actor, show_id, act_id=data.id, user_id=data.user_id, seconds=data.seconds, reason=data.reason
        )

    await db.run(verb)


@delete("/api/shows/{show_id:uuid}/mutes/{user_id:uuid}", opt=may(Who.signed_in, "chat:write"))
async def unmute_person(db: Database, actor: Actor, show_id: UUID, user_id: UUID) -> None:
    await db.run(lambda tx: actions.unmute(tx, actor, show_id, user_id))


@get("/api/shows/{show_id:uuid}/chat-mode", opt=may(Who.anyone))
async def get_chat_mode(db: Database, actor: Actor, show_id: UUID) -> ChatMode:
    async with db.read() as read:
        await rooms.visible_show(read, show_id, actor)
        return (await store.modes(read, [show_id]))[show_id]


@put("/api/shows/{show_id:uuid}/chat-mode", opt=may(Who.signed_in, "chat:write"))
async def put_chat_mode(db: Database, actor: Actor, show_id: UUID, data: ChatMode) -> ChatMode:
    return await db.run(lambda tx: actions.set_mode(tx, actor, show_id, data))


ROUTES = [say_in_chat, list_chat, delete_message, mute_person, unmute_person, get_chat_mode, put_chat_mode]
