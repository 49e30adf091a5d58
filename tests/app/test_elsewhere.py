"""Is the market up? Asked of a web process by itself, whose gateways and media processes are on other machines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from aiohttp import web

from helpers.http import application
from helpers.ports import free_ports
from livestall import live, video
from livestall.app import guard
from livestall.base import clock, config, ids
from livestall.base.db import Database
from livestall.video import store
from livestall.video.backends import Server

Planes = dict[str, tuple[str, str]]
FULL = {"disk": "full", "free_bytes": 0, "paused": 1, "missing_seconds": 7.0, "reason": "disk-full"}
GOOD = {"disk": "good", "free_bytes": 10**12, "paused": 0, "missing_seconds": 7.0, "reason": None}


@pytest.fixture
def disk() -> dict[str, Any]:
    """What the far media process says of its disk."""
    return {**FULL}


@pytest.fixture
async def far(disk: dict[str, Any]) -> AsyncIterator[str]:
    """A media process on another machine; its address."""

    async def healthz(_request: web.Request) -> web.Response:
        return web.json_response({"streams": 1, **disk})

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


@pytest.fixture
async def operator_sees(db: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Any]:
    monkeypatch.delenv(guard.PARENT, raising=False)
    async with application(db) as http:
        operator = await http.person()
        async with db.write() as tx:
            await tx.execute("update user_account set is_operator = true where id = $1", operator)

        async def ask() -> Planes:
            planes = (await http(operator, "GET", "/api/operator/health")).json()["planes"]
            return {one["name"]: (one["state"], one["code"]) for one in planes}

        yield ask


async def saw(db: Database, name: str, url: str, ago: timedelta = timedelta()) -> None:
    server = Server(id=name, kind="embedded", control_url=url)
    async with db.write() as tx:
        await store.saw_server(tx, server, clock.now() - ago)


async def test_a_gateway_anywhere_is_up_while_it_gives_signs_of_life(db: Database, operator_sees: Any) -> None:
    assert (await operator_sees())["live"] == ("down", "no-answer")
    gateway = ids.new()
    async with db.write() as tx:
        await live.keep_readers(tx, gateway, {})
    assert (await operator_sees())["live"] == ("up", "")
    async with db.write() as tx:
        await tx.execute("update live_gateway set at = now() - interval '1 minute' where id = $1", gateway)
    assert (await operator_sees())["live"] == ("down", "no-answer")


async def test_a_full_disk_on_another_machine_is_told(
    db: Database, operator_sees: Any, far: str, disk: dict[str, Any]
) -> None:
    assert (await operator_sees())["media"] == ("down", "no-answer")
    await saw(db, "far", far)
    assert (await operator_sees())["media"] == ("up", "not-recorded")
    await saw(db, "gone", "http://127.0.0.1:9", timedelta(minutes=1))
    assert (await operator_sees())["media"] == ("up", "not-recorded"), "what is being lost goes first"
    disk.update(GOOD)
    assert (await operator_sees())["media"] == ("up", "some-ready")
    await saw(db, "long-gone", "http://127.0.0.1:9", timedelta(hours=1))
    async with db.write() as tx:
        await tx.execute("delete from media_server where id = 'gone'")
    assert (await operator_sees())["media"] == ("up", "record-gap"), "who went for good is not missed for ever"


async def test_a_market_of_one_machine_asks_its_own_planes(
    db: Database, operator_sees: Any, far: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What died a moment ago is down at once, whatever sign of life it gave before."""
    await saw(db, "far", far)
    monkeypatch.setenv(guard.PARENT, "1")
    (closed,) = free_ports(1)
    with config.override(msgspec.structs.replace(config.of(video.Settings), rtmp_port=closed)):
        assert (await operator_sees())["media"] == ("down", "no-port")
