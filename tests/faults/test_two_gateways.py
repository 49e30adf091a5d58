"""Two gateways on one port with a bus: everyone hears everything, before, while and after they are replaced."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from helpers.market import Served, seed, serving, until
from helpers.redis_server import redis_running
from helpers.reloading import post, reload
from helpers.rooms import Viewer
from livestall.app.demo.client import Door
from livestall.base import ids

VIEWERS = 12
SECRET = "7f" * 32


@pytest.fixture
def served() -> Iterator[Served]:
    with redis_running() as redis, serving(live__processes=2, bus_url=redis.url, secret=SECRET) as market:
        yield market


async def test_two_gateways_are_one_and_are_replaced_without_a_gap(served: Served):
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1)
        show = await cast.live_show(planned_at="2030-01-01T20:00:00Z")
        viewers = [Viewer(await cast.buyer(f"Viewer {number}"), show["id"]).start() for number in range(VIEWERS)]
        path, lines = f"/api/shows/{show['id']}/chat", itertools.count()

        async def say(text: str) -> None:
            speaker = viewers[next(lines) % VIEWERS].person  # chat has a pace for each person
            await asyncio.sleep(0.1)
            await post(speaker, path, {"id": ids.new(), "text": text})
            await until(lambda: all(one.said(text) for one in viewers), what=f"everyone hearing {text!r}")

        await until(lambda: all(one.is_inside for one in viewers), what="everyone inside")
        await say("before")
        replacing = asyncio.create_task(reload(served))
        for number in itertools.count(1):
            await say(f"while {number}")
            if replacing.done():
                break
        await replacing
        await say("after")
        for one in viewers:
            await one.stop()
        assert all(one.byes for one in viewers)
        assert [(one.gaps, one.contradictions) for one in viewers] == [([], [])] * VIEWERS
