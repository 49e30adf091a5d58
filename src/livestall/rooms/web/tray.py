"""HTTP of the tray, the pins and the roles of a show."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import delete, get, post, put
from msgspec import Meta

from livestall import accounts, catalog
from livestall.accounts import Actor
from livestall.base.db import Database, Read, Tx
from livestall.base.errors import Invalid
from livestall.base.http import Who, may
from livestall.rooms import actions, store
from livestall.rooms.model import (
    ANY_STAFF,
    TRAY_MAX,
    Listing,
    NotForSale,
    Pin,
    Role,
    Staff,
    StaffRole,
    TrayEntry,
    TrayItem,
)
from livestall.rooms.web import views

Login = Annotated[str, Meta(min_length=3, max_length=254)]


class TrayPut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    items: Annotated[list[TrayEntry], Meta(max_length=TRAY_MAX)]


class NewPin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: UUID
    listing_id: UUID
    primary: bool = True


class StaffPut(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    login: Login
    role: StaffRole


class StaffDrop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    login: Login


@get("/api/shows/{show_id:uuid}/tray", opt=may(Who.anyone))
async def get_tray(db: Database, actor: Actor, show_id: UUID) -> list[TrayItem]:
    async with db.read() as read:
        await actions.visible_show(read, show_id, actor)
        return await views.tray(read, show_id)


@put("/api/shows/{show_id:uuid}/tray", opt=may(Who.signed_in, "shows:write"))
async def put_tray(db: Database, actor: Actor, show_id: UUID, data: TrayPut) -> list[TrayItem]:
    """The whole tray, in the order of its slots."""

    async def verb(tx: Tx) -> list[TrayItem]:
        await actions.set_tray(tx, actor, show_id, await _listings(tx, show_id, data.items))
        return await views.tray(tx, show_id)

    return await db.run(verb)


async def _listings(tx: Tx, show_id: UUID, entries: list[TrayEntry]) -> list[Listing]:
    """The entries as listings, once the catalog has been asked. Raises Invalid, NotForSale."""
    product_ids = [entry.product_id for entry in entries]
    if len(set(product_ids)) < len(entries) or len({entry.listing_id for entry in entries}) < len(entries):
        raise Invalid(reason="each product and each listing id stands in a tray once")
    offers = await catalog.offers_of(tx, product_ids)
    listings: list[Listing] = []
    for slot, entry in enumerate(entries, start=1):
        variants = offers.get(entry.product_id)
        if not variants:
            raise NotForSale(product=entry.product_id)
        unknown = set(entry.show_price_amounts) - {one.variant_id for one in variants}
        if unknown:
            raise Invalid(reason=f"{min(map(str, unknown))} is no variant of {variants[0].product_title!r}")
        listings.append(
            Listing(
                entry.listing_id, show_id, entry.product_id, variants[0].seller_id, slot, entry.per_buyer,
                dict(entry.show_price_amounts),
            )
        )  # fmt: skip
    return listings


@get("/api/shows/{show_id:uuid}/pins", opt=may(Who.anyone))
async def list_pins(db: Database, actor: Actor, show_id: UUID) -> list[Pin]:
    async with db.read() as read:
        await actions.visible_show(read, show_id, actor)
        return await store.pins(read, show_id)


@post("/api/shows/{show_id:uuid}/pins", opt=may(Who.signed_in, "shows:write"))
async def start_pin(db: Database, actor: Actor, show_id: UUID, data: NewPin) -> Pin:
    """Explain a product, from now in stream time. A primary pin ends the one before it."""

    async def verb(tx: Tx) -> Pin:
        return await actions.pin(
            tx, actor, show_id, pin_id=data.id, listing_id=data.listing_id, primary=data.primary
        )

    return await db.run(verb)


@delete("/api/shows/{show_id:uuid}/pins/{pin_id:uuid}", opt=may(Who.signed_in, "shows:write"))
async def end_pin(db: Database, actor: Actor, show_id: UUID, pin_id: UUID) -> None:
    await db.run(lambda tx: actions.unpin(tx, actor, show_id, pin_id))


@get("/api/shows/{show_id:uuid}/staff", opt=may(Who.signed_in, "shows:write"))
async def list_staff(db: Database, actor: Actor, show_id: UUID) -> list[Staff]:
    async with db.read() as read:
        await actions.need_role(read, show_id, actor, ANY_STAFF)
        return await _staff(read, show_id)


@put("/api/shows/{show_id:uuid}/staff", opt=may(Who.signed_in, "shows:write"))
async def appoint_staff(db: Database, actor: Actor, show_id: UUID, data: StaffPut) -> list[Staff]:
    """Give the person with this login a role in the show."""

    async def verb(tx: Tx) -> list[Staff]:
        user = await accounts.find_user(tx, data.login)
        await actions.appoint(tx, actor, show_id, user.id, Role(data.role))
        return await _staff(tx, show_id)

    return await db.run(verb)


@delete("/api/shows/{show_id:uuid}/staff", opt=may(Who.signed_in, "shows:write"))
async def dismiss_staff(db: Database, actor: Actor, show_id: UUID, data: StaffDrop) -> None:
    async def verb(tx: Tx) -> None:
        user = await accounts.find_user(tx, data.login)
        await actions.dismiss(tx, actor, show_id, user.id)

    await db.run(verb)


async def _staff(read: Read, show_id: UUID) -> list[Staff]:
    record = await actions.show(read, show_id)
    roles = {record.host_id: Role.host, **await store.staff(read, show_id)}
    users = await accounts.users(read, list(roles))
    return [
        Staff(user_id, users[user_id].name, users[user_id].login, role)
        for user_id, role in roles.items()
        if user_id in users
    ]


ROUTES = [get_tray, put_tray, list_pins, start_pin, end_pin, list_staff, appoint_staff, dismiss_staff]
