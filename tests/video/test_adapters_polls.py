"""What MediaMTX and SRS list of their publishers, and how they are told to end one: a local server answers as they do.
(nginx-rtmp is asked live in test_nginx_rtmp.py.)"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from livestall.base import ids
from livestall.base.errors import Unavailable
from livestall.video.backends import Server, adapter
from livestall.video.backends.port import Publisher


class Vendor:
    """Answers with what the test put there; remembers what it was asked."""

    def __init__(self) -> None:
        self.base = ""
        self.answers: dict[str, tuple[int, str]] = {}
        self.asked: list[str] = []

    async def take(self, request: web.Request) -> web.Response:
        self.asked.append(f"{request.method} {request.path_qs}")
        status, text = self.answers.get(request.path, (404, ""))
        return web.Response(status=status, text=text, content_type="application/json")


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    one = Vendor()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", one.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    one.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield one
    await runner.cleanup()


def of(vendor: Vendor, kind: Any, **more: Any) -> Any:
    return adapter(Server(id="one", kind=kind, control_url=vendor.base, **more))


async def test_mediamtx_lists_paths(vendor: Vendor) -> None:
    mine, browser, waiting = ids.new(), ids.new(), ids.new()
    rtmp = "8ad4c3a0-c8a3-4d1c-8f2e-9a0a43b5ce9f"

    def path(name: str, kind: str, *, there: bool = True) -> dict[str, Any]:
        return {
            "name": name, "confName": "~^live/[0-9a-f-]{36}$", "source": {"type": kind, "id": rtmp} if there else None,
            "ready": there, "available": there, "online": there,
            "readyTime": "2026-11-22T20:15:30.5Z" if there else None,
            "availableTime": "2026-11-22T20:15:30.5Z" if there else None, "tracks": ["H264", "MPEG-4 Audio"],
            "bytesReceived": 1234, "bytesSent": 0, "readers": [{"type": "hlsMuxer", "id": ""}],
        }  # fmt: skip

    listed = [
        path(f"live/{mine}", "rtmpConn"), path(f"live/{browser}", "webRTCSession"),
        path(f"live/{waiting}", "rtmpConn", there=False), path("live/mystream", "rtmpConn"), path("cam", "rtspSession"),
    ]  # fmt: skip
    vendor.answers["/v3/paths/list"] = (200, json.dumps({"itemCount": 5, "pageCount": 1, "items": listed}))
    server = of(vendor, "mediamtx")
    first, second = await server.online()
    assert (first.stream_id, first.protocol, first.client_id) == (mine, "rtmp", f"rtmpConn:{rtmp}")
    assert first.since == datetime(2026, 11, 22, 20, 15, 30, 500_000, UTC)
    assert (second.stream_id, second.protocol) == (browser, "whip")
    vendor.answers[f"/v3/rtmp/conns/kick/{rtmp}"] = (200, '{"status":"ok"}')
    await server.kick(Publisher(mine, first.session_id, first.client_id))
    assert vendor.asked[1:] == [f"POST /v3/rtmp/conns/kick/{rtmp}"]
    await server.kick(Publisher(browser, second.session_id, second.client_id))  # gone meanwhile: 404
    assert vendor.asked[2:] == [f"POST /v3/webrtc/sessions/kick/{rtmp}", f"POST /v3/webrtcsessions/kick/{rtmp}"]


async def test_a_mediamtx_before_1_21_ends_publishers_under_the_names_of_then(vendor: Vendor) -> None:
    vendor.answers["/v3/rtmpconns/kick/x"] = (200, "")
    await of(vendor, "mediamtx").kick(Publisher(ids.new(), ids.new(), "rtmpConn:x"))
    assert vendor.asked == ["POST /v3/rtmp/conns/kick/x", "POST /v3/rtmpconns/kick/x"]


async def test_a_path_of_mediamtx_that_plays_a_file_while_nobody_publishes_is_not_online(vendor: Vendor) -> None:
    item = {"name": f"live/{ids.new()}", "source": {"type": "rtmpConn", "id": "x"}, "available": True, "online": False,
            "availableTime": "2026-11-22T20:15:30Z", "onlineTime": None, "ready": True}  # fmt: skip
    vendor.answers["/v3/paths/list"] = (200, json.dumps({"items": [item]}))
    assert await of(vendor, "mediamtx").online() == []


async def test_an_older_mediamtx_says_ready(vendor: Vendor) -> None:
    mine = ids.new()
    item = {"name": f"live/{mine}", "source": {"type": "rtmpConn", "id": "x"}, "ready": True,
            "readyTime": "2026-11-22T20:15:30.123456789+08:00", "tracks": []}  # fmt: skip
    vendor.answers["/v3/paths/list"] = (200, json.dumps({"items": [item]}))
    (one,) = await of(vendor, "mediamtx").online()
    assert one.since == datetime(2026, 11, 22, 12, 15, 30, 123_457, UTC)


async def test_srs_lists_streams(vendor: Vendor) -> None:
    mine = ids.new()

    def stream(name: object, *, active: bool = True, app: str = "live", video: bool = True) -> dict[str, Any]:
        picture = {"codec": "H264", "profile": "High", "level": "3.1", "width": 1280, "height": 720}
        return {
            "id": "vid-9vzj785", "name": str(name), "vhost": "vid-b8x1121", "app": app, "tcUrl": "rtmp://v/live",
            "url": f"/live/{name}", "live_ms": 1795389637000, "clients": 1, "frames": 1053, "send_bytes": 4000,
            "recv_bytes": 4_000_000, "kbps": {"recv_30s": 2012, "send_30s": 0},
            "publish": {"active": active, "cid": "9l07485l"}, "video": picture if video else None, "audio": None,
        }  # fmt: skip

    listed = [stream(mine), stream(ids.new(), active=False), stream(ids.new(), video=False), stream("hk1"),
              stream(ids.new(), app="other")]  # fmt: skip
    body = {"code": 0, "server": "vid-s9o06rx", "service": "4y745476", "pid": "1", "streams": listed}
    vendor.answers["/api/v1/streams/"] = (200, json.dumps(body))
    vendor.answers["/api/v1/clients/9l07485l"] = (200, '{"code":0}')
    server = of(vendor, "srs")
    (one,) = await server.online()
    assert (one.stream_id, one.client_id, one.width, one.height, one.kbps) == (mine, "9l07485l", 1280, 720, 2012)
    await server.kick(Publisher(mine, one.session_id, one.client_id))
    assert vendor.asked[-1] == "DELETE /api/v1/clients/9l07485l"


@pytest.mark.parametrize("kind", ["srs", "mediamtx", "nginx-rtmp"])
@pytest.mark.parametrize(
    "answer", [(500, ""), (200, "<html>"), (200, "[]"), (200, '{"code":"'), (200, "<!DOCTYPE x [")]
)
async def test_nonsense_from_a_server_is_its_absence(vendor: Vendor, kind: str, answer: tuple[int, str]) -> None:
    for path in ("/api/v1/streams/", "/v3/paths/list", "/stat"):
        vendor.answers[path] = answer
    with pytest.raises(Unavailable):
        await of(vendor, kind).online()


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    gone = Server(id="one", kind="srs", control_url="http://127.0.0.1:1")
    with pytest.raises(Unavailable):
        await adapter(gone).online()
    with pytest.raises(Unavailable):
        await adapter(Server(id="one", kind="srs")).online()


async def test_recordings_that_are_not_reachable_here_wait_for_a_worker_that_reaches_them(
    vendor: Vendor, tmp_path: Path
) -> None:
    vendor.answers["/v3/paths/list"] = (200, '{"items":[]}')
    with pytest.raises(Unavailable):
        await of(vendor, "mediamtx", folder=str(tmp_path / "not mounted")).finish(ids.new())
    assert await of(vendor, "mediamtx").finish(ids.new()) is None, "a server that is not to record leaves no replay"
