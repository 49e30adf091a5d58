"""`livestall reload` while a show is on air and people buy: no order is lost, no request fails, the picture goes on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from helpers.market import Cast, Served, seed, until
from helpers.patience import slowness
from helpers.reloading import Buying, Viewer, check_orders, reload
from livestall.app.demo.client import Door, Json

BUYERS = 12
BACK_SECONDS_MAX = 3.0
"""On a quiet machine."""


@pytest.fixture
def served() -> Iterator[Served]:
    market = Served(
        rooms__grace_seconds=60,
        orders__claims_per_second=1000,
        orders__claims_burst=1000,
        orders__device_claims_per_second=10000,
        orders__device_claims_burst=10000,
    )
    market.start()
    yield market
    market.stop()
    market.remove()


@pytest.fixture
async def market(served: Served) -> AsyncIterator[tuple[Cast, Json]]:
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1, on_hand=100_000)
        show = await cast.live_show()
        pusher = await cast.push(show["id"])
        try:
            await cast.go_live(show["id"])
            yield cast, show
        finally:
            pusher.stop()


async def test_a_reload_loses_no_order_and_no_show(served: Served, market: tuple[Cast, Json]):
    cast, show = market
    before = served.planes()
    line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
    buying = Buying()
    playback = (await cast.creator.get(f"/api/shows/{show['id']}"))["playback"]
    viewer = Viewer(playback["hls_url"])
    people = [await cast.buyer(f"Buyer {number}") for number in range(BUYERS)]
    tasks = [
        asyncio.create_task((buying.by_socket if number % 2 else buying.by_http)(person, show["id"], line))
        for number, person in enumerate(people)
    ]
    tasks.append(asyncio.create_task(viewer.watch()))
    await until(lambda: _true(len(buying.acknowledged) > 2 * BUYERS), what="buying")

    seconds = await reload(served)

    sold = len(buying.acknowledged)
    await until(lambda: _true(len(buying.acknowledged) > sold + 4 * BUYERS), what="buying afterwards")
    await until(lambda: _true(len(buying.away_seconds) >= BUYERS // 2), what="every socket back")
    buying.stop.set()
    viewer.stop.set()
    await asyncio.gather(*tasks)
    print({
        "reload_seconds": seconds, "orders": len(buying.acknowledged), "failed": len(buying.failed),
        "socket_away_seconds_max": max(buying.away_seconds), "picture_wait_seconds_max": viewer.longest,
        "picture_failures": len(viewer.failed), "picture_gaps": viewer.gaps,
    })  # fmt: skip
    after = served.planes()
    assert {plane for plane in ("web", "live", "work") if before[plane] == after[plane]} == set()
    assert buying.failed == []
    assert max(buying.away_seconds) < BACK_SECONDS_MAX * slowness()
    assert len(set(buying.acknowledged)) == len(buying.acknowledged)
    await check_orders(served, buying.acknowledged)
    assert viewer.failed == []
    assert viewer.gaps == 0, "a viewer's picture goes on without a cut"
    assert viewer.longest < BACK_SECONDS_MAX * slowness()
    assert (await cast.creator.get(f"/api/shows/{show['id']}"))["state"] == "live"


async def test_the_elder_hands_its_show_over_when_the_host_comes_back_and_then_ends(
    served: Served, market: tuple[Cast, Json]
):
    cast, show = market
    await reload(served)
    carrying = media_processes(served)
    assert len(carrying) >= 2, "the one before carries the show, the fresh one takes new ones"
    other = await cast.push(show["id"])
    try:

        async def one_left() -> bool:
            return len(media_processes(served)) == 1

        await until(one_left, what="the end of the elders")
        playback = (await cast.creator.get(f"/api/shows/{show['id']}"))["playback"]

        async def goes_on() -> bool:
            async with aiohttp.ClientSession() as client, client.get(playback["hls_url"]) as answer:
                return answer.status == 200 and "#EXT-X-DISCONTINUITY" in await answer.text()

        await until(goes_on, what="the picture from the fresh process")
        assert (await cast.creator.get(f"/api/shows/{show['id']}"))["state"] == "live"
        ended = await cast.creator.post(f"/api/shows/{show['id']}/end")
        assert ended["state"] == "ended"
    finally:
        other.stop()


def media_processes(served: Served) -> list[int]:
    found: list[int] = []
    for pid in served.descendants():
        try:
            if Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[3:4] == [b"media"]:
                found.append(pid)
        except OSError:
            continue
    return found


async def _true(what: bool) -> bool:
    return what


async def test_a_reload_of_nothing_is_told_so(served: Served):
    environment = {**os.environ, **served.environment, "LIVESTALL_DATA": str(served.folder / "elsewhere")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livestall.app.cli", "reload", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"no market runs" in err
