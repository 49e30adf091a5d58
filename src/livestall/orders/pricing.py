"""What a batch of drafts costs now, and whether each of its lines is on offer at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from uuid import UUID

from livestall import accounts, catalog, deals, rooms, stock
from livestall.base.db import Read, Tx
from livestall.base.errors import Refusal
from livestall.base.money import Money
from livestall.orders import model
from livestall.orders.model import Draft, Line, NewOrderLine, Record
from livestall.orders.model.mold import Mold
from livestall.orders.model.refusals import SellerSuspended, SeveralSellers, UnknownShow


class Prices:
    """What the drafts of a batch cost: looked at before the locks, and again under them, so never stale."""

    def __init__(
        self,
        listings: Mapping[UUID, rooms.Listing],
        shows: Mapping[UUID, rooms.ShowRecord],
        variant_ids: Sequence[UUID],
        claims: Sequence[tuple[UUID, UUID]],
    ) -> None:
        self.listings, self.shows = listings, shows
        self.variant_ids, self.claims = variant_ids, claims
        self.pool_ids: Set[UUID] = frozenset()
        self.offers: Mapping[UUID, catalog.Offer] = {}
        self.sellers: Mapping[UUID, accounts.Seller] = {}
        self.admissions: dict[tuple[UUID, UUID], deals.Admission | Refusal] = {}

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


async def look(read: Read, drafts: Sequence[Draft]) -> Prices:
    """What the drafts cost, as far as can be seen without locks; `look_again` under them says if that still holds."""
    lines = [line for one in drafts for line in one.lines]
    listing_ids = {line.listing_id for line in lines if line.listing_id is not None and line.deal_id is None}
    listings = await rooms.listing(read, list(listing_ids)) if listing_ids else {}
    show_ids = {one.show_id for one in drafts if one.show_id} | {listing.show_id for listing in listings.values()}
    shows = await rooms.shows(read, list(show_ids)) if show_ids else {}
    claims = {(line.deal_id, line.variant_id) for line in lines if line.deal_id is not None}
    prices = Prices(listings, shows, list({line.variant_id for line in lines}), list(claims))
    prices.pool_ids = {line.pool_id for line in lines}
    await look_again(read, prices)
    return prices


async def look_again(read: Read, prices: Prices) -> bool:
    """Read once more what may have changed; True if anything did, and the drafts have to be priced again."""
    before = prices.offers, prices.sellers, prices.admissions
    prices.offers = await catalog.offers(read, prices.variant_ids)
    prices.sellers = await accounts.sellers(read, {one.seller_id for one in prices.offers.values()})
    admitted = await deals.admit(read, [deals.Claim(*claim) for claim in prices.claims])
    prices.admissions = dict(zip(prices.claims, admitted, strict=True))
    return before != (prices.offers, prices.sellers, prices.admissions)


async def lock(tx: Tx, prices: Prices) -> dict[UUID, stock.Pool]:
    """Lock the pools of the drafts; what is read after this stays true until the end of `tx`."""
    return await stock.lock(tx, prices.pool_ids, {one.id for one in prices.listings.values() if one.per_buyer})


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
    prices = await look(tx, list(drafts.values()))
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
    lines = [model.NewOrderLine(line.variant_id, line.quantity, line.listing_id, line.deal_id) for line in record.lines]
    return model.draft(record.buyer_id, model.NewOrder(record.id, lines, record.show_id, record.address))
