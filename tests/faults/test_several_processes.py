"""One `serve` with two processes of every plane: shows are spread over them, one killed is missed by its own shows
only, and all of them are replaced while people buy and watch."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import httpx
import pytest

from helpers.faults import hung
from helpers.market import PASSWORD, Cast, Served, in_thread, seed, serving, until
from helpers.patience import PATIENCE_SECONDS, Not
from helpers.ports import free_ports_in_a_row
from helpers.redis_server import redis_running
from helpers.reloading import Player, nobody_notices_a_reload
from livestall.app.demo.client import Door, Json, Person, Socket
from livestall.base import ids

SECRET = "5c" * 32
PLANES = ("web", "live", "media", "work")
BUYERS = 8


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    first = free_ports_in_a_row(100)
    media, rtmp = first + 90, first + 92
    with redis_running() as redis, serving(
        web__processes=2, live__processes=2, media__processes=2, work__processes=2,
        bus_url=redis.url, secret=SECRET, watch__port=first, rooms__grace_seconds=60,
        media__port=media, media__rtmp_port=rtmp,
        orders__claims_per_second=1000, orders__claims_burst=1000,
        orders__device_claims_per_second=10000, orders__device_claims_burst=10000,
    ) as market:  # fmt: skip
        market.media, market.rtmp = media, rtmp
        yield market


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
    found = served.processes(plane, number)
    return found[-1].pid if found else None


def processes(served: Served) -> dict[tuple[str, int], int | None]:
    return {(plane, number): process(served, plane, number) for plane in PLANES for number in range(2)}


async def show_of(cast: Cast, show: Json) -> Json:
    return await cast.show(show["id"])


async def picture_of(url: str) -> str:
    """The playlist at `url`, empty while there is none."""
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
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

        other = Player(urls[0])
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
        async with again_on_air(*shows[1]):
            other.stop.set()
            await watching
            assert (await show_of(*shows[0]))["state"] == "live", "the show beside never stopped"
            other.check()


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


@asynccontextmanager
async def again_on_air(cast: Cast, show: Json) -> AsyncGenerator[None]:
    """The host's encoder comes back by itself, with the address it has, and sends while the block lasts."""
    pusher = await cast.push(show["id"])

    async def live() -> bool:
        found = await show_of(cast, show)
        return found["state"] == "live" and bool(await picture_of(found["playback"]["hls_url"]))

    try:
        await until(live, what="the show back on air")
        yield
    finally:
        pusher.stop()


async def test_a_plane_is_up_while_one_of_its_processes_is_whichever_hangs(served: Served, cast: Cast) -> None:
    for plane in ("media", "live"):
        for number in range(2):
            hanging = process(served, plane, number)
            assert hanging is not None

            async def told(plane: str = plane) -> bool | Not:
                found = await plane_of(cast, plane)
                what = found["state"], found["code"], found["values"]
                return what == ("up", "some-ready", {"ready": 1, "of": 2}) or Not(what)

            with hung(hanging):  # the other may be slow to answer just now, the one before to come to itself
                await until(told, what=f"one of two being told of {plane}")

    async def well() -> bool:
        return await ready(cast) == "up"

    await until(well, what="both ready again")


async def test_a_reload_replaces_two_of_every_plane_and_nobody_notices(served: Served, cast: Cast) -> None:
    async with on_air(served, cast) as shows:
        before = processes(served)
        assert None not in before.values()
        assert len(set(before.values())) == 2 * len(PLANES)
        rooms = [show["id"] for _, show in shows]
        people = [(await cast.buyer(f"Buyer {number}"), rooms[number // 2 % 2]) for number in range(BUYERS)]
        pictures = [(await show_of(*one))["playback"]["hls_url"] for one in shows]

        await nobody_notices_a_reload(served, people, cast.line(), pictures)

        assert set(processes(served).values()) & set(before.values()) == set(), "every one was replaced"
        assert [(await show_of(*one))["state"] for one in shows] == ["live", "live"]
