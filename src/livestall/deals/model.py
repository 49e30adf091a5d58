"""Deals: words and rules of the flash sale."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Conflict, Invalid, NotFound
from livestall.base.money import Money
from livestall.base.outbox import Event
from livestall.stock import Pool


class Settings(config.Section, frozen=True, kw_only=True):
    countdown_seconds_min: Annotated[
        int, Meta(ge=0, description="shortest countdown a host may ask for; 0 opens a sale as soon as it is fair")
    ] = 0
    countdown_seconds_max: Annotated[int, Meta(ge=1, description="longest countdown before a flash sale opens")] = 300
    duration_seconds_min: Annotated[int, Meta(ge=1, description="shortest window of a flash sale")] = 60
    duration_seconds_max: Annotated[int, Meta(ge=1, description="longest window of a flash sale")] = 1200
    whep_latency_ms: Annotated[int, Meta(ge=0, le=60_000, description="how late a viewer by WHEP sees the host")] = 200
    interactive_latency_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="how late a viewer by LL-HLS sees the host, in an interactive show")
    ] = 1100
    default_latency_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="how late a viewer by LL-HLS sees the host, in any other show")
    ] = 2300
    plain_latency_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="how late a viewer sees the host by HLS without parts")
    ] = 6700
    notice_ms: Annotated[
        int, Meta(ge=0, le=60_000, description="the slowest viewer sees a flash sale at least so long before it opens")
    ] = 1000


class DealClosed(Conflict):
    code = "deal-closed"
    en = "This flash sale is over. The product is still on sale at its ordinary price."
    zh = "本场秒杀已结束，您仍可按日常价购买该商品。"


class DealNotOpen(Conflict):
    code = "deal-not-open"
    en = "This flash sale opens in {seconds} seconds."
    zh = "秒杀将在 {seconds} 秒后开始。"


class NoSuchDeal(NotFound):
    code = "no-such-deal"
    en = "There is no such flash sale for this product. Reload and look again."
    zh = "该商品没有此秒杀活动，请刷新后再试。"


class AlreadyRunning(Conflict):
    code = "deal-running"
    en = "This article already has a flash sale. End it first."
    zh = "该规格已有进行中的秒杀，请先结束。"


class NotCheaper(Invalid):
    code = "not-cheaper"
    en = "A flash sale must be cheaper than the price in the show."
    zh = "秒杀价必须低于直播间售价。"


class DealState(StrEnum):
    countdown = "countdown"  # announced, the quota is set aside, nobody can buy yet
    running = "running"
    ended = "ended"  # by time, by the host, or with the show; what was not sold went back
    cancelled = "cancelled"  # ended by the host before it opened


S = DealState
MOVES: Mapping[DealState, frozenset[DealState]] = {
    S.countdown: frozenset({S.running, S.ended, S.cancelled}),
    S.running: frozenset({S.ended}),
    S.ended: frozenset(),
    S.cancelled: frozenset(),
}
"""The only moves there are. A countdown goes straight to ended when no sweep ran during the whole window."""
OVER = frozenset({S.ended, S.cancelled})


class Tier(StrEnum):
    """A way to watch a show, by how late the picture is."""

    whep = "whep"  # WebRTC
    interactive = "ll-hls-interactive"  # HLS in parts of 0.2 s
    default = "ll-hls"  # HLS in parts of 0.5 s
    plain = "hls"  # HLS in whole segments, of a neighbour media server


def tiers_of(mode: Literal["default", "interactive"], part_seconds: float | None) -> frozenset[Tier]:
    """The ways to watch a show of that mode; `part_seconds` of its playlist, 0 without parts, None if not known yet."""
    by_hls = Tier.interactive if mode == "interactive" else Tier.default
    return frozenset({Tier.whep, Tier.plain if part_seconds == 0 else by_hls})


class Opening(msgspec.Struct, frozen=True):
    """When a flash sale opens. At `fair_at` a viewer by `slowest_tier` has seen the announcement for the least notice;
    `opens_at` is later when the host's countdown is longer."""

    opens_at: datetime
    fair_at: datetime
    slowest_tier: Tier


def latencies(settings: Settings, tiers: Collection[Tier]) -> dict[Tier, timedelta]:
    """How late each of `tiers` is."""
    everyone = {
        Tier.whep: settings.whep_latency_ms, Tier.interactive: settings.interactive_latency_ms,
        Tier.default: settings.default_latency_ms, Tier.plain: settings.plain_latency_ms,
    }  # fmt: skip
    return {tier: timedelta(milliseconds=everyone[tier]) for tier in tiers}


def opening(
    announced_at: datetime, announced_stream_at: datetime, countdown: timedelta, late: Mapping[Tier, timedelta],
    notice: timedelta,
) -> Opening:  # fmt: skip
    """The rule of the fair start: everyone has seen the announcement in their own picture before anyone may buy.

    `late` says of each tier that watches how late it is; there is at least one.
    """
    slowest = max(late, key=lambda tier: (late[tier], tier))
    fair_at = announced_stream_at + late[slowest] + notice
    return Opening(max(announced_at + countdown, fair_at), fair_at, slowest)


class Deal(msgspec.Struct, frozen=True, kw_only=True):
    """A flash sale as anyone sees it. `held`, `sold` and `left` are the numbers of its stock pool at this moment.

    `fair_at` is when the viewers of `slowest_tier` have seen the announcement long enough; a deal that was announced
    before there was such a rule has neither.
    """

    id: UUID
    show_id: UUID
    listing_id: UUID
    variant_id: UUID
    kind: Literal["flash"]
    state: DealState
    price: Money
    list_price: Money
    quota: int
    released: int
    held: int
    sold: int
    left: int
    per_buyer: int
    announced_at: datetime
    announced_stream_at: datetime
    opens_at: datetime
    closes_at: datetime
    fair_at: datetime | None = None
    slowest_tier: Tier | None = None


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A row of `deal`: what was decided about it, without the numbers of its pool."""

    id: UUID
    show_id: UUID
    listing_id: UUID
    variant_id: UUID
    seller_id: UUID
    state: DealState
    price: Money
    list_price: Money
    quota: int
    released: int
    per_buyer: int
    announced_at: datetime
    announced_stream_at: datetime
    opens_at: datetime
    closes_at: datetime
    fair_at: datetime | None = None
    slowest_tier: Tier | None = None

    def state_at(self, now: datetime) -> DealState:
        """The state by the clock, which rules even before the sweep has written it down."""
        if self.state in OVER:
            return self.state
        if now < self.opens_at:
            return S.countdown
        return S.running if now < self.closes_at else S.ended

    def with_pool(self, pool: Pool, now: datetime) -> Deal:
        state = self.state_at(now)
        return Deal(
            id=self.id, show_id=self.show_id, listing_id=self.listing_id, variant_id=self.variant_id, kind="flash",
            state=state, price=self.price, list_price=self.list_price, quota=self.quota, released=self.released,
            held=pool.held, sold=pool.sold, left=0 if state in OVER else pool.available, per_buyer=self.per_buyer,
            announced_at=self.announced_at, announced_stream_at=self.announced_stream_at, opens_at=self.opens_at,
            closes_at=self.closes_at, fair_at=self.fair_at, slowest_tier=self.slowest_tier,
        )  # fmt: skip


class NewFlashSale(msgspec.Struct, frozen=True, kw_only=True):
    """What a host asks for. `released` of the `quota` go on sale when it opens (all by default). A countdown shorter
    than is fair is stretched: 0 means as soon as everyone has seen the announcement."""

    id: UUID
    listing_id: UUID
    variant_id: UUID
    price_amount: Annotated[int, Meta(ge=1, le=10**15)]
    quota: Annotated[int, Meta(ge=1, le=1_000_000)]
    released: Annotated[int, Meta(ge=0, le=1_000_000)] | None = None
    countdown_seconds: Annotated[int, Meta(ge=0, le=3600)] = 30
    duration_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 300
    per_buyer: Annotated[int, Meta(ge=1, le=999)] = 1


class Claim(msgspec.Struct, frozen=True):
    """An order line that names a deal."""

    deal_id: UUID
    variant_id: UUID


class Admission(msgspec.Struct, frozen=True):
    """The claim may try the deal's pool: its price, its limit, and the show it belongs to."""

    deal_id: UUID
    listing_id: UUID
    show_id: UUID
    price: Money
    per_buyer: int


class DealChanged(Event, frozen=True, kw_only=True):
    """A deal of a show (subject) was announced, opened, released further, ended or cancelled: the full record."""

    topic = "deal.changed"
    deal: Deal
    at: datetime


def admit(claim: Claim, terms: Terms | None, now: datetime) -> Admission | Conflict | NotFound:
    """May this claim try the pool? How much is left, and how much this buyer has already, stock decides."""
    if terms is None or terms.variant_id != claim.variant_id:
        return NoSuchDeal()
    state = terms.state_at(now)
    if state is S.countdown:
        return DealNotOpen(seconds=int((terms.opens_at - now).total_seconds()) + 1)
    if state is not S.running:
        return DealClosed()
    return Admission(terms.id, terms.listing_id, terms.show_id, terms.price, terms.per_buyer)
