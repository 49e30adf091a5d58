"""The fair start: nobody may buy before everybody has seen the announcement in their own picture."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.http import Http
from helpers.shop import Article, Shop, draft
from livestall import deals
from livestall.base import clock, config, ids
from livestall.deals.model import Settings, Tier, latencies, opening, tiers_of
from livestall.orders import Placed

MS = timedelta(milliseconds=1)
T = datetime(2026, 6, 18, 12, tzinfo=UTC)
milliseconds = st.integers(min_value=0, max_value=60_000)


@given(
    late=st.dictionaries(st.sampled_from(Tier), milliseconds, min_size=1), countdown=milliseconds,
    notice=milliseconds, ingest=st.integers(min_value=0, max_value=10_000),
)  # fmt: skip
def test_whoever_watches_has_had_notice_when_it_opens_and_the_host_waits_no_longer_than_that(
    late: dict[Tier, int], countdown: int, notice: int, ingest: int
) -> None:
    stream_at = T + ingest * MS
    found = opening(T, stream_at, countdown * MS, {tier: value * MS for tier, value in late.items()}, notice * MS)
    for tier, value in late.items():
        assert found.opens_at >= stream_at + value * MS + notice * MS, tier
    assert found.opens_at >= T + countdown * MS
    assert found.opens_at in {T + countdown * MS, found.fair_at}, "not a moment later than it must be"
    assert late[found.slowest_tier] == max(late.values())
    assert found.fair_at == stream_at + late[found.slowest_tier] * MS + notice * MS


@given(late=st.dictionaries(st.sampled_from(Tier), milliseconds, min_size=1), more=milliseconds)
def test_another_way_to_watch_never_makes_it_open_sooner(late: dict[Tier, int], more: int) -> None:
    before = {tier: value * MS for tier, value in late.items()}
    after = {**before, Tier.plain: max(more * MS, before.get(Tier.plain, timedelta()))}
    assert opening(T, T, 0 * MS, after, MS).opens_at >= opening(T, T, 0 * MS, before, MS).opens_at


def test_only_the_ways_that_the_show_has_count() -> None:
    assert tiers_of("default", 0.5) == {Tier.whep, Tier.default}
    assert tiers_of("interactive", None) == {Tier.whep, Tier.interactive}
    assert tiers_of("interactive", 0) == {Tier.whep, Tier.plain}, "a neighbour's HLS without parts"
    late = latencies(Settings(), tiers_of("default", 0.5))
    assert opening(T, T + 100 * MS, 0 * MS, late, 1000 * MS).opens_at == T + 3400 * MS


def sale(tea: Article, **more: Any) -> dict[str, Any]:
    return {
        "id": str(ids.new()), "listing_id": str(tea.listing), "variant_id": str(tea.variant), "price_amount": 500,
        "quota": 10, "countdown_seconds": 0, "duration_seconds": 60, "per_buyer": 1, **more,
    }  # fmt: skip


async def test_a_host_who_asks_for_no_countdown_is_told_when_it_opens(shop: Shop, http: Http) -> None:
    tea = await shop.product(20)
    deal = (await http(shop.host, "POST", f"/api/shows/{shop.show}/flash-sales", sale(tea))).json()
    assert (deal["opens_at"], deal["slowest_tier"]) == (deal["fair_at"], "ll-hls")
    waits = datetime.fromisoformat(deal["opens_at"]) - datetime.fromisoformat(deal["announced_at"])
    assert timedelta(seconds=3.3) <= waits <= timedelta(seconds=3.5)


async def test_a_long_countdown_stays_as_it_is(shop: Shop, http: Http) -> None:
    tea = await shop.product(20)
    asked = sale(tea, countdown_seconds=30)
    deal = (await http(shop.host, "POST", f"/api/shows/{shop.show}/flash-sales", asked)).json()
    waits = datetime.fromisoformat(deal["opens_at"]) - datetime.fromisoformat(deal["announced_at"])
    assert waits == timedelta(seconds=30)
    assert deal["fair_at"] < deal["opens_at"]


async def test_a_plain_hls_audience_is_waited_for(shop: Shop) -> None:
    tea = await shop.product(20)
    with config.override(Settings(default_latency_ms=6700, notice_ms=2000)):
        deal = await shop.flash(tea, countdown_seconds=0)
    assert deal.opens_at - deal.announced_stream_at == timedelta(seconds=8.7)


@pytest.mark.parametrize("early_seconds", [10, 100])
async def test_a_claim_before_the_opening_is_refused_and_the_same_claim_after_it_is_served(
    shop: Shop, early_seconds: int
) -> None:
    tea = await shop.product(20)
    deal = await shop.flash(tea, countdown_seconds=0)
    wish = draft(tea.line(deal=deal))
    ahead = (deal.opens_at - clock.now()).total_seconds()
    with clock.travel(ahead - early_seconds):
        (refused,) = await shop.place(wish)
    assert isinstance(refused, deals.DealNotOpen)
    with clock.travel(ahead):
        (served,) = await shop.place(wish)
    assert isinstance(served, Placed)
    assert served.new
