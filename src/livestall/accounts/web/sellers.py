"""Endpoints of channels and sellers."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post
from msgspec import Meta

from livestall.accounts import actions, store
from livestall.accounts.model import Actor, Creator, Member, Seller, SellerState
from livestall.accounts.web.people import Login, Name
from livestall.base.db import Database
from livestall.base.errors import NotFound
from livestall.base.http import PAGE_MAX, Page, Who, cursor_of, may, read_cursor


class NewCreator(msgspec.Struct, frozen=True):
    id: UUID
    name: Name
    bio: Annotated[str, Meta(max_length=1000)] = ""


class NewSeller(msgspec.Struct, frozen=True):
    id: UUID
    name: Name


class NewMember(msgspec.Struct, frozen=True):
    login: Login


@post("/api/me/creator", opt=may(Who.signed_in, "profile:write"))
async def open_channel(db: Database, actor: Actor, data: NewCreator) -> Creator:
    """Open my channel."""
    async with db.write() as tx:
        return await actions.open_channel(tx, actor.need_user(), data.id, data.name, data.bio)


@get("/api/creators/{creator_id:uuid}", opt=may(Who.anyone))
async def creator(db: Database, actor: Actor, creator_id: UUID) -> Creator:
    """A channel, and whether I follow it."""
    async with db.read() as read:
        found = (await store.creators(read, [creator_id])).get(creator_id)
        if found is None:
            raise NotFound
        if actor.user_id is None:
            return found
        following = creator_id in await store.follows(read, actor.user_id, [creator_id])
        return msgspec.structs.replace(found, following=following)


@post("/api/creators/{creator_id:uuid}/follow", opt=may(Who.signed_in, "profile:write"), status_code=204)
async def follow(db: Database, actor: Actor, creator_id: UUID) -> None:
    """Follow a channel; twice is once."""
    async with db.write() as tx:
        await actions.follow(tx, actor.need_user(), creator_id)


@delete("/api/creators/{creator_id:uuid}/follow", opt=may(Who.signed_in, "profile:write"))
async def unfollow(db: Database, actor: Actor, creator_id: UUID) -> None:
    """No longer follow a channel."""
    async with db.write() as tx:
        await actions.unfollow(tx, actor.need_user(), creator_id)


@post("/api/sellers", opt=may(Who.signed_in, "profile:write"))
async def apply_as_seller(db: Database, actor: Actor, data: NewSeller) -> Seller:
    """Apply to sell in this market."""
    async with db.write() as tx:
        return await actions.apply_as_seller(tx, actor.need_user(), data.id, data.name)


@get("/api/operator/sellers", opt=may(Who.operator))
async def all_sellers(db: Database, cursor: str | None = None) -> Page[Seller]:
    """Every seller of the market, oldest first."""
    after = read_cursor(cursor, [UUID])[0] if cursor else None
    async with db.read() as read:
        found = await store.page_of_sellers(read, after, PAGE_MAX + 1)
    more = len(found) > PAGE_MAX
    return Page(found[:PAGE_MAX], cursor_of(found[PAGE_MAX - 1].id) if more else None)


@post("/api/operator/sellers/{seller_id:uuid}/approve", opt=may(Who.operator), status_code=200)
async def approve_seller(db: Database, seller_id: UUID) -> Seller:
    """Let a seller sell."""
    async with db.write() as tx:
        return await actions.move_seller(tx, seller_id, SellerState.approved)


@post("/api/operator/sellers/{seller_id:uuid}/suspend", opt=may(Who.operator), status_code=200)
async def suspend_seller(db: Database, seller_id: UUID) -> Seller:
    """Stop a seller from changing anything."""
    async with db.write() as tx:
        return await actions.move_seller(tx, seller_id, SellerState.suspended)


@get("/api/sellers/{seller_id:uuid}/members", opt=may(Who.seller))
async def members(db: Database, seller_id: UUID) -> list[Member]:
    """Who works for this seller."""
    async with db.read() as read:
        return await store.members(read, seller_id)


@post("/api/sellers/{seller_id:uuid}/members", opt=may(Who.seller))
async def add_member(db: Database, seller_id: UUID, data: NewMember) -> Member:
    """Let somebody who has an account work for this seller."""
    async with db.write() as tx:
        return await actions.add_member(tx, seller_id, data.login)


@delete("/api/sellers/{seller_id:uuid}/members/{user_id:uuid}", opt=may(Who.seller))
async def remove_member(db: Database, seller_id: UUID, user_id: UUID) -> None:
    """Somebody no longer works for this seller."""
    async with db.write() as tx:
        await actions.remove_member(tx, seller_id, user_id)


ROUTES = [
    open_channel, creator, follow, unfollow, apply_as_seller, all_sellers, approve_seller, suspend_seller, members,
    add_member, remove_member,
]  # fmt: skip
