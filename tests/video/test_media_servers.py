"""Several media servers behave as one: who gets a new show, who arrives elsewhere, and a server that is gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from helpers.market import Pusher, Served, seed, serving, until
from helpers.patience import PATIENCE_SECONDS
from helpers.ports import free_ports
from helpers.processes import end_group
from livestall import video
from livestall.app.addresses import addresses_of, marks
from livestall.app.demo.client import Door, Json
from livestall.app.guard import PARENT
from livestall.app.main import create_app
from livestall.base import clock, config, ids, keys
from livestall.base.db import Database
from livestall.rooms import PORTABLE
from livestall.video import actions, jobs, store
from livestall.video.backends import Server, server_name
from livestall.video.backends.embedded import SIGNATURE, Beat
from livestall.video.model import Online, Publishing, Settings

A = Server(id="a", kind="embedded", hls_url="https://a.example", rtmp_url="rtmp://a.example/live", folder="one")
B = Server(id="b", kind="embedded", hls_url="https://b.example", rtmp_url="rtmp://b.example/live", folder="two")


async def seen(db: Database, *servers: Server) -> None:
    async with db.write() as tx:
        for one in servers:
            await actions.saw_server(tx, one)


async def opened(db: Database) -> UUID:
    stream_id = ids.new()
    async with db.write() as tx:
        await video.open_streams(tx, [video.NewStream(stream_id, ids.new())])
    return stream_id


async def at(db: Database, stream_id: UUID) -> str | None:
    async with db.read() as read:
        return (await video.stream(read, stream_id)).server_id


async def publish(db: Database, stream_id: UUID, server: str | None, session: UUID | None = None) -> UUID:
    session = session or ids.new()
    async with db.write() as tx:
        await actions.published(tx, [Publishing(stream_id, session, "rtmp", clock.now(), server)])
    return session


async def ingest(db: Database, stream_id: UUID) -> video.Ingest:
    async with db.read() as read:
        return await video.ingest_of(read, stream_id, media="http://m:8002", rtmp="rtmp://m:1935/live")


async def playback(db: Database, stream_id: UUID, media: str = "http://m:8002") -> video.Playback:
    async with db.read() as read:
        return await video.playback_of(read, stream_id, media=media)


async def test_without_any_known_server_all_is_as_on_one_machine(db: Database) -> None:
    stream_id = await opened(db)
    assert await at(db, stream_id) is None
    assert (await ingest(db, stream_id)).rtmp_server == "rtmp://m:1935/live"
    assert (await playback(db, stream_id)).hls_url == f"http://m:8002/media/{stream_id}/live.m3u8"


async def test_a_new_show_gets_the_server_that_carries_the_fewest(db: Database) -> None:
    await seen(db, A, B)
    first = await opened(db)
    assert await at(db, first) == "a"
    await publish(db, first, "a")
    second = await opened(db)
    assert await at(db, second) == "b"
    assert (await ingest(db, second)).rtmp_server == "rtmp://b.example/live"
    assert (await playback(db, second)).hls_url == f"https://b.example/media/{second}/live.m3u8"
    await seen(db, msgspec.structs.replace(B, accepts=False))
    assert await at(db, await opened(db)) == "a", "one that takes no more gets none"
    with clock.travel(20):
        await seen(db, A)
        assert await at(db, await opened(db)) == "a"
    with clock.travel(60):
        assert await at(db, await opened(db)) is None, "and one that was not seen lately neither"


async def test_a_publisher_who_arrives_elsewhere_is_followed_and_the_old_one_thrown_out(db: Database) -> None:
    await seen(db, A, B)
    stream_id = await opened(db)
    old = await publish(db, stream_id, "a")
    new = await publish(db, stream_id, "b")
    assert (await playback(db, stream_id)).hls_url.startswith("https://b.example/")
    async with db.write() as tx:
        assert await store.to_kick(tx, 10) == [store.Unwanted(stream_id, old, "a", None)]
        await actions.unpublished(tx, [jobs.Stopping(stream_id, old, "rtmp", clock.now(), "replaced", "a")])
        found = await video.stream(tx, stream_id)
    assert found.session_id == new, "the end of the old one ends nothing"


class Answers:
    """Media servers as the reconciler asks them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.online: dict[str, list[Online] | None] = {}
        self.reconciler = jobs.Reconciler()

        async def ask(_self: Any, server: Server) -> list[Online] | None:
            answer = self.online.get(server.id, [])
            if answer is None:
                _self._silent_since.setdefault(server.id, 0.0)
            else:
                _self._silent_since.pop(server.id, None)
            return answer

        monkeypatch.setattr(jobs.Reconciler, "_ask", ask)

    async def run(self, db: Database) -> None:
        await self.reconciler.run(db)


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    return Answers(monkeypatch)


async def test_streams_of_a_server_that_is_gone_stop_and_move_to_another(db: Database, answers: Answers) -> None:
    await seen(db, A, B)
    stream_id = await opened(db)
    await publish(db, stream_id, "a")
    answers.online = {"a": None, "b": []}
    await answers.run(db)
    async with db.read() as read:
        assert (await video.stream(read, stream_id)).online, "it said a moment ago that it is there"
    with clock.travel(20):
        await seen(db, B)
        await answers.run(db)
        async with db.read() as read:
            found = await video.stream(read, stream_id)
        assert not found.online
        assert found.server_id == "b"
        told = await ingest(db, stream_id)
        assert told.rtmp_server == "rtmp://b.example/live"
        assert told.moved_at is not None, "the studio says so"
        await publish(db, stream_id, "b")
        assert (await ingest(db, stream_id)).moved_at is None


async def test_with_nowhere_to_go_a_stream_waits_for_its_server(db: Database, answers: Answers) -> None:
    await seen(db, A)
    stream_id = await opened(db)
    session = await publish(db, stream_id, "a")
    answers.online = {"a": None}
    with clock.travel(20):
        await answers.run(db)
        assert await at(db, stream_id) == "a"
    with clock.travel(30):
        since = clock.now() - timedelta(seconds=30)
        answers.online = {"a": [Online(stream_id=stream_id, session_id=session, protocol="rtmp", since=since)]}
        await answers.run(db)
        async with db.read() as read:
            found = await video.stream(read, stream_id)
        assert found.session_id == session, "its publisher was there all the time"


async def test_a_publisher_may_come_before_its_server_is_known(db: Database, answers: Answers) -> None:
    await seen(db, B)
    stream_id = await opened(db)
    await publish(db, stream_id, "a")
    answers.online = {"b": []}
    await answers.run(db)
    async with db.read() as read:
        assert (await video.stream(read, stream_id)).online
    with clock.travel(20):  # it has had its time
        await seen(db, B)
        await answers.run(db)
        async with db.read() as read:
            assert not (await video.stream(read, stream_id)).online


async def test_a_publisher_who_was_left_does_not_come_back_by_being_listed(db: Database, answers: Answers) -> None:
    await seen(db, A, B)
    stream_id = await opened(db)
    old = await publish(db, stream_id, "a")
    new = await publish(db, stream_id, "b")
    async with db.read() as read:
        since = (await video.stream(read, stream_id)).online_since
    assert since is not None

    def lists(session: Any, ago: float) -> list[Online]:
        return [Online(stream_id=stream_id, session_id=session, protocol="rtmp", since=since - timedelta(seconds=ago))]

    answers.online = {"a": lists(old, 3), "b": lists(new, 0)}
    with clock.travel(10):  # its server is slow to throw it out
        await seen(db, A, B)
        await answers.run(db)
        async with db.read() as read:
            assert (await video.stream(read, stream_id)).session_id == new
            assert [one.session_id for one in await store.to_kick(read, 10)] == [old]


async def test_lost_notices_are_mended_for_every_kind_of_server(db: Database, answers: Answers) -> None:
    edge = '[{"name":"edge","kind":"nginx-rtmp","rtmp":"rtmp://v.example/live","hls":"http://v.example/hls"}]'
    with config.override(Settings(servers=edge)):
        await seen(db, A)
        stream_id = await opened(db)

        def there(client: str, ago: float) -> list[Online]:
            since = clock.now() - timedelta(seconds=ago)
            session = ids.new()  # it mints none: each look would give another
            return [Online(stream_id=stream_id, session_id=session, protocol="rtmp", since=since, client_id=client)]

        answers.online = {"a": [], "edge": there("1", 0)}
        await answers.run(db)
        async with db.read() as read:
            first = await video.stream(read, stream_id)
        assert (first.server_id, first.client_id, first.online) == ("edge", "1", True)
        answers.online = {"a": [], "edge": there("1", 0)}
        await answers.run(db)
        async with db.read() as read:
            assert (await video.stream(read, stream_id)).session_id == first.session_id, "the same one, seen again"
        with clock.travel(60):  # nginx was restarted in between: its numbers begin anew
            answers.online = {"a": [], "edge": there("1", 1)}
            await answers.run(db)
            async with db.read() as read:
                again = await video.stream(read, stream_id)
            assert again.online
            assert again.session_id != first.session_id
            answers.online = {"a": [], "edge": []}
            await answers.run(db)
            async with db.read() as read:
                assert not (await video.stream(read, stream_id)).online


async def test_a_replay_is_served_by_whoever_has_the_folder(db: Database) -> None:
    await seen(db, A)
    stream_id = await opened(db)
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])
        await actions.recorded(tx, stream_id, video_recording())
    assert (await playback(db, stream_id)).hls_url == f"https://a.example/media/{stream_id}/replay.m3u8"
    with clock.travel(60):
        await seen(db, msgspec.structs.replace(B, folder="one"))
        assert (await playback(db, stream_id)).hls_url == f"https://b.example/media/{stream_id}/replay.m3u8"


def video_recording() -> Any:
    return store.Recording(clock.now(), 61_000)


async def test_a_beat_must_be_signed_and_is_kept(db: Database) -> None:
    transport = httpx.ASGITransport(create_app(db))  # type: ignore[arg-type]
    body = msgspec.json.encode(Beat(A))
    nameless = msgspec.json.encode(Beat(msgspec.structs.replace(A, id="")))
    async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:

        async def beat(content: bytes, stamp: str) -> int:
            answer = await client.post("/api/hooks/media/embedded/beat", content=content, headers={SIGNATURE: stamp})
            return answer.status_code

        assert await beat(body, keys.stamp("hook", body)) == 403
        assert await beat(body, "") == 403
        assert await beat(nameless, keys.stamp("beat", nameless)) == 422
        assert await beat(b"{", keys.stamp("beat", b"{")) == 422
        for _ in range(2):
            assert await beat(body, keys.stamp("beat", body)) == 200
    async with db.read() as read:
        assert [one.hls_url for one in (await store.servers(read)).values()] == ["https://a.example"]


async def test_processes_of_one_machine_differ_by_their_port(db: Database) -> None:
    await seen(db, Server(id="m-1", kind="embedded", hls_url=":8003", rtmp_url=":1936", folder="one"))
    stream_id = await opened(db)
    assert (await ingest(db, stream_id)).rtmp_server == "rtmp://m:1936/live"
    assert (await playback(db, stream_id)).hls_url == f"http://m:8003/media/{stream_id}/live.m3u8"
    with config.override(Settings(processes=2)):
        frame = msgspec.json.encode({"hls_url": (await playback(db, stream_id, PORTABLE.media)).hls_url})
        for mark, own in marks(addresses_of("shop.example:8000", secure=False)).items():
            frame = frame.replace(mark, own)
    assert msgspec.json.decode(frame) == {"hls_url": f"http://shop.example:8003/media/{stream_id}/live.m3u8"}


def test_a_media_process_keeps_its_name_with_its_recordings(tmp_path: Path) -> None:
    name = server_name(tmp_path / "media")
    assert name == server_name(tmp_path / "media")
    assert name != server_name(tmp_path / "other")


# ------------------------------------------------ two real media processes


class Second:
    """A second `livestall media`, as on another host: a folder, ports and addresses of its own."""

    def __init__(self, served: Served) -> None:
        self.http, self.rtmp = free_ports(2)
        self.folder = served.folder / "second"
        self.environment = {
            **served.environment,
            "LIVESTALL_DATA": str(self.folder),
            "LIVESTALL_SECRET": (served.folder / "data" / "secret").read_text().strip(),
            "LIVESTALL_MEDIA__PORT": str(self.http),
            "LIVESTALL_MEDIA__RTMP_PORT": str(self.rtmp),
            "LIVESTALL_MEDIA__NAME": "second",
            "LIVESTALL_MEDIA__HOOK_URL": f"{served.base}/api/hooks/media/embedded",
            "LIVESTALL_ADDRESS__MEDIA": f"http://127.0.0.1:{self.http}",
            "LIVESTALL_ADDRESS__RTMP": f"rtmp://127.0.0.1:{self.rtmp}/live",
            "LIVESTALL_WATCH__PORT": "0",
            PARENT: str(os.getpid()),
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "livestall.app.media"], env=self.environment, start_new_session=True
        )

    def kill(self) -> None:
        end_group(self.process)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(rooms__grace_seconds=120) as market:
        yield market


@pytest.fixture
async def second(served: Served) -> AsyncIterator[Second]:
    one = Second(served)
    yield one
    one.kill()


async def test_a_show_goes_from_one_real_process_to_the_other_and_back(served: Served, second: Second) -> None:
    there = f"rtmp://127.0.0.1:{second.rtmp}/live"
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1)

        async def gets_the_second() -> Json | None:
            show = await cast.live_show()
            found = await cast.creator.get(f"/api/shows/{show['id']}/ingest")
            return show if found["rtmp_server"] == there else None

        show = await until(gets_the_second, what="a show on the second process")
        where = await cast.creator.get(f"/api/shows/{show['id']}/ingest")
        home = f"rtmp://127.0.0.1:{served.rtmp}/live"
        pushers = [Pusher(f"{home}/{where['rtmp_key']}")]
        try:
            await cast.go_live(show["id"])
            playback = (await cast.show(show["id"]))["playback"]
            assert playback["hls_url"].startswith(f"http://127.0.0.1:{served.media}/"), "accepted where it came"
            pushers.append(Pusher(f"{there}/{where['rtmp_key']}"))

            async def moved() -> bool:
                return (await cast.show(show["id"]))["playback"]["hls_url"].startswith(
                    f"http://127.0.0.1:{second.http}/"
                )

            await until(moved, what="the address of the second process")
            assert await asyncio.to_thread(pushers[0].process.wait) != 0, "the first publisher is thrown out"
            assert (await cast.show(show["id"]))["state"] == "live", "and the show goes on"
            await until(lambda: plays(cast.show(show["id"])), what="the picture from the second process")

            second.kill()

            async def rescued() -> bool:
                found = await cast.show(show["id"])
                return found["state"] == "interrupted" and str(served.media) in found["playback"]["hls_url"]

            await until(rescued, what="the interruption")
            told = await cast.creator.get(f"/api/shows/{show['id']}/ingest")
            assert told["moved_at"] is not None
            assert told["rtmp_server"] == home
            pushers.append(Pusher(f"{told['rtmp_server']}/{told['rtmp_key']}"))

            async def live() -> bool:
                return (await cast.show(show["id"]))["state"] == "live"

            await until(live, what="the picture back, from the first process")
        finally:
            for one in pushers:
                one.stop()


async def plays(looked: Any) -> bool:
    url = (await looked)["playback"]["hls_url"]
    async with httpx.AsyncClient(trust_env=False, timeout=PATIENCE_SECONDS) as client:
        answer = await client.get(url)
        return answer.status_code == 200 and "#EXTINF" in answer.text
