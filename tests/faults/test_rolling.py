"""`livestall reload` while a show is on air and people buy: no order is lost, no request fails, the picture goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

from helpers.market import Cast, Served, seed, serving, until
from helpers.reloading import nobody_notices_a_reload, reload
from livestall.app.demo.client import Door, Json

BUYERS = 12


@pytest.fixture
def served() -> Iterator[Served]:
    with serving(
        rooms__grace_seconds=60,
        orders__claims_per_second=1000, orders__claims_burst=1000,
        orders__device_claims_per_second=10000, orders__device_claims_burst=10000,
    ) as market:  # fmt: skip
        yield market


@pytest.fixture
async def market(served: Served) -> AsyncIterator[tuple[Cast, Json]]:
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1, on_hand=100_000)
        async with cast.on_air() as show:
            yield cast, show


async def test_a_reload_loses_no_order_and_no_show(served: Served, market: tuple[Cast, Json]):
    cast, show = market
    before = served.planes()
    people = [(await cast.buyer(f"Buyer {number}"), show["id"]) for number in range(BUYERS)]
    picture = (await cast.show(show["id"]))["playback"]["hls_url"]

    await nobody_notices_a_reload(served, people, cast.line(), [picture])

    after = served.planes()
    assert {plane for plane in ("web", "live", "media", "work") if before[plane] == after[plane]} == set()
    assert after["postgres"] == before["postgres"]
    assert (await cast.show(show["id"]))["state"] == "live"


async def test_the_elder_hands_its_show_over_when_the_host_comes_back_and_then_ends(
    served: Served, market: tuple[Cast, Json]
):
    cast, show = market
    await reload(served)
    assert len(served.processes("media")) == 2, "the one before carries the show, the fresh one takes new ones"
    other = await cast.push(show["id"])
    try:
        await until(lambda: len(served.processes("media")) == 1, what="the end of the elder")
        playback = (await cast.show(show["id"]))["playback"]

        async def goes_on() -> bool:
            async with aiohttp.ClientSession() as client, client.get(playback["hls_url"]) as answer:
                return answer.status == 200 and "#EXT-X-DISCONTINUITY" in await answer.text()

        await until(goes_on, what="the picture from the fresh process")
        assert (await cast.show(show["id"]))["state"] == "live"
        ended = await cast.creator.post(f"/api/shows/{show['id']}/end")
        assert ended["state"] == "ended"
    finally:
        other.stop()


def test_a_reload_of_nothing_is_told_so():
    market = Served()  # it is not started
    try:
        answer = market.cli("reload")
        assert answer.returncode == 1
        assert "no market runs" in answer.stderr
    finally:
        market.remove()
