"""HTTP of shows: planning, the broadcast, the feed, the ticket of the socket."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from litestar import Request, Response, get, patch, post
from litestar.params import Parameter, QueryParameter
from msgspec import UNSET, Meta, UnsetType

from livestall import accounts, live, video
from livestall.accounts import Actor
from livestall.base import devices
from livestall.base.db import Database, Tx
from livestall.base.errors import NotFound
from livestall.base.http import Page, Who, cursor_of, locale_of, may, read_cursor
from livestall.rooms import actions, store
from livestall.rooms.model import HOSTS, Addresses, Chapter, Role, Show, ShowCard, ShowRecord, ShowState, Ticket
from livestall.rooms.web import views

Title = Annotated[str, Meta(min_length=1, max_length=120)]
Description = Annotated[str, Meta(max_length=4000)]
Mode = Literal["default", "interactive"]
Cursor = Annotated[str | None, Parameter(max_length=500)]
FEED = {
    "live": [ShowState.live, ShowState.interrupted],
    "scheduled": [ShowState.scheduled, ShowState.preview],
    "replay": [ShowState.replay],
}
PAGE = 24


class NewShow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: UUID
    title: Title
    description: Description = ""
    planned_at: datetime | None = None
    mode: Mode = "default"


class ShowEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    planned_at: datetime | UnsetType = UNSET
    mode: Mode | UnsetType = UNSET
    ingest_delay_ms: Annotated[int, Meta(ge=0, le=10_000)] | UnsetType = UNSET


@get("/api/shows", opt=may(Who.anyone))
async def list_shows(
    db: Database, actor: Actor, addresses: Addresses, kind: Annotated[Literal["live", "scheduled", "replay"] | None, QueryParameter(name="state")] = None,
    creator_id: UUID | None = None, following: bool = False, cursor: Cursor = None,
) -> Page[ShowCard]:  # fmt: skip
    """The shows everybody may see, the newest first; `following`: only of the channels that I follow.

    Raises Unauthenticated when somebody who is not signed in asks for what they follow.
    """
    states = FEED[kind] if kind else [one for some in FEED.values() for one in some]
    creator_ids = None if creator_id is None else [creator_id]
    async with db.read() as read:
        if following:
            mine = await accounts.followed(read, actor.need_user())
            creator_ids = mine if creator_ids is None else [one for one in creator_ids if one in mine]
        found = await store.page(
            read, states=states, creator_ids=creator_ids, host_or_staff=None, before=_before(cursor), limit=PAGE + 1
        )
        return await _page(read, found, addresses)


@get("/api/studio/shows", opt=may(Who.signed_in, "shows:write"))
async def list_my_shows(db: Database, actor: Actor, addresses: Addresses, cursor: Cursor = None) -> Page[ShowCard]:
    """The shows that I host or help with, in every state."""
    async with db.read() as read:
        found = await store.page(
            read, states=None, creator_ids=None, host_or_staff=actor.need_user(), before=_before(cursor), limit=PAGE + 1
        )
        return await _page(read, found, addresses)


def _before(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, show_id = read_cursor(cursor, [datetime, UUID])
    return at, show_id


async def _page(read: Any, found: list[tuple[datetime, ShowRecord]], addresses: Addresses) -> Page[ShowCard]:
    shown = found[:PAGE]
    cards = await views.cards(read, [record for _, record in shown], addresses)
    following = cursor_of(shown[-1][0], shown[-1][1].id) if len(found) > PAGE else None
    return Page(cards, following)


@get("/api/shows/{show_id:uuid}", opt=may(Who.anyone))
async def get_show(db: Database, actor: Actor, addresses: Addresses, show_id: UUID) -> Show:
    async with db.read() as read:
        record, role = await actions.visible_show(read, show_id, actor)
        return await views.show(read, record, addresses, role)


@post("/api/shows", opt=may(Who.creator, "shows:write"))
async def plan_show(db: Database, actor: Actor, addresses: Addresses, data: NewShow) -> Show:
    """Plan a show; with a time it is announced at once."""

    async def verb(tx: Tx) -> Show:
        record = await actions.plan_show(
            tx, actor, data.id, title=data.title, description=data.description, planned_at=data.planned_at,
            mode=data.mode,
        )  # fmt: skip
        return await views.show(tx, record, addresses, Role.host)

    return await db.run(verb)


@patch("/api/shows/{show_id:uuid}", opt=may(Who.signed_in, "shows:write"))
async def edit_show(db: Database, actor: Actor, addresses: Addresses, show_id: UUID, data: ShowEdit) -> Show:
    changes = {name: value for name in data.__struct_fields__ if (value := getattr(data, name)) is not UNSET}

    async def verb(tx: Tx) -> Show:
        record = await actions.edit_show(tx, actor, show_id, changes)
        return await views.show(tx, record, addresses, await actions.role_in(tx, show_id, actor))

    return await db.run(verb)


@post("/api/shows/{show_id:uuid}/preview", opt=may(Who.signed_in, "shows:write"), status_code=200)
async def preview_show(db: Database, actor: Actor, addresses: Addresses, show_id: UUID) -> Show:
    """Let the staff see the picture before the audience does."""

    async def verb(tx: Tx) -> Show:
        record = await actions.preview(tx, actor, show_id)
        return await views.show(tx, record, addresses, await actions.role_in(tx, show_id, actor))

    return await db.run(verb)


@post("/api/shows/{show_id:uuid}/go-live", opt=may(Who.signed_in, "shows:write"), status_code=200)
async def go_live(db: Database, actor: Actor, addresses: Addresses, show_id: UUID) -> Show:
    """Put the show on air. Refused with `no-stream` while no picture arrives."""

    async def verb(tx: Tx) -> Show:
        record = await actions.go_live(tx, actor, show_id)
        return await views.show(tx, record, addresses, await actions.role_in(tx, show_id, actor))

    return await db.run(verb)


@post("/api/shows/{show_id:uuid}/end", opt=may(Who.signed_in, "shows:write"), status_code=200)
async def end_show(db: Database, actor: Actor, addresses: Addresses, show_id: UUID) -> Show:
    """End the broadcast; the replay follows by itself."""

    async def verb(tx: Tx) -> Show:
        record = await actions.end(tx, actor, show_id)
        return await views.show(tx, record, addresses, await actions.role_in(tx, show_id, actor))

    return await db.run(verb)


@get("/api/shows/{show_id:uuid}/ingest", opt=may(Who.signed_in, "shows:write"))
async def get_ingest(db: Database, actor: Actor, addresses: Addresses, show_id: UUID) -> video.Ingest:
    """Where and with which secret to broadcast: for the hosts only."""
    async with db.read() as read:
        await actions.need_role(read, show_id, actor, HOSTS)
        return await _ingest(read, show_id, addresses)


@post("/api/shows/{show_id:uuid}/ingest/rotate", opt=may(Who.signed_in, "shows:write"), status_code=200)
async def rotate_ingest(db: Database, actor: Actor, addresses: Addresses, show_id: UUID) -> video.Ingest:
    """A new stream key; the old one stops working at once."""

    async def verb(tx: Tx) -> video.Ingest:
        await actions.need_role(tx, show_id, actor, HOSTS)
        record = await actions.show(tx, show_id)
        if record.stream_id is None:
            raise NotFound
        await video.rotate_key(tx, record.stream_id)
        return await _ingest(tx, show_id, addresses)

    return await db.run(verb)


async def _ingest(read: Any, show_id: UUID, addresses: Addresses) -> video.Ingest:
    record = await actions.show(read, show_id)
    if record.stream_id is None:
        raise NotFound
    return await video.ingest_of(read, record.stream_id, media=addresses.media, rtmp=addresses.rtmp)


@post("/api/shows/{show_id:uuid}/ticket", opt=may(Who.anyone))
async def make_ticket(
    request: Request[Any, Any, Any], db: Database, actor: Actor, addresses: Addresses, show_id: UUID
) -> Response[Ticket]:
    """What opens the show's socket, for a minute. Signed out, it lets you watch but not talk."""
    async with db.read() as read:
        record, role = await actions.visible_show(read, show_id, actor)
    device, cookies = devices.of(request)
    caller = live.Caller(record.id, actor.user_id, actor.name, locale_of(request), role.value, device)
    ticket, expires_at = live.Tickets().issue(caller)
    return Response(Ticket(ticket, expires_at, views.socket_url(addresses, record.id)), cookies=cookies)


@get("/api/shows/{show_id:uuid}/chapters", opt=may(Who.anyone))
async def list_chapters(db: Database, actor: Actor, show_id: UUID) -> list[Chapter]:
    """The pins as marks on the replay."""
    async with db.read() as read:
        record, _ = await actions.visible_show(read, show_id, actor)
        return await views.chapters(read, record)


ROUTES = [
    list_shows, list_my_shows, get_show, plan_show, edit_show, preview_show, go_live, end_show, get_ingest,
    rotate_ingest, make_ticket, list_chapters,
]  # fmt: skip
