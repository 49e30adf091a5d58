"""One `serve` with two processes of every plane: shows are spread over them, one killed is missed by its own shows
only, and all of them are replaced while people buy and watch."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest

from helpers.market import PASSWORD, Cast, Pusher, Served, free_ports_in_a_row, in_thread, seed, until
from helpers.patience import PATIENCE_SECONDS, slowness
from helpers.redis_server import RedisServer
from helpers.reloading import Buying, Viewer, check_orders, reload
from livestall.app.demo.client import Door, Json, Person, Socket
from livestall.base import ids

SECRET = "5c" * 32
PLANES = ("web", "live", "media", "work")
BUYERS = 8
BACK_SECONDS_MAX = 3.0
PICTURE_SECONDS_MAX = 3.0
"""On a quiet machine."""


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    redis = RedisServer().start()
    first = free_ports_in_a_row(100)
    market = Served(
        web__processes=2, live__processes=2, media__processes=2, work__processes=2,
        bus_url=redis.url, secret=SECRET, watch__port=first, rooms__grace_seconds=60,
        media__port=first + 90, media__rtmp_port=first + 92,
        orders__claims_per_second=1000, orders__claims_burst=1000,
        orders__device_claims_per_second=10000, orders__device_claims_burst=10000,
    )  # fmt: skip
    market.media, market.rtmp = first + 90, first + 92
    try:
        market.start()
        yield market
    finally:
        market.stop()
        market.remove()
        redis.kill()


@pytest.fixture(scope="module")
def seeded(served: Served) -> Cast:
    async def prepare() -> Cast:
        async with Door(served.base) as door:
            return await seed(door, served.first_run_token, products=1, on_hand=100_000)

    return in_thread(prepare)


@pytest.fixture
async def cast(served: Served, seeded: Cast) -> AsyncIterator[Cast]:
    async with Door(served.base) as door:
        yield seeded.at(door)


def process(served: Served, plane: str, number: int) -> int | None:
    """The process id of the `number`-th of `plane`: of several, while one takes the other's place, the newest."""
    mark = f"LIVESTALL_NUMBER={number}".encode()
    found: list[tuple[int, int]] = []
    for pid in served.descendants():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if words[3:4] == [plane.encode()] and mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                born = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
                found.append((int(born), pid))
    return max(found)[1] if found else None


def processes(served: Served) -> dict[tuple[str, int], int | None]:
    return {(plane, number): process(served, plane, number) for plane in PLANES for number in range(2)}


async def show_of(cast: Cast, show: Json) -> Json:
    return await cast.creator.get(f"/api/shows/{show['id']}")


async def picture_of(url: str) -> str:
    """The playlist at `url`, empty while there is none."""
    async with httpx.AsyncClient(trust_env=False) as client:
        with suppress(httpx.HTTPError):
            answer = await client.get(url)
            return answer.text if answer.status_code == 200 and "#EXTINF" in answer.text else ""
    return ""


async def host(cast: Cast, name: str) -> Cast:
    """The same market with another channel: one may have one show on air."""
    other = cast.at(cast.door)
    other.creator = await Person(cast.door).sign_up(f"{ids.new()}@test.example", PASSWORD, name)
    await other.creator.post("/api/me/creator", {"id": ids.new(), "name": name, "bio": ""})
    return other


@asynccontextmanager
async def on_air(served: Served, cast: Cast) -> AsyncGenerator[list[tuple[Cast, Json]]]:
    """A host and a show on each media process, live, as the market gave them out."""
    async with AsyncExitStack() as stack:
        shows: dict[str, tuple[Cast, Json]] = {}
        homes = [f"rtmp://127.0.0.1:{served.rtmp + number}/live" for number in range(2)]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(shows) < len(homes):
            assert time.monotonic() < deadline, f"one process got every show: {list(shows)}"
            owner = await host(cast, "Mei")
            show = await owner.live_show()
            where = (await owner.creator.get(f"/api/shows/{show['id']}/ingest"))["rtmp_server"]
            if where not in shows:
                stack.callback((await owner.push(show["id"])).stop)
                await owner.go_live(show["id"])
                shows[where] = owner, show
        yield [shows[home] for home in homes]
        for owner, show in shows.values():
            await owner.creator.post(f"/api/shows/{show['id']}/end")


async def test_shows_are_spread_and_one_media_process_killed_is_missed_by_its_own_show_only(
    served: Served, cast: Cast
) -> None:
    async with on_air(served, cast) as shows:
        urls = [(await show_of(*one))["playback"]["hls_url"] for one in shows]
        assert [f":{served.media + number}/" in url for number, url in enumerate(urls)] == [True, True]
        for (owner, show), url in zip(shows, urls, strict=True):
            await until(lambda url=url: picture_of(url), what=f"the picture at {url}")
            assert await told_in_the_room(owner, show) == url, "the socket tells the same address"

        other = Viewer(urls[0])
        watching = asyncio.create_task(other.watch())
        dying = process(served, "media", 1)
        assert dying is not None
        os.kill(dying, signal.SIGKILL)

        async def interrupted() -> bool:
            return (await show_of(*shows[1]))["state"] == "interrupted"

        await until(interrupted, what="the interruption")

        async def back() -> bool:
            return process(served, "media", 1) not in (None, dying) and (await ready(cast)) == "up"

        await until(back, what="the process back")
        again = await again_on_air(*shows[1])
        try:
            other.stop.set()
            await watching
            assert (await show_of(*shows[0]))["state"] == "live", "the show beside never stopped"
            assert other.failed == []
            assert other.gaps == 0
            assert other.longest < PICTURE_SECONDS_MAX * slowness()
        finally:
            again.stop()


async def ready(cast: Cast) -> str:
    """How the operator is told that the media plane is: its state, or what is the matter."""
    media = await plane_of(cast, "media")
    return media["code"] or media["state"]


async def plane_of(cast: Cast, name: str) -> Json:
    planes = (await cast.operator.get("/api/operator/health"))["planes"]
    return next(one for one in planes if one["name"] == name)


async def told_in_the_room(cast: Cast, show: Json) -> str:
    """The address of the picture in the snapshot of a room."""
    found: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hear(frame: Json) -> None:
        if frame["type"] == "snapshot" and not found.done():
            found.set_result(frame["show"]["playback"]["hls_url"])

    socket = await Socket(await cast.buyer(), show["id"], hear).open()
    try:
        return await asyncio.wait_for(found, PATIENCE_SECONDS)
    finally:
        await socket.close()


async def again_on_air(cast: Cast, show: Json) -> Pusher:
    """The host's encoder comes back by itself, with the address it has."""
    pusher = await cast.push(show["id"])

    async def live() -> bool:
        found = await show_of(cast, show)
        return found["state"] == "live" and bool(await picture_of(found["playback"]["hls_url"]))

    await until(live, what="the show back on air")
    return pusher


async def test_a_plane_is_up_while_one_of_its_processes_is_whichever_hangs(served: Served, cast: Cast) -> None:
    for plane in ("media", "live"):
        for number in range(2):
            hanging = process(served, plane, number)
            assert hanging is not None
            os.kill(hanging, signal.SIGSTOP)
            try:
                found = await plane_of(cast, plane)
            finally:
                os.kill(hanging, signal.SIGCONT)
            assert (found["state"], found["code"], found["values"]) == ("up", "some-ready", {"ready": 1, "of": 2})

    async def well() -> bool:
        return await ready(cast) == "up"

    await until(well, what="both ready again")


async def test_a_reload_replaces_two_of_every_plane_and_nobody_notices(served: Served, cast: Cast) -> None:
    line = {"variant_id": cast.products[0]["variants"][0]["id"], "quantity": 1}
    async with on_air(served, cast) as shows:
        before = processes(served)
        assert None not in before.values()
        assert len(set(before.values())) == 2 * len(PLANES)
        buying = Buying()
        viewers = [Viewer((await show_of(*one))["playback"]["hls_url"]) for one in shows]
        people = [await cast.buyer(f"Buyer {number}") for number in range(BUYERS)]
        tasks = [
            asyncio.create_task(
                (buying.by_socket if number % 2 else buying.by_http)(person, shows[number // 2 % 2][1]["id"], line)
            )
            for number, person in enumerate(people)
        ] + [asyncio.create_task(one.watch()) for one in viewers]
        await until(lambda: _true(len(buying.acknowledged) > 2 * BUYERS), what="buying")

        seconds = await reload(served)

        sold = len(buying.acknowledged)
        await until(lambda: _true(len(buying.acknowledged) > sold + 4 * BUYERS), what="buying afterwards")
        await until(lambda: _true(len(buying.away_seconds) >= BUYERS // 2), what="every socket back")
        buying.stop.set()
        for one in viewers:
            one.stop.set()
        await asyncio.gather(*tasks)
        print({
            "reload_seconds": seconds, "orders": len(buying.acknowledged), "failed": buying.failed,
            "socket_away_seconds_max": max(buying.away_seconds), "picture": [one.longest for one in viewers],
        })  # fmt: skip
        assert set(processes(served).values()) & set(before.values()) == set(), "every one was replaced"
        assert buying.failed == []
        assert max(buying.away_seconds) < BACK_SECONDS_MAX * slowness()
        await check_orders(served, buying.acknowledged)
        for one in viewers:
            assert one.failed == []
            assert one.gaps == 0
            assert one.longest < PICTURE_SECONDS_MAX * slowness()
        assert [(await show_of(*one))["state"] for one in shows] == ["live", "live"]


async def _true(what: bool) -> bool:
    return what
