"""The verbs of deals. Lock order: deal rows, then stock pools; a sale locks pools only and reads the deal after."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from livestall import catalog, rooms, stock, video
from livestall.accounts import Actor
from livestall.base import clock, config, outbox
from livestall.base.db import Read, Tx
from livestall.base.errors import Conflict, Invalid, NotFound, SameIdOtherContents
from livestall.deals import model, store
from livestall.deals.model import (
    OVER,
    Admission,
    AlreadyRunning,
    Claim,
    Deal,
    DealChanged,
    DealClosed,
    DealState,
    NewFlashSale,
    NoSuchDeal,
    NotCheaper,
    Settings,
    Terms,
)


async def admit(read: Read, claims: Sequence[Claim]) -> list[Admission | Conflict | NotFound]:
    """The window of each claim by the database's clock, its price and limit; reads only. Call it after the pools are
    locked, in a new statement: a deal that was ended while the lock was waited for is seen as ended."""
    if not claims:
        return []
    terms = await store.terms(read, {claim.deal_id for claim in claims})
    now = await store.now(read)
    return [model.admit(claim, terms.get(claim.deal_id), now) for claim in claims]


async def deals(read: Read, deal_ids: Collection[UUID]) -> dict[UUID, Deal]:
    """Full records with the pools' numbers of this moment."""
    return await _with_pools(read, list((await store.terms(read, deal_ids)).values()))


async def of_show(read: Read, show_id: UUID) -> list[Deal]:
    """All deals of a show, the oldest first."""
    found = await store.of_show(read, show_id)
    return list((await _with_pools(read, found)).values())


async def _with_pools(read: Read, terms: Sequence[Terms]) -> dict[UUID, Deal]:
    pools = await stock.pools(read, {one.id for one in terms}) if terms else {}
    now = clock.now()
    return {one.id: one.with_pool(pools[one.id], now) for one in terms}


async def publish_flash_sale(tx: Tx, actor: Actor, show_id: UUID, wanted: NewFlashSale) -> Deal:
    """Announce a flash sale: the quota leaves the general stock now; buying opens after the countdown, and not before
    the slowest viewers have seen the announcement.

    Raises NotStaff, NotFound, Invalid, NotCheaper, AlreadyRunning, NotEnoughStock, SameIdOtherContents, ShowOver.
    """
    by_id = actor.need_user()
    await rooms.need_role(tx, show_id, actor, rooms.SELLING)
    _check_times(wanted)
    if (await store.terms(tx, [wanted.id])).get(wanted.id) is not None:
        return await _again(tx, show_id, wanted)
    terms = await _terms(tx, show_id, wanted)
    await _end(tx, [one for one in await store.lock_not_over(tx, variant_id=wanted.variant_id) if _is_past(one)])
    try:
        if not await store.add(tx, terms, by_id):
            return await _again(tx, show_id, wanted)
    except asyncpg.UniqueViolationError as error:
        raise AlreadyRunning from error
    await stock.carve(tx, [stock.Carve(terms.id, terms.variant_id, terms.quota, terms.released)])
    return (await _tell(tx, [terms.id]))[0]


async def _terms(read: Read, show_id: UUID, wanted: NewFlashSale) -> Terms:
    show = await rooms.show(read, show_id)
    if show.state not in rooms.OPEN:
        raise rooms.ShowOver
    listing = (await rooms.listing(read, [wanted.listing_id])).get(wanted.listing_id)
    offer = (await catalog.offers(read, [wanted.variant_id])).get(wanted.variant_id)
    on_offer = listing is not None and listing.show_id == show_id and listing.slot is not None
    if listing is None or offer is None or not on_offer or offer.product_id != listing.product_id:
        raise stock.NotStocked
    price = listing.price(wanted.variant_id, offer.price)
    if wanted.price_amount >= price.amount:
        raise NotCheaper
    now = await store.now(read)
    stream_at = await rooms.stream_now(read, show_id)
    opening = await _opening(read, show, now, stream_at, wanted.countdown_seconds)
    return Terms(
        id=wanted.id, show_id=show_id, listing_id=wanted.listing_id, variant_id=wanted.variant_id,
        seller_id=offer.seller_id, state=DealState.countdown, price=type(price)(wanted.price_amount, price.currency),
        list_price=price, quota=wanted.quota, released=_released(wanted), per_buyer=wanted.per_buyer, announced_at=now,
        announced_stream_at=stream_at, opens_at=opening.opens_at,
        closes_at=opening.opens_at + timedelta(seconds=wanted.duration_seconds), fair_at=opening.fair_at,
        slowest_tier=opening.slowest_tier,
    )  # fmt: skip


async def _opening(
    read: Read, show: rooms.ShowRecord, now: datetime, stream_at: datetime, countdown_seconds: int
) -> model.Opening:
    settings = config.of(Settings)
    part_seconds = None
    if show.stream_id is not None:
        part_seconds = (await video.playback_of(read, show.stream_id, media="")).part_seconds
    late = model.latencies(settings, model.tiers_of(show.mode, part_seconds))
    notice = timedelta(milliseconds=settings.notice_ms)
    return model.opening(now, stream_at, timedelta(seconds=countdown_seconds), late, notice)


def _released(wanted: NewFlashSale) -> int:
    return wanted.quota if wanted.released is None else wanted.released


def _check_times(wanted: NewFlashSale) -> None:
    limits = config.of(Settings)
    low, high = limits.countdown_seconds_min, limits.countdown_seconds_max
    if not low <= wanted.countdown_seconds <= high:
        raise Invalid(reason=f"the countdown is {low} to {high} seconds")
    low, high = limits.duration_seconds_min, limits.duration_seconds_max
    if not low <= wanted.duration_seconds <= high:
        raise Invalid(reason=f"a flash sale lasts {low} to {high} seconds")
    if _released(wanted) > wanted.quota:
        raise Invalid(reason="not more than the quota can be released")


async def _again(read: Read, show_id: UUID, wanted: NewFlashSale) -> Deal:
    """The id came before: the same wish gets the same deal."""
    found = (await store.terms(read, [wanted.id]))[wanted.id]
    same = (
        found.show_id == show_id
        and (found.listing_id, found.variant_id) == (wanted.listing_id, wanted.variant_id)
        and (found.price.amount, found.quota, found.per_buyer)
        == (wanted.price_amount, wanted.quota, wanted.per_buyer)
    )  # fmt: skip
    if not same:
        raise SameIdOtherContents
    return (await deals(read, [wanted.id]))[wanted.id]


async def release_more(tx: Tx, actor: Actor, deal_id: UUID, release_id: UUID, quantity: int) -> Deal:
    """Put more of the quota on sale. Raises NoSuchDeal, NotStaff, DealClosed, NotEnoughStock, SameIdOtherContents."""
    terms = await _lock_for(tx, actor, deal_id)
    done = await store.release(tx, release_id)
    if done is not None:
        if done != (deal_id, quantity):
            raise SameIdOtherContents
        return (await deals(tx, [deal_id]))[deal_id]
    if terms.state_at(clock.now()) in OVER:
        raise DealClosed
    await stock.open_more(tx, [stock.OpenMore(deal_id, quantity)])
    await store.add_release(tx, release_id, deal_id, quantity, actor.need_user(), clock.now())
    return (await _tell(tx, [deal_id]))[0]


async def end_by_host(tx: Tx, actor: Actor, deal_id: UUID) -> Deal:
    """End it now; before it opened this cancels it. Ending it again changes nothing. Raises NoSuchDeal, NotStaff."""
    terms = await _lock_for(tx, actor, deal_id)
    if terms.state not in OVER:
        await _end(tx, [terms])
    return (await deals(tx, [deal_id]))[deal_id]


async def _lock_for(tx: Tx, actor: Actor, deal_id: UUID) -> Terms:
    terms = (await store.lock(tx, [deal_id])).get(deal_id)
    if terms is None:
        raise NoSuchDeal
    await rooms.need_role(tx, terms.show_id, actor, rooms.SELLING)
    return terms


async def tick(tx: Tx, limit: int = 100) -> int:
    """Open and end what the clock says; returns how many deals moved."""
    due = await store.lock_due(tx, clock.now(), limit)
    opening = [one for one in due if not _is_past(one)]
    await _end(tx, [one for one in due if _is_past(one)])
    if opening:
        ids = [one.id for one in opening]
        await store.move(tx, ids, DealState.running)
        await _tell(tx, ids)
    return len(due)


async def end_with_shows(tx: Tx, show_ids: Collection[UUID]) -> None:
    """The shows are over: so are their deals."""
    await _end(tx, await store.lock_not_over(tx, show_ids=show_ids))


def _is_past(terms: Terms) -> bool:
    return terms.closes_at <= clock.now()


async def _end(tx: Tx, terms: Sequence[Terms]) -> None:
    """End locked deals and return what they did not sell to the general stock."""
    if not terms:
        return
    now = clock.now()
    cancelled = [one.id for one in terms if now < one.opens_at]
    ended = [one.id for one in terms if now >= one.opens_at]
    early = [one.id for one in terms if one.opens_at <= now < one.closes_at]
    await stock.uncarve(tx, [*cancelled, *ended])
    await store.move(tx, cancelled, DealState.cancelled)
    await store.move(tx, ended, DealState.ended)
    await store.move(tx, early, DealState.ended, now)
    await _tell(tx, [*cancelled, *ended])


async def _tell(tx: Tx, deal_ids: Sequence[UUID]) -> list[Deal]:
    found = await deals(tx, deal_ids)
    at = clock.now()
    told = [found[deal_id] for deal_id in deal_ids]
    await outbox.emit(tx, [DealChanged(subject=deal.show_id, deal=deal, at=at) for deal in told])
    return told
