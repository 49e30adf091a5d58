"""What a room hears of features that know no room: stock, deals and orders."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from livestall import accounts, catalog, deals, orders, rooms, stock
from livestall.base.db import Read
from livestall.base.outbox import Delivered
from livestall.live import NewEvent, Total
from livestall.rooms import jobs as rooms_jobs


async def stock_changed(read: Read, batch: Sequence[Delivered]) -> list[NewEvent | Total]:
    """Units left: of a variant in every show that offers it, of a deal in its own show."""
    last = {
        pool.pool_id: pool for one in batch if isinstance(one.event, stock.StockChanged) for pool in one.event.pools
    }
    general = {pool_id: pool.available for pool_id, pool in last.items() if not pool.is_carved}
    variants: dict[UUID, list[UUID]] = {}
    for variant_id, product_id in (await catalog.products_of(read, list(general)) if general else {}).items():
        variants.setdefault(product_id, []).append(variant_id)
    told: list[NewEvent | Total] = [
        Total(show_id, "stock", general[variant_id], str(variant_id))
        for show_id, product_id in (await rooms.shows_offering(read, list(variants)) if variants else ())
        for variant_id in variants[product_id]
    ]
    carved = [pool_id for pool_id, pool in last.items() if pool.is_carved]
    told += [
        Total(deal.show_id, "deals", {"left": deal.left, "sold": deal.sold, "released": deal.released}, str(deal.id))
        for deal in (await deals.deals(read, carved) if carved else {}).values()
    ]
    return told


async def tray_changed(read: Read, batch: Sequence[Delivered]) -> list[NewEvent | Total]:
    """The new tray, and how many are left of all in it: of what was just added the room has heard nothing yet."""
    trays = await rooms_jobs.tray_changed(read, batch)
    offered = {
        event.channel: {variant.variant_id for item in event.body["tray"] for variant in item.variants}
        for event in trays
    }  # fmt: skip
    units = await stock.available(read, set[UUID]().union(*offered.values()))
    return [*trays, *(
        Total(show_id, "stock", units[variant_id], str(variant_id))
        for show_id, variants in offered.items()
        for variant_id in variants if variant_id in units
    )]  # fmt: skip


async def deal_changed(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent | Total]:
    return [
        NewEvent(
            channel=event.subject, kind="deal.changed", at=event.at,
            stream_at=event.deal.announced_stream_at if event.deal.state == "countdown" else None, body=event.deal,
        )
        for one in batch
        if isinstance(event := one.event, deals.DealChanged)
    ]  # fmt: skip


async def sale_made(read: Read, batch: Sequence[Delivered]) -> list[NewEvent | Total]:
    """Paid orders of a show, told to its room without saying whose they are."""
    paid = [event for one in batch if isinstance(event := one.event, orders.OrderPaid) and event.show_id is not None]
    names = await accounts.names(read, {event.buyer_id for event in paid}) if paid else {}
    return [
        NewEvent(
            channel=event.show_id, kind="sale.made", at=event.at,
            body={
                "name": masked(names.get(event.buyer_id, "")), "title": event.title, "quantity": event.quantity,
            },
        )
        for event in paid
        if event.show_id is not None
    ]  # fmt: skip


def masked(name: str) -> str:
    """A buyer's name as strangers see it: the first character and two stars."""
    return f"{name[:1]}**"
