"""Hooks of MediaMTX, SRS and nginx-rtmp as they send them, letter by letter, through the real application."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import msgspec
import pytest

from livestall import video
from livestall.app.main import create_app
from livestall.base import clock, config, ids
from livestall.base.db import Database
from livestall.video import actions
from livestall.video import web as video_web
from livestall.video.backends import hook_token
from livestall.video.model import Publishing, Settings

SERVERS = [
    {"name": "edge", "kind": "nginx-rtmp", "rtmp": "rtmp://v.example/live", "hls": "https://v.example/hls"},
    {"name": "srs-1", "kind": "srs", "rtmp": "rtmp://s.example/live", "hls": "https://s.example", "whip": "https://s.example"},
    {"name": "mtx", "kind": "mediamtx", "rtmp": "rtmp://m.example/live", "hls": "https://m.example:8888"},
]  # fmt: skip
FORM = "application/x-www-form-urlencoded"


class Hooks:
    """Posts to the hook endpoint, as the named server would."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def __call__(self, server: str, body: bytes, media_type: str, token: str | None = None) -> httpx.Response:
        path = f"/api/hooks/media/{server}?token={hook_token(server) if token is None else token}"
        return await self._client.post(path, content=body, headers={"Content-Type": media_type})

    async def nginx(self, call: str, name: object, args: str, client: int = 4, **more: str) -> httpx.Response:
        """As ngx_rtmp_notify_module formats it; what stands after `?` in the stream key is appended as it came."""
        head = (
            "app=live&flashver=FMLE/3.0%20(compatible%3B%20Lavf59.27&swfurl=&tcurl=rtmp://127.0.0.1:1936/live&pageurl="
        )
        kind = "&type=live" if call == "publish" else ""
        extra = "".join(f"&{key}={value}" for key, value in more.items())
        body = f"{head}&addr=127.0.0.1&clientid={client}&call={call}{extra}&name={name}{kind}&{args}"
        return await self("edge", body.encode(), FORM)

    async def srs(self, action: str, name: object, param: str, client: str = "9l07485l", **more: Any) -> httpx.Response:
        """As SrsHttpHooks writes it."""
        body = (
            f'{{"server_id":"vid-s9o06rx","service_id":"4y745476","action":"{action}","client_id":"{client}",'
            f'"ip":"127.0.0.1","vhost":"__defaultVhost__","app":"live","tcUrl":"rtmp://127.0.0.1:1937/live",'
            f'"stream":"{name}","param":"{param}","stream_url":"/live/{name}","stream_id":"vid-9vzj785"'
            + "".join(f',"{key}":{msgspec.json.encode(value).decode()}' for key, value in more.items())
            + "}"
        )
        return await self("srs-1", body.encode(), "application/json")

    async def mediamtx(
        self, action: str, path: str, query: str, token: str = "", protocol: str = "rtmp"
    ) -> httpx.Response:
        """As internal/auth of MediaMTX writes it."""
        body = (
            f'{{"ip":"127.0.0.1","user":"","password":"","token":"{token}","action":"{action}","path":"{path}",'
            f'"protocol":"{protocol}","id":"8ad4c3a0-c8a3-4d1c-8f2e-9a0a43b5ce9f","query":"{query}","userAgent":""}}'
        )
        return await self("mtx", body.encode(), "application/json")


@pytest.fixture
async def hooks(db: Database) -> AsyncIterator[Hooks]:
    transport = httpx.ASGITransport(create_app(db))  # type: ignore[arg-type]
    with config.override(Settings(servers=msgspec.json.encode(SERVERS).decode())):
        async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:
            yield Hooks(client)


@pytest.fixture
async def stream(db: Database) -> tuple[UUID, str]:
    """A stream, and the secret of its key."""
    stream_id = ids.new()
    async with db.write() as tx:
        await video.open_streams(tx, [video.NewStream(stream_id, ids.new())])
        ingest = await video.ingest_of(tx, stream_id, media="http://m", rtmp="rtmp://m/live")
    return stream_id, ingest.rtmp_key.partition("?k=")[2]


async def close(db: Database, stream_id: UUID) -> None:
    async with db.write() as tx:
        await video.close_streams(tx, [stream_id])


async def is_online(db: Database, stream_id: UUID) -> bool:
    async with db.read() as read:
        return (await video.stream(read, stream_id)).online


async def goes_online(db: Database, stream_id: UUID, server: str, client: str) -> None:
    async with db.write() as tx:
        await actions.published(tx, [Publishing(stream_id, ids.new(), "rtmp", clock.now(), server, client)])


async def test_nginx_is_answered_by_status(db: Database, hooks: Hooks, stream: tuple[UUID, str]) -> None:
    stream_id, secret = stream
    assert (await hooks.nginx("publish", stream_id, f"k={secret}")).status_code == 200
    assert (await hooks.nginx("publish", stream_id, "k=wrong")).status_code == 403
    assert (await hooks.nginx("publish", stream_id, "")).status_code == 403
    assert (await hooks.nginx("publish", ids.new(), f"k={secret}")).status_code == 403
    assert (await hooks.nginx("publish", "hk1", f"k={secret}")).status_code == 403
    assert (await hooks.nginx("publish", str(stream_id).upper(), f"k={secret}")).status_code == 403
    for call in ("publish_done", "update_publish", "play", "play_done", "done", "connect"):
        assert (await hooks.nginx(call, stream_id, f"k={secret}")).status_code == 200, call
    done = await hooks.nginx("record_done", stream_id, f"k={secret}", recorder="", path="/srv/rec/x-1795389637.flv")
    assert done.status_code == 200
    await close(db, stream_id)
    assert (await hooks.nginx("publish", stream_id, f"k={secret}")).status_code == 403


async def test_what_a_publisher_adds_to_its_key_does_not_pass_for_words_of_nginx(
    db: Database, hooks: Hooks, stream: tuple[UUID, str]
) -> None:
    stream_id, secret = stream
    victim = ids.new()
    async with db.write() as tx:
        await video.open_streams(tx, [video.NewStream(victim, ids.new())])
    await goes_online(db, victim, "edge", "7")
    sly = await hooks.nginx(
        "publish", stream_id, f"k=x&name={victim}&call=publish_done&clientid=7&app=other&k={secret}"
    )
    assert sly.status_code == 403
    assert await is_online(db, victim)


async def test_srs_is_answered_with_a_code(db: Database, hooks: Hooks, stream: tuple[UUID, str]) -> None:
    """It takes an empty body for no, so there is always one, and always with 200."""
    stream_id, secret = stream

    async def code(answer: httpx.Response) -> int:
        assert answer.status_code == 200
        return answer.json()["code"]

    assert await code(await hooks.srs("on_publish", stream_id, f"?k={secret}")) == 0
    assert await code(await hooks.srs("on_publish", stream_id, "?k=wrong")) == 1
    assert await code(await hooks.srs("on_publish", stream_id, "")) == 1
    assert await code(await hooks.srs("on_publish", "hk1", f"?k={secret}")) == 1
    whip = f"?app=live&stream={stream_id}&k={secret}"
    assert await code(await hooks.srs("on_publish", stream_id, whip)) == 0, "WHIP asks the same way"
    assert await code(await hooks.srs("on_play", stream_id, "", pageUrl="")) == 0
    assert await code(await hooks.srs("on_stop", stream_id, "")) == 0
    segment = {
        "duration": 2.04, "cwd": "/usr/local/srs", "file": "./html/live/x-3.ts", "url": "live/x-3.ts",
        "m3u8": "./html/live/x.m3u8", "m3u8_url": "live/x.m3u8", "seq_no": 3,
    }  # fmt: skip
    assert await code(await hooks.srs("on_hls", stream_id, "", **segment)) == 0
    assert await code(await hooks.srs("on_dvr", stream_id, "", cwd="/usr/local/srs", file="./x.1795389637000.flv")) == 0
    await close(db, stream_id)
    assert await code(await hooks.srs("on_publish", stream_id, f"?k={secret}")) == 1


async def test_mediamtx_is_answered_by_status_and_asked_for_the_key_first(
    db: Database, hooks: Hooks, stream: tuple[UUID, str]
) -> None:
    stream_id, secret = stream
    path = f"live/{stream_id}"
    assert (await hooks.mediamtx("publish", path, f"k={secret}")).status_code == 204
    assert (await hooks.mediamtx("publish", path, "", protocol="webrtc")).status_code == 401, "an empty first call"
    bearer = await hooks.mediamtx("publish", path, "", token=secret, protocol="webrtc")
    assert bearer.status_code == 204, "WHIP brings the key as a bearer token"
    assert (await hooks.mediamtx("publish", path, "k=wrong")).status_code == 403
    assert (await hooks.mediamtx("publish", f"other/{stream_id}", f"k={secret}")).status_code == 403
    assert (await hooks.mediamtx("publish", "live/hk1", f"k={secret}")).status_code == 403
    assert (await hooks.mediamtx("read", path, "", protocol="hls")).status_code == 204
    assert (await hooks.mediamtx("api", "", "")).status_code == 403, "its own API is not ours to open"
    await close(db, stream_id)
    assert (await hooks.mediamtx("publish", path, f"k={secret}")).status_code == 403


async def test_a_reader_is_let_in_without_a_look_at_the_database() -> None:
    """MediaMTX asks for every viewer: the answer must not wait, not even for a database that is away."""
    transport = httpx.ASGITransport(create_app(Database("postgresql://nobody@127.0.0.1:1/none")))  # type: ignore[arg-type]
    with config.override(Settings(servers=msgspec.json.encode(SERVERS).decode())):
        async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:
            hooks = Hooks(client)
            assert (await hooks.mediamtx("read", f"live/{ids.new()}", "")).status_code == 204
            assert (await hooks.srs("on_hls", ids.new(), "")).json() == {"code": 0}
            away = await hooks.nginx("publish", ids.new(), "k=x")
            assert away.status_code == 503, "a publisher is not let in unseen"


@pytest.mark.parametrize("server", ["edge", "srs-1"])
async def test_an_end_interrupts_at_once_and_only_the_publisher_that_ended(
    db: Database, hooks: Hooks, stream: tuple[UUID, str], server: str
) -> None:
    stream_id, secret = stream

    async def end(client: str) -> httpx.Response:
        if server == "edge":
            return await hooks.nginx("publish_done", stream_id, f"k={secret}", client=int(client))
        return await hooks.srs("on_unpublish", stream_id, f"?k={secret}", client=client)

    assert (await end("7")).status_code == 200, "an end that comes before its beginning"
    await goes_online(db, stream_id, server, "7")
    assert (await end("8")).status_code == 200, "a second publisher that the server had refused"
    assert await is_online(db, stream_id)
    for _ in range(2):  # told twice
        assert (await end("7")).status_code == 200
        assert not await is_online(db, stream_id)


async def test_a_hook_must_prove_itself(hooks: Hooks, stream: tuple[UUID, str]) -> None:
    stream_id, secret = stream
    body = f"app=live&call=publish&name={stream_id}&k={secret}".encode()
    for token in ("", "x", hook_token("srs-1"), hook_token("edge")[:-1], "é" * 50):
        assert (await hooks("edge", body, FORM, token)).status_code == 403, token
    assert (await hooks("edge", body, FORM)).status_code == 200
    assert (await hooks("nobody", body, FORM)).status_code == 404


async def test_strangers_are_answered_slower_and_servers_are_not_held_up_by_them(
    hooks: Hooks, stream: tuple[UUID, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream_id, secret = stream
    monkeypatch.setattr(video_web, "_strangers", video_web._Pace(5, 60.0))
    body = f"app=live&call=publish&name={stream_id}&k={secret}".encode()
    statuses = [(await hooks("edge", body, FORM, "wrong")).status_code for _ in range(8)]
    assert statuses[0] == 403
    assert statuses[-1] == 429
    assert (await hooks("edge", body, FORM)).status_code == 200
    monkeypatch.setattr(video_web, "_hooks", video_web._Pace(3, 60.0))
    flood = [(await hooks("edge", body, FORM)).status_code for _ in range(5)]
    assert flood == [200, 200, 200, 429, 429]


@pytest.mark.parametrize(
    ("server", "body"),
    [
        ("edge", b"\xff\xfe"), ("edge", b""), ("edge", b"app=live&call=explode&name=x"), ("edge", b"a=1&" * 500),
        ("srs-1", b""), ("srs-1", b"[]"), ("srs-1", b'{"action":'), ("srs-1", b'{"action":"on_fire","app":"live"}'),
        ("srs-1", b'{"action":7,"app":"live"}'), ("mtx", b"null"), ("mtx", b'{"action":"sing"}'), ("mtx", b'"\\ud800"'),
    ],
)  # fmt: skip
async def test_a_malformed_hook_is_its_senders_fault(hooks: Hooks, server: str, body: bytes) -> None:
    answer = await hooks(server, body, FORM if server == "edge" else "application/json")
    assert answer.status_code == 422, answer.text
    assert "problem" in answer.headers["content-type"]


async def test_a_hook_without_end_is_cut_off(hooks: Hooks) -> None:
    assert (await hooks("edge", b"k=" + b"x" * 100_000, FORM)).status_code == 413


async def test_the_addresses_are_those_of_the_server_that_carries_the_stream(db: Database, hooks: Hooks) -> None:
    assert hooks
    known = Settings(servers=msgspec.json.encode(SERVERS).decode())
    for name, kind in (("edge", "nginx-rtmp"), ("srs-1", "srs"), ("mtx", "mediamtx")):
        stream_id = ids.new()
        async with db.write() as tx:
            await tx.execute("delete from media_server")
            with config.override(known):
                from livestall.video.backends import neighbours

                await actions.saw_server(tx, neighbours()[name])
            await video.open_streams(tx, [video.NewStream(stream_id, ids.new())])
            ingest = await video.ingest_of(tx, stream_id, media="http://m", rtmp="rtmp://m/live")
            playback = await video.playback_of(tx, stream_id, media="http://m", preview=True)
        assert ingest.server_kind == kind
        assert (ingest.whip_url is not None) == (name == "srs-1"), "only where the settings name one"
        told = {
            "edge": (f"https://v.example/hls/{stream_id}.m3u8", 0.05, 0.0),
            "srs-1": (f"https://s.example/live/{stream_id}.m3u8", 0.05, 0.0),
            "mtx": (f"https://m.example:8888/live/{stream_id}/index.m3u8", None, 0.2),
        }[name]
        assert (playback.hls_url, playback.edge_delay_seconds, playback.part_seconds) == told


def test_the_token_of_a_hook_does_not_reach_the_access_log() -> None:
    path = f"/api/hooks/media/edge?token={hook_token('edge')}"
    args = ("127.0.0.1:4", "POST", path, "1.1", 200)
    record = logging.LogRecord("uvicorn.access", logging.INFO, "", 0, '%s - "%s %s HTTP/%s" %d', args, None)
    assert logging.getLogger("uvicorn.access").filter(record)
    assert record.getMessage() == '127.0.0.1:4 - "POST /api/hooks/media/edge HTTP/1.1" 200'
