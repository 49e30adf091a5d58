"""The snapshot of a show: all that a page needs to draw the room, and the number of the last event in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from litestar import get

from livestall import catalog, chat, deals, live, rooms, stock
from livestall.accounts import ANONYMOUS, Actor
from livestall.base import clock
from livestall.base.db import Database, Read
from livestall.base.http import Who, may
from livestall.rooms.web import views


class DealTotals(msgspec.Struct, frozen=True):
    left: int
    sold: int
    released: int


class Totals(msgspec.Struct, frozen=True):
    """Numbers of this moment: `stock` by variant, `deals` by deal."""

    viewers: int
    likes: int
    stock: dict[UUID, int]
    deals: dict[UUID, DealTotals]


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`seq` numbers the last event that is surely contained; events that follow may be contained too, and applying
    them again changes nothing. `show.pinned` is null here: `pins` says it."""

    seq: int
    server_time: datetime
    show: rooms.Show
    tray: list[rooms.TrayItem]
    pins: list[rooms.Pin]
    deals: list[deals.Deal]
    chat: list[chat.ChatMessage]
    chat_mode: chat.ChatMode
    totals: Totals


async def build(read: Read, show_id: UUID, actor: Actor, addresses: rooms.Addresses) -> Snapshot:
    """The snapshot as `actor` sees it. Raises NotFound.

    The number is read first: whatever is committed while the rest is read is a later event, and harmless.
    """
    seq = await live.last_seq(read, show_id)
    record, role = await rooms.visible_show(read, show_id, actor)
    tray = await views.tray(read, show_id)
    specials = await deals.of_show(read, show_id)
    units = await stock.available(read, [one.variant_id for item in tray for one in item.variants])
    return Snapshot(
        seq=seq,
        server_time=clock.now(),
        show=await views.show(read, record, addresses, role, with_pinned=False),
        tray=tray,
        pins=await rooms.pins(read, show_id),
        deals=specials,
        chat=await chat.last(read, show_id, chat.LAST),
        chat_mode=(await chat.modes(read, [show_id]))[show_id],
        totals=Totals(
            record.viewers, record.likes, units,
            {one.id: DealTotals(one.left, one.sold, one.released) for one in specials},
        ),
    )  # fmt: skip


class ShowSource:
    """Snapshots for the gateway: a viewer's, with portable addresses, shared by all who join."""

    def __init__(self, db: Database) -> None:
        self._db = db

    async def load(self, channel: UUID) -> live.Loaded:
        async with self._db.read() as read:
            record = await rooms.show(read, channel)
            # Whoever holds a ticket was let in by the API; a draft's staff see it as its viewers will.
            staff = Actor(record.host_id, "", is_operator=False, creator_id=None, seller_ids=frozenset(), scopes=None)
            actor = staff if record.state is rooms.ShowState.draft else ANONYMOUS
            _, mark = (await live.numbers(read, [channel]))[channel]
            snapshot = await build(read, channel, actor, rooms.PORTABLE)
            recent = await live.after(read, channel, snapshot.seq - live.MISSED_MAX, live.MISSED_MAX)
        show = msgspec.structs.replace(snapshot.show, role=rooms.Role.viewer)
        shared: dict[str, Any] = msgspec.to_builtins(msgspec.structs.replace(snapshot, show=show))
        del shared["server_time"]
        recent = [event for event in recent if event.seq <= snapshot.seq]
        return live.Loaded(snapshot.seq, msgspec.json.encode(shared), shared["totals"], recent, mark)

    async def numbers(self, channels: Sequence[UUID]) -> dict[UUID, tuple[int, int]]:
        async with self._db.read() as read:
            return await live.numbers(read, channels)

    async def missed(self, wanted: Mapping[UUID, int], limit: int) -> dict[UUID, list[live.LiveEvent]]:
        async with self._db.read() as read:
            return await live.missed(read, wanted, limit)

    async def totals(self, channel: UUID) -> tuple[int, dict[str, Any]]:
        """The numbers that other gateways tell as totals: stock and deals. Who watches is counted, not read."""
        async with self._db.read() as read:
            _, mark = (await live.numbers(read, [channel]))[channel]
            offers = await catalog.offers_of(
                read, list({one.product_id for one in await rooms.listings(read, channel)})
            )
            variants = [one.variant_id for several in offers.values() for one in several]
            units = await stock.available(read, variants) if variants else {}
            specials = await deals.of_show(read, channel)
        return mark, {
            "stock": {str(variant): left for variant, left in units.items()},
            "deals": {
                str(one.id): {"left": one.left, "sold": one.sold, "released": one.released} for one in specials
            },
        }  # fmt: skip


@get("/api/shows/{show_id:uuid}/snapshot", opt=may(Who.anyone))
async def get_snapshot(db: Database, actor: Actor, addresses: rooms.Addresses, show_id: UUID) -> Snapshot:
    """What the socket sends first; for replays, and for clients without a socket."""
    async with db.read() as read:
        return await build(read, show_id, actor, addresses)


ROUTES = [get_snapshot]
