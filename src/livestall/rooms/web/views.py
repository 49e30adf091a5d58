"""What a person sees of a show, put together from records of rooms, accounts, catalog and video."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from livestall import accounts, catalog, video
from livestall.base.db import Read
from livestall.base.errors import NotFound
from livestall.rooms import store
from livestall.rooms.model import (
    ANY_STAFF,
    ON_AIR,
    Addresses,
    Chapter,
    Listing,
    Pinned,
    Role,
    Show,
    ShowCard,
    ShowChange,
    ShowCreator,
    ShowRecord,
    ShowState,
    Stream,
    TrayItem,
    TrayProduct,
    TrayVariant,
)

WATCHABLE = ON_AIR | {ShowState.replay}
PREVIEWED = WATCHABLE | {ShowState.preview}


async def playback(read: Read, record: ShowRecord, addresses: Addresses, role: Role) -> video.Playback | None:
    """Where to watch; None before the broadcast (but the staff see the preview) and until the replay is ready."""
    watchable = PREVIEWED if role in ANY_STAFF else WATCHABLE
    if record.state not in watchable or record.stream_id is None:
        return None
    try:
        return await video.playback_of(
            read, record.stream_id, media=addresses.media, preview=role in ANY_STAFF and record.state in PREVIEWED
        )
    except NotFound:
        return None


def _creator(creators: dict[UUID, accounts.Creator], record: ShowRecord) -> ShowCreator:
    found = creators.get(record.creator_id)
    return ShowCreator(record.creator_id, found.name if found else "", found.avatar_url if found else None)


async def _card(
    read: Read, record: ShowRecord, addresses: Addresses, role: Role, creator: ShowCreator, pinned: Pinned | None
) -> ShowCard:
    poster = await _poster(read, record, addresses)
    return ShowCard(
        id=record.id, title=record.title, state=record.state, creator=creator, viewers=record.viewers,
        likes=record.likes, planned_at=record.planned_at, started_at=record.started_at, ended_at=record.ended_at,
        poster_url=poster, preview_url=poster if record.state in ON_AIR else None,
        playback=await playback(read, record, addresses, role), live_url=live_url(addresses, record), pinned=pinned,
    )  # fmt: skip


async def _poster(read: Read, record: ShowRecord, addresses: Addresses) -> str | None:
    if record.state not in WATCHABLE or record.stream_id is None:
        return None
    try:
        return await video.poster_of(read, record.stream_id, media=addresses.media)
    except NotFound:
        return None


def live_url(addresses: Addresses, record: ShowRecord) -> str | None:
    """The socket's address while the show may still change."""
    closed = record.state in {ShowState.draft, ShowState.replay, ShowState.purged}
    return None if closed else socket_url(addresses, record.id)


def socket_url(addresses: Addresses, show_id: UUID) -> str:
    return f"{addresses.live}/api/shows/{show_id}/live"


async def cards(read: Read, records: Sequence[ShowRecord], addresses: Addresses) -> list[ShowCard]:
    creators = await accounts.creators(read, list({record.creator_id for record in records}))
    pins = await pinned(read, [record.id for record in records if record.state in ON_AIR])
    return [
        await _card(read, record, addresses, Role.viewer, _creator(creators, record), pins.get(record.id))
        for record in records
    ]


async def show(
    read: Read, record: ShowRecord, addresses: Addresses, role: Role, *, with_pinned: bool = True
) -> Show:
    """A show as one person sees it."""
    creators = await accounts.creators(read, [record.creator_id])
    pins = await pinned(read, [record.id]) if with_pinned and record.state in ON_AIR else {}
    card = await _card(read, record, addresses, role, _creator(creators, record), pins.get(record.id))
    return Show(
        **{name: getattr(card, name) for name in ShowCard.__struct_fields__},
        description=record.description, role=role, grace_until=record.grace_until, stream=stream_of(record),
        ingest_delay_ms=record.ingest_delay_ms, room_id=record.room_id,
    )  # fmt: skip


def stream_of(record: ShowRecord) -> Stream | None:
    if record.stream_id is None:
        return None
    return Stream(record.stream_online, record.stream_protocol, record.stream_since)


async def change(read: Read, record: ShowRecord, addresses: Addresses) -> ShowChange:
    """What everyone in the room hears when the show changes."""
    return ShowChange(
        state=record.state, title=record.title, description=record.description, planned_at=record.planned_at,
        started_at=record.started_at, ended_at=record.ended_at, grace_until=record.grace_until,
        playback=await playback(read, record, addresses, Role.viewer), stream=stream_of(record),
        ingest_delay_ms=record.ingest_delay_ms,
    )  # fmt: skip


async def pinned(read: Read, show_ids: Sequence[UUID]) -> dict[UUID, Pinned]:
    """The product under the open primary pin of each show."""
    listings = await store.pinned_listings(read, show_ids)
    items = {item.listing_id: item for item in await tray_items(read, list(listings.values()))}
    return {
        show_id: Pinned(item.product.title, min((v.price for v in item.variants), key=lambda price: price.amount),
                        item.product.picture_url)
        for show_id, listing in listings.items()
        if (item := items.get(listing.id)) is not None and item.variants
    }  # fmt: skip


async def tray(read: Read, show_id: UUID) -> list[TrayItem]:
    return await tray_items(read, await store.tray(read, show_id))


async def tray_items(read: Read, listings: Sequence[Listing]) -> list[TrayItem]:
    """Listings with what the catalog says of them today; products that are no longer for sale are left out."""
    if not listings:
        return []
    product_ids = list({listing.product_id for listing in listings})
    offers = await catalog.offers_of(read, product_ids)
    sellers = await accounts.sellers(read, list({listing.seller_id for listing in listings}))
    items: list[TrayItem] = []
    for listing in listings:
        variants = offers.get(listing.product_id, [])
        if not variants:
            continue
        seller = sellers.get(listing.seller_id)
        picture = next((one.picture_url for one in variants if one.picture_url), None)
        product = TrayProduct(
            listing.product_id, variants[0].product_title, picture, listing.seller_id, seller.name if seller else ""
        )
        priced = [
            TrayVariant(
                one.variant_id, one.variant_title, one.options, listing.price(one.variant_id, one.price), one.price,
                one.picture_url,
            )
            for one in variants
        ]  # fmt: skip
        items.append(TrayItem(listing.id, listing.slot or 0, product, priced, listing.per_buyer))
    return items


async def chapters(read: Read, record: ShowRecord) -> list[Chapter]:
    """The primary pins as marks on the replay; empty while there is no recording."""
    if record.recording_at is None:
        return []
    pins = [pin for pin in await store.pins(read, record.id) if pin.primary]
    listings = await store.listings(read, [pin.listing_id for pin in pins])
    titles = {item.listing_id: item.product.title for item in await tray_items(read, list(listings.values()))}
    end = timedelta(milliseconds=record.recording_ms or 0)
    marks: list[Chapter] = []
    for pin in pins:
        at = max(pin.stream_at - record.recording_at, timedelta(0))
        if at <= end:
            marks.append(Chapter(pin.id, pin.listing_id, titles.get(pin.listing_id, ""), at.total_seconds()))
    return marks
