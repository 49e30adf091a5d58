"""What a batch of drafts costs now, and whether each of its lines is on offer at all."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from typing import Any, TypeVar
from uuid import UUID

from livestall import accounts, catalog, deals, rooms, stock
from livestall.base import together
from livestall.base.db import Read, Tx
from livestall.base.errors import Refusal
from livestall.base.money import Money
from livestall.base.together import Ask, Marks, at_once
from livestall.orders import model
from livestall.orders.model import Line, Record, wishes
from livestall.orders.model.mold import Mold
from livestall.orders.model.refusals import SellerSuspended, SeveralSellers, UnknownShow
from livestall.orders.model.wishes import Draft, NewOrderLine
from livestall.orders.straight import Depends

T = TypeVar("T")
ENTRIES_MAX = 20_000


class Book:
    """What the batches before saw: enough to price the next one with. Whether it still holds is looked at when that is
    decided, so an entry may be as old as it likes. Four pages: listings, shows, offers, sellers."""

    def __init__(self) -> None:
        self.listings: dict[UUID, rooms.Listing] = {}
        self.shows: dict[UUID, rooms.Standing] = {}
        self.offers: dict[UUID, catalog.Offer] = {}
        self.sellers: dict[UUID, accounts.Seller] = {}
        self.marks: tuple[Marks, Marks, Marks, Marks] = {}, {}, {}, {}
        """Of each page, what tells that an entry still holds (`together.still`)."""
        self.version = 0
        """Another one whenever an entry is."""

    def keep(self, prices: Prices) -> None:
        """Write down what was seen; what was looked for and is no more is forgotten."""
        for mine, seen, marks, marked, ids in zip(
            self._all, prices.seen, self.marks, prices.marks, prices.ids, strict=True
        ):
            if len(mine) > ENTRIES_MAX:
                mine.clear()
                marks.clear()
            for gone in ids - seen.keys():
                mine.pop(gone, None)
                marks.pop(gone, None)
            mine.update(seen)
            marks.update(marked)
        self.version += 1
        prices.version = self.version

    def differs(self, prices: Prices) -> bool:
        """Whether anything just seen, priced or not, is not what the book has."""
        return any(
            marks.get(one) != mark
            for marks, marked in zip(self.marks, prices.marks, strict=True)
            for one, mark in marked.items()
        )

    def open_for(self, prices: Prices) -> None:
        """Give `prices` what is known of what they want."""
        prices.listings = _known(self.listings, prices.listing_ids)
        prices.shows = _known(self.shows, prices.show_ids)
        prices.offers = {one.variant_id: one for one in _known(self.offers, prices.variant_ids).values()}
        prices.sellers = _known(self.sellers, prices.seller_ids)
        prices.version = self.version

    @property
    def _all(self) -> tuple[dict[UUID, Any], ...]:
        return self.listings, self.shows, self.offers, self.sellers


def _known(book: Mapping[UUID, T], ids: Iterable[UUID]) -> dict[UUID, T]:
    return {one: entry for one in ids if (entry := book.get(one)) is not None}


class Prices:
    """What the drafts of a batch cost: looked at before the locks, and again under them, so never stale."""

    def __init__(self, drafts: Sequence[Draft]) -> None:
        wishes = {one.wish: one for one in drafts}.values()
        lines = [line for one in wishes for line in one.lines]
        self.listing_ids = {one.listing_id for one in lines if one.listing_id is not None and one.deal_id is None}
        self.variant_ids = {one.variant_id for one in lines}
        self.claims = list({(one.deal_id, one.variant_id) for one in lines if one.deal_id is not None})
        self.pool_ids: Set[UUID] = {one.pool_id for one in lines}
        self._drafts_shows = {one.show_id for one in wishes if one.show_id is not None}
        self.listings: Mapping[UUID, rooms.Listing] = {}
        self.shows: Mapping[UUID, rooms.Standing] = {}
        self.offers: Mapping[UUID, catalog.Offer] = {}
        self.sellers: Mapping[UUID, accounts.Seller] = {}
        self.admissions: dict[tuple[UUID, UUID], deals.Admission | Refusal] = {}
        self.marks: tuple[Marks, Marks, Marks, Marks] = {}, {}, {}, {}
        """Of what was read last."""
        self.version = 0
        """Of the book that says the same."""

    @property
    def show_ids(self) -> set[UUID]:
        return self._drafts_shows | {one.show_id for one in self.listings.values()}

    @property
    def seller_ids(self) -> set[UUID]:
        return {one.seller_id for one in self.offers.values()}

    @property
    def seen(self) -> tuple[Mapping[UUID, Any], ...]:
        return self.listings, self.shows, self.offers, self.sellers

    @property
    def ids(self) -> tuple[Set[UUID], ...]:
        """What is looked for on each page of the book."""
        return self.listing_ids, self.show_ids, self.variant_ids, self.seller_ids

    @property
    def is_whole(self) -> bool:
        """Whether all that the drafts want was seen at some time."""
        return all(len(seen) == len(ids) for seen, ids in zip(self.seen, self.ids, strict=True))

    @property
    def limits(self) -> set[UUID]:
        """The listings of which a person may have only so many, whatever the pools."""
        return {one.id for one in self.listings.values() if one.per_buyer}

    def said(self) -> tuple[Any, ...]:
        """All that the price of a draft depends on."""
        return self.listings, self.shows, self.offers, self.sellers, self.admissions

    def line(self, draft: Draft, wanted: NewOrderLine) -> tuple[Line, str, UUID]:
        """The line as it would be sold, its currency and its seller. Raises the refusal that stands against it."""
        offer = self.offers.get(wanted.variant_id)
        if offer is None:
            raise stock.NotStocked
        seller = self.sellers.get(offer.seller_id)
        if seller is None:
            raise stock.NotStocked
        if seller.state is not accounts.SellerState.approved:
            raise SellerSuspended(seller=seller.name)
        listing_id, price = wanted.listing_id, offer.price
        if wanted.deal_id is not None:
            admission = self.admissions[wanted.deal_id, wanted.variant_id]
            if isinstance(admission, Refusal):
                raise admission
            if draft.show_id not in {None, admission.show_id}:
                raise UnknownShow
            listing_id, price = admission.listing_id, admission.price
        elif listing_id is not None:
            price = self._show_price(draft, listing_id, offer)
        if price.amount < 1:  # a present is no sale
            raise stock.NotStocked
        line = Line(
            offer.variant_id, offer.product_id, listing_id, wanted.deal_id, wanted.quantity, price.amount,
            offer.product_title, offer.variant_title, offer.picture_url,
        )  # fmt: skip
        return line, price.currency, offer.seller_id

    def _show_price(self, draft: Draft, listing_id: UUID, offer: catalog.Offer) -> Money:
        listing = self.listings.get(listing_id)
        if listing is None or listing.slot is None or listing.product_id != offer.product_id:
            raise stock.NotStocked
        if draft.show_id not in {None, listing.show_id}:
            raise UnknownShow
        show = self.shows.get(listing.show_id)
        over = show is None or show.state not in rooms.OPEN
        return offer.price if over else listing.price(offer.variant_id, offer.price)

    def limit(self, line: Line) -> tuple[UUID | None, int | None]:
        """What the units count for, and how many a person may have."""
        if line.deal_id is not None:
            admission = self.admissions[line.deal_id, line.variant_id]
            assert isinstance(admission, deals.Admission)
            return line.deal_id, admission.per_buyer
        listing = None if line.listing_id is None else self.listings.get(line.listing_id)
        return (listing.id, listing.per_buyer) if listing is not None and listing.per_buyer else (None, None)


def _asks(ids: Sequence[Collection[UUID]]) -> tuple[Ask, Ask, Ask, Ask]:
    """How each page of the book is read for these."""
    listings, shows, variants, sellers = ids
    return (
        lambda r: rooms.listing(r, list(listings)),
        lambda r: rooms.standings(r, list(shows)),
        lambda r: catalog.offers(r, list(variants)),
        lambda r: accounts.sellers(r, sellers),
    )


def known(drafts: Sequence[Draft], book: Book) -> Prices:
    """What the drafts cost, as far as the book says."""
    prices = Prices(drafts)
    book.open_for(prices)
    return prices


async def look(read: Read, drafts: Sequence[Draft], book: Book) -> Prices:
    """What the drafts cost, as far as can be seen without locks; `look_again` under them says if that still holds."""
    prices = known(drafts, book)
    if prices.claims or not prices.is_whole:
        await look_again(read, prices, book=book)
    return prices


async def look_again(
    read: Read, prices: Prices, *also: Ask, book: Book | None = None
) -> tuple[bool, list[Any]]:  # fmt: skip
    """Read once more what may have changed, in one round trip, and the answers of `also` with it. True if anything did,
    and the drafts have to be priced again."""
    before = prices.said()
    claims = [deals.Claim(*claim) for claim in prices.claims]
    shows, sellers = prices.show_ids, prices.seller_ids
    marks: list[Marks] = [{} for _ in range(5 + len(also))]
    prices.listings, prices.shows, prices.offers, prices.sellers, admitted, *answers = await at_once(
        read, *_asks(prices.ids), lambda r: deals.admit(r, claims), *also, marks=None if book is None else marks
    )
    if prices.seller_ids - sellers or prices.show_ids - shows:  # seen for the first time, or moved
        more: list[Marks] = [{}, {}]
        _, ask_shows, _, ask_sellers = _asks(prices.ids)
        prices.shows, prices.sellers = await at_once(read, ask_shows, ask_sellers, marks=more)
        marks[1], marks[3] = more
    prices.admissions = dict(zip(prices.claims, admitted, strict=True))
    prices.marks = marks[0], marks[1], marks[2], marks[3]
    is_changed = before != prices.said()
    if book is not None and (is_changed or book.differs(prices)):
        book.keep(prices)
    return is_changed, answers


def depends(mold: Mold, book: Book) -> Depends | None:
    """What a mold without deals was priced with, if the book says the same; None if it cannot tell of all of it."""
    listing_ids = {line.listing_id for line in mold.lines if line.listing_id is not None}
    show_ids = {listing.show_id for one in listing_ids if (listing := book.listings.get(one))}
    if mold.show_id is not None:
        show_ids.add(mold.show_id)
    ids = listing_ids, show_ids, {line.variant_id for line in mold.lines}, {mold.seller_id}
    if not all(wanted <= marks.keys() for wanted, marks in zip(ids, book.marks, strict=True)):
        return None
    pages = ({one.int: (one, marks[one]) for one in wanted} for wanted, marks in zip(ids, book.marks, strict=True))
    listings, shows, offers, sellers = pages
    return listings, shows, offers, sellers


async def still(tx: Tx, pages: Depends) -> None:
    """What `tx` writes depends on this: all of it holds when it is written."""
    asks = _asks([[one for one, _ in page.values()] for page in pages])
    for ask, page in zip(asks, pages, strict=True):
        await together.still(tx, ask, [mark for _, mark in page.values()])


async def lock(tx: Tx, prices: Prices) -> dict[UUID, stock.Pool]:
    """Lock the pools of the drafts; what is read after this stays true until the end of `tx`."""
    return await stock.lock(tx, prices.pool_ids, prices.limits)


def mold(draft: Draft, prices: Prices) -> Mold:
    """What this draft, and every other with the same wish, would become. Raises the refusal that stands against it."""
    priced = [prices.line(draft, wanted) for wanted in draft.lines]
    _, currency, seller_id = priced[0]
    if any((other, owner) != (currency, seller_id) for _, other, owner in priced):
        raise SeveralSellers
    show = None if draft.show_id is None else prices.shows.get(draft.show_id)
    if draft.show_id is not None and show is None:
        raise UnknownShow
    lines = [line for line, _, _ in priced]
    return Mold(
        lines=lines, currency=currency, seller_id=seller_id, show_id=draft.show_id,
        creator_id=None if show is None else show.creator_id, seconds=model.hold_seconds(draft.lines),
        limits=[prices.limit(line) for line in lines],
    )  # fmt: skip


def fresh_requests(draft: Draft, mold: Mold) -> list[stock.HoldRequest]:
    return [
        stock.HoldRequest(draft.order_id, number, line.pool_id, draft.buyer_id, line.quantity, counts_for, limit)
        for number, (line, (counts_for, limit)) in enumerate(zip(mold.lines, mold.limits, strict=True), 1)
    ]


def hold_requests(records: Sequence[Record], prices: Prices) -> list[stock.HoldRequest]:
    return [
        stock.HoldRequest(
            one.id, number, line.pool_id, one.buyer_id, line.quantity, *prices.limit(line), one.attempt
        )
        for one in records
        for number, line in enumerate(one.lines, 1)
    ]  # fmt: skip


async def reprice(tx: Tx, records: Sequence[Record]) -> tuple[Prices, list[Record]]:
    """Lock the pools of late orders; which of them could be placed again just as they were?"""
    drafts = {one.id: _wanted_again(one) for one in records}
    prices = await look(tx, list(drafts.values()), Book())
    await lock(tx, prices)
    await look_again(tx, prices)
    same: list[Record] = []
    for one in records:
        try:
            now = mold(drafts[one.id], prices)
        except Refusal:
            continue
        if [line.unit_price for line in now.lines] == [line.unit_price for line in one.lines]:
            same.append(one)
    return prices, same


def _wanted_again(record: Record) -> Draft:
    lines = [
        wishes.NewOrderLine(line.variant_id, line.quantity, line.listing_id, line.deal_id) for line in record.lines
    ]
    return wishes.draft(record.buyer_id, wishes.NewOrder(record.id, lines, record.show_id, record.address))
