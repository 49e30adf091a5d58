"""Market and media together: hooks over HTTP, reconciling, rotated keys, the end and its recording."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from uuid import UUID

import httpx
import msgspec
import pytest
from litestar import Litestar
from litestar.di import Provide
from tests.video.conftest import Pushers, Stand

from helpers.patience import PATIENCE_SECONDS, until
from livestall import video
from livestall.base import clock, config, ids, keys
from livestall.base.db import Database
from livestall.base.http import EXCEPTION_HANDLERS
from livestall.video import jobs
from livestall.video.backends.embedded import SIGNATURE
from livestall.video.model import Hook, Settings, StreamWarning, secret_of
from livestall.video.web import ROUTES


@pytest.fixture(autouse=True)
def reachable(stand: Stand) -> Iterator[None]:
    with config.override(Settings(control_url=stand.base)):
        yield


async def opened(db: Database, stand: Stand) -> tuple[UUID, str]:
    stream_id = ids.new()
    async with db.write() as tx:
        await video.open_streams(tx, [video.NewStream(stream_id, ids.new())])
    stand.market.keys[stream_id] = secret_of(stream_id, 1)
    return stream_id, secret_of(stream_id, 1)


async def online(db: Database, stream_id: UUID) -> bool:
    async with db.read() as read:
        return (await video.stream(read, stream_id)).online


async def topics(db: Database) -> list[str]:
    async with db.read() as read:
        return [row["topic"] for row in await read.fetch("select topic from outbox order by id")]


async def test_lost_notices_are_mended_by_asking(db: Database, stand: Stand, push: Pushers) -> None:
    stream_id, secret = await opened(db, stand)
    reconciler = jobs.Reconciler()
    pusher = push(stand.address(stream_id, secret))
    await until(stand.engine.online)
    await reconciler.run(db)
    await reconciler.run(db)
    assert await online(db, stream_id)
    pusher.kill()
    await until(lambda: not stand.engine.online())
    await reconciler.run(db)
    assert not await online(db, stream_id)
    assert await topics(db) == ["video.stream-started", "video.stream-stopped"]


async def test_a_media_server_that_stays_silent_has_no_streams(
    db: Database, stand: Stand, push: Pushers, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_id, secret = await opened(db, stand)
    reconciler = jobs.Reconciler()
    push(stand.address(stream_id, secret))
    await until(stand.engine.online)
    await reconciler.run(db)
    with config.override(Settings(control_url="http://127.0.0.1:9")):
        await reconciler.run(db)
        assert await online(db, stream_id), "one unanswered question proves nothing"
        monkeypatch.setattr(jobs, "SILENCE_SECONDS", 0.0)
        await reconciler.run(db)
    assert not await online(db, stream_id)


async def test_closing_a_stream_ends_it_and_tells_of_its_recording(db: Database, stand: Stand, push: Pushers) -> None:
    stream_id, secret = await opened(db, stand)
    pusher = push(stand.address(stream_id, secret))
    await until(stand.engine.online)
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])
    assert await jobs.settle(db) == 1
    assert await jobs.settle(db) == 0
    assert await asyncio.to_thread(pusher.wait, PATIENCE_SECONDS) != 0
    async with db.read() as read:
        playback = await video.playback_of(read, stream_id, media=stand.base)
        recorded = await video.stream(read, stream_id)
    assert playback.kind == "replay"
    assert recorded.recording_ms
    assert (await stand.client.get(playback.hls_url)).status == 200
    assert await topics(db) == ["video.stream-recorded"]


async def test_a_stream_that_nobody_used_is_settled_without_a_recording(db: Database, stand: Stand) -> None:
    stream_id, _ = await opened(db, stand)
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])
    assert await jobs.settle(db) == 1
    assert await jobs.settle(db) == 0
    assert await topics(db) == []


async def test_a_rotated_key_throws_its_publisher_out(db: Database, stand: Stand, push: Pushers) -> None:
    stream_id, secret = await opened(db, stand)
    pusher = push(stand.address(stream_id, secret))
    await until(stand.engine.online)
    await jobs.Reconciler().run(db)
    async with db.write() as tx:
        await video.rotate_key(tx, stream_id)
    assert await jobs.settle(db) == 1
    assert await asyncio.to_thread(pusher.wait, PATIENCE_SECONDS) != 0
    assert await jobs.settle(db) == 0


async def test_hooks_over_http(db: Database, stand: Stand) -> None:
    stream_id, secret = await opened(db, stand)
    session = ids.new()

    async def provide_db() -> Database:
        return db

    app = Litestar(ROUTES, dependencies={"db": Provide(provide_db)}, exception_handlers=EXCEPTION_HANDLERS)
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:

        async def send(hook: Hook, stamp: str | None = None) -> httpx.Response:
            body = msgspec.json.encode(hook)
            headers = {SIGNATURE: stamp or keys.stamp("hook", body)}
            return await client.post("/api/hooks/media/embedded", content=body, headers=headers)

        ask = Hook(kind="authorize_publish", stream=stream_id, at=clock.now(), secret=secret)
        assert (await send(ask)).json() == {"stream_id": str(stream_id), "mode": "default"}
        refused = await send(msgspec.structs.replace(ask, secret="no"))
        assert refused.status_code == 403
        assert refused.json()["code"] == "wrong-stream-key"
        assert (await send(ask, "t=1,v1=0")).status_code == 403
        start = Hook(kind="published", stream=stream_id, at=clock.now(), session=session)
        for _ in range(2):
            assert (await send(start)).status_code == 204
        await until(lambda: online(db, stream_id))
        assert (await send(Hook(kind="published", stream=stream_id, at=clock.now()))).status_code == 422
        rare = StreamWarning("rare-keyframes", 30.0)
        warn = Hook(kind="warned", stream=stream_id, at=clock.now(), session=session, warnings=[rare])
        assert (await send(warn)).status_code == 204
        async with db.read() as read:
            assert (await video.stream(read, stream_id)).warnings == [rare]
        stop = Hook(kind="unpublished", stream=stream_id, at=clock.now(), session=session, reason="done")
        assert (await send(stop)).status_code == 204
        assert not await online(db, stream_id)
        assert (await client.post("/api/hooks/media/other", content=b"{}")).status_code == 404
        big = await client.post("/api/hooks/media/embedded", content=b"x" * 100_000)
        assert big.status_code == 413
    assert await topics(db) == ["video.stream-started", "video.stream-warned", "video.stream-stopped"]
