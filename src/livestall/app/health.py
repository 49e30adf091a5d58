"""Which planes of the market are up. Asked by the supervisor before it says "ready", and by the operator's page."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Literal, TypeVar

import httpx
import msgspec
from litestar import Response, get

from livestall import live, stock, video
from livestall.app import clocks, guard, settings, watch
from livestall.base import config
from livestall.base.db import Database, Read, Tx
from livestall.base.errors import Unavailable
from livestall.base.http import Who, may

T = TypeVar("T")
LOOK_SECONDS = 2.0
LOSING = {"not-recorded", "disk-full"}
"""What a media process says of itself that costs the record more with every second."""

BEAT_SECONDS = 2.0
BEAT_AGE_MAX = timedelta(seconds=15)


class PlaneHealth(msgspec.Struct, frozen=True):
    """One plane: up or down, and a sentence for the operator when something is not well. Pages say it in the reader's
    language by its `code` and the code's own `values`."""

    name: str
    state: Literal["up", "down"]
    detail: str = ""
    code: str = ""
    values: dict[str, int | str] = {}


class Health(msgspec.Struct, frozen=True):
    """The answer of `/api/health`, for load balancers and the pages."""

    state: Literal["up", "down"]
    buying: bool


def own_host() -> str:
    """Where processes of this machine reach each other."""
    return _near(config.of(settings.Web).host)


async def look(db: Database) -> list[PlaneHealth]:
    """Ask every plane, all at once; takes at most about two seconds."""
    host = own_host()
    web, gateway, media = config.of(settings.Web), config.of(settings.Live), config.of(settings.Media)
    probes: Sequence[Awaitable[PlaneHealth]] = [
        _database(db),
        _http("web", f"http://{host}:{web.port}/api/health"),
        _http("live", f"http://{host}:{gateway.port}/health"),
        _media_plane(host, media),
        _work(db),
    ]
    counts = {"web": web.processes, "live": gateway.processes, "work": _workers()}
    return [await _each(one, counts.get(one.name, 1)) for one in await asyncio.gather(*probes)]


async def look_around(db: Database) -> list[PlaneHealth]:
    """As `look`, for a web process by itself: gateways and media processes may be on any machine. Those that gave a
    sign of life are up; media processes are asked where the market reaches them."""
    asked = [_database(db), _http("web", f"http://{own_host()}:{config.of(settings.Web).port}/api/health")]
    return list(await asyncio.gather(*asked, _gateways(db), _media_servers(db), _work(db)))


async def _asked(db: Database, ask: Callable[[Read], Awaitable[T]]) -> T | None:
    """What the database says; None while it is away."""
    try:
        async with asyncio.timeout(LOOK_SECONDS), db.read() as read:
            return await ask(read)
    except (Unavailable, TimeoutError):
        return None


def _unknown(name: str) -> PlaneHealth:
    return PlaneHealth(name, "down", "unknown while PostgreSQL is away", "unknown")


async def _gateways(db: Database) -> PlaneHealth:
    up = await _asked(db, live.gateways_up)
    if up is None:
        return _unknown("live")
    return PlaneHealth("live", "up") if up else PlaneHealth("live", "down", "no gateway has reported", "no-answer")


async def _media_servers(db: Database) -> PlaneHealth:
    servers = await _asked(db, video.own_servers)
    if servers is None:
        return _unknown("media")
    near = f"http://{own_host()}:{config.of(settings.Media).port}"
    found = await asyncio.gather(*(_record(url or near) for url, is_alive in servers if is_alive))
    up = [one for one in found if one.state == "up"]
    if not up:
        return PlaneHealth("media", "down", "no media process has reported", "no-answer")
    worst = next((one for one in up if one.code), up[0])
    return _together(worst, [True] * len(up) + [False] * (len(servers) - len(up)))


def _workers() -> int:
    return config.of(settings.Work).processes


async def _each(plane: PlaneHealth, count: int) -> PlaneHealth:
    """A plane of several processes is up while one of them is, though its one port may lead to one that hangs; `detail`
    says when some are missing."""
    ports = [watch.port_of(plane.name, number) for number in range(count)] if count > 1 else []
    if None in ports or not ports:
        return plane
    host = config.of(settings.Watch).host
    found = await asyncio.gather(*(_http(plane.name, f"http://{_near(host)}:{port}/ready") for port in ports))
    ready = [one.state == "up" for one in found]
    return _together(plane, ready) if any(ready) else plane


def _together(plane: PlaneHealth, ready: Sequence[bool]) -> PlaneHealth:
    """`plane`, or that some of its processes are missing, unless one that is there says worse."""
    if all(ready) or plane.code in LOSING:
        return plane
    told = f"{sum(ready)} of {len(ready)} processes are ready"
    return PlaneHealth(plane.name, "up", told, "some-ready", {"ready": sum(ready), "of": len(ready)})


def _near(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)


async def _http(name: str, url: str) -> PlaneHealth:
    try:
        async with httpx.AsyncClient(timeout=LOOK_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
    except httpx.HTTPError as error:
        return PlaneHealth(name, "down", f"does not answer: {error!r}", "no-answer")
    if answer.is_success:
        return PlaneHealth(name, "up")
    return PlaneHealth(name, "down", f"answers {answer.status_code}", "bad-answer", {"status": answer.status_code})


async def _media_plane(host: str, media: video.Settings) -> PlaneHealth:
    """Each media process has ports of its own: the plane is up while one answers, and says what any of them has to."""
    found = await asyncio.gather(*(_media(host, media, number) for number in range(media.processes)))
    up = [one for one in found if one.state == "up"]
    if not up:
        return found[0]
    return _together(next((one for one in up if one.code), up[0]), [one.state == "up" for one in found])


async def _media(host: str, media: video.Settings, number: int) -> PlaneHealth:
    listens = await _listens("media", host, [media.rtmp_port + number])
    if listens.state == "down":
        return listens
    return await _record(f"http://{host}:{media.port + number}")


async def _record(base: str) -> PlaneHealth:
    """The media process at `base`, and what it has to say of its recordings."""
    url = f"{base.rstrip('/')}/healthz"
    try:
        async with httpx.AsyncClient(timeout=LOOK_SECONDS, trust_env=False) as client:
            answer = await client.get(url)
            found = msgspec.json.decode(answer.content, type=video.DiskHealth)
    except (httpx.HTTPError, msgspec.MsgspecError) as error:
        return PlaneHealth("media", "down", f"does not answer: {error!r}", "no-answer")
    return PlaneHealth("media", "up", found.sentence(), found.code(), found.values())


async def _listens(name: str, host: str, ports: Sequence[int]) -> PlaneHealth:
    for port in ports:
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                _, writer = await asyncio.open_connection(host.strip("[]"), port)
        except (OSError, TimeoutError):
            return PlaneHealth(name, "down", f"nothing listens on port {port}", "no-port", {"port": port})
        writer.close()
    return PlaneHealth(name, "up")


async def _database(db: Database) -> PlaneHealth:
    try:
        async with asyncio.timeout(LOOK_SECONDS), db.read() as read:
            await read.fetchval("select 1")
    except (Unavailable, TimeoutError):
        return PlaneHealth("postgres", "down", "no connection to PostgreSQL; buying is paused", "no-database")
    return PlaneHealth("postgres", "up")


async def _work(db: Database) -> PlaneHealth:
    sql = "select coalesce(now() - max(at) < $1, false) from worker_beat"
    fresh: bool | None = await _asked(db, lambda read: read.fetchval(sql, BEAT_AGE_MAX))
    if fresh is None:
        return _unknown("work")
    if fresh:
        return PlaneHealth("work", "up")
    told = "no worker has reported; unpaid orders do not expire meanwhile"
    return PlaneHealth("work", "down", told, "no-worker")


async def beat(tx: Tx, worker: str) -> None:
    """Called by each worker every two seconds: it is alive and reaches the database."""
    await tx.execute(
        "insert into worker_beat (worker, at) values ($1, now()) on conflict (worker) do update set at = now()", worker
    )


async def is_fresh(db: Database, worker: str) -> bool:
    """Whether that worker has reported within the last 15 s. Raises Unavailable."""
    async with db.read() as read:
        return bool(
            await read.fetchval("select now() - at < $2 from worker_beat where worker = $1", worker, BEAT_AGE_MAX)
        )


async def leave(tx: Tx, worker: str) -> None:
    """A worker that ends in good order takes its beat along; so do those long gone."""
    await tx.execute("delete from worker_beat where worker = $1 or at < now() - interval '1 day'", worker)


@get("/api/health", opt=may(Who.anyone), summary="Is the market up?")
async def market_health(db: Database) -> Response[Health]:
    """200 when the web process and the database answer; 503 with `buying: false` while the database is away."""
    database = await _database(db)
    up = database.state == "up"
    return Response(Health("up" if up else "down", buying=up), status_code=200 if up else 503)


class OperatorHealth(msgspec.Struct, frozen=True):
    """The operator's view. `drift` is units by which stock and its holds disagree, and must be 0."""

    planes: list[PlaneHealth]
    drift: int
    shows_live: int


def with_clocks(planes: Sequence[PlaneHealth], off: Sequence[clocks.HostClock]) -> list[PlaneHealth]:
    """The planes, where one that has nothing worse to say tells of its host whose clock is furthest off."""
    told: list[PlaneHealth] = []
    for plane in planes:
        worst = next((one for one in off if one.plane == plane.name), None)
        told.append(plane if worst is None or plane.code else _clock_off(plane, worst))
    return told


def _clock_off(plane: PlaneHealth, worst: clocks.HostClock) -> PlaneHealth:
    milliseconds = round(worst.reading.skew_seconds * 1000)
    detail = f"the clock of {worst.host} is {milliseconds:+} ms from the database's; keep both right with NTP"
    return PlaneHealth(plane.name, plane.state, detail, "clock-off", {"host": worst.host, "milliseconds": milliseconds})


@get("/api/operator/health", opt=may(Who.operator))
async def operator_health(db: Database) -> OperatorHealth:
    """Every plane, asked now; the proof that nothing is oversold; and how many shows are on air."""
    planes = await (look(db) if guard.PARENT in os.environ else look_around(db))
    async with db.read() as read:
        planes = with_clocks(planes, await clocks.off(read))
        on_air = await read.fetchval("select count(*) from show where state in ('live', 'interrupted')")
        return OperatorHealth(planes, await stock.drift(read), on_air)


ROUTES = [market_health, operator_health]
