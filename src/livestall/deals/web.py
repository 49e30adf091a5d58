"""HTTP of deals: a host runs flash sales, everyone sees them."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import get, post
from msgspec import Meta

from livestall import rooms
from livestall.accounts import Actor
from livestall.base.db import Database
from livestall.base.http import Who, may
from livestall.deals import actions
from livestall.deals.model import Deal, NewFlashSale


class ReleaseMore(msgspec.Struct, frozen=True):
    """`quantity` more units of the quota go on sale."""

    id: UUID
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)]


@post("/api/shows/{show_id:uuid}/flash-sales", opt=may(Who.signed_in, "shows:write"))
async def publish_flash_sale(db: Database, actor: Actor, show_id: UUID, data: NewFlashSale) -> Deal:
    return await db.run(lambda tx: actions.publish_flash_sale(tx, actor, show_id, data))


@post("/api/deals/{deal_id:uuid}/release", status_code=200, opt=may(Who.signed_in, "shows:write"))
async def release_more_of_deal(db: Database, actor: Actor, deal_id: UUID, data: ReleaseMore) -> Deal:
    return await db.run(lambda tx: actions.release_more(tx, actor, deal_id, data.id, data.quantity))


@post("/api/deals/{deal_id:uuid}/end", status_code=200, opt=may(Who.signed_in, "shows:write"))
async def end_deal(db: Database, actor: Actor, deal_id: UUID) -> Deal:
    return await db.run(lambda tx: actions.end_by_host(tx, actor, deal_id))


@get("/api/shows/{show_id:uuid}/deals", opt=may(Who.anyone))
async def deals_of_show(db: Database, actor: Actor, show_id: UUID) -> list[Deal]:
    async with db.read() as read:
        await rooms.visible_show(read, show_id, actor)
        return await actions.of_show(read, show_id)


ROUTES = [publish_flash_sale, release_more_of_deal, end_deal, deals_of_show]
