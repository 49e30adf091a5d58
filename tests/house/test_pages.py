"""How the pages are served: packed, cached by their hash, one page for every path, under a strict policy."""

from __future__ import annotations

import gzip
from pathlib import Path

import httpx
import pytest

from livestall.app import pages, settings
from livestall.app.main import create_app
from livestall.app.media_origins import MediaOrigins, origins
from livestall.base import config
from livestall.base.db import Database
from livestall.video.actions import saw_server
from livestall.video.backends import Server

PAGE = "<!doctype html><title>Market</title>" + "<p>words</p>" * 200


@pytest.fixture
def media() -> MediaOrigins:
    return MediaOrigins()


@pytest.fixture
def site(tmp_path: Path, media: MediaOrigins) -> httpx.AsyncClient:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "assets" / "main-1a2b3c.js").write_text("let one = 1;\n" * 500)
    (tmp_path / "assets" / "main-1a2b3c.js.map").write_text("{}")
    app = create_app(Database("postgresql://nobody@127.0.0.1:1/none"))
    whole = pages.Site(app, frozenset({"api", "files"}), pages.load(tmp_path), media)
    return httpx.AsyncClient(transport=httpx.ASGITransport(whole), base_url="http://market.test:8000")


async def test_every_path_of_the_pages_gets_the_page(site: httpx.AsyncClient):
    for path in ("/", "/shows/0190", "/studio/shows/1?x=2", "/first-run?token=abc"):
        answer = await site.get(path)
        assert (answer.status_code, answer.text) == (200, PAGE)
        assert answer.headers["cache-control"] == "no-cache"


async def test_hashed_files_are_kept_for_a_year_and_packed(site: httpx.AsyncClient):
    answer = await site.get("/assets/main-1a2b3c.js", headers={"Accept-Encoding": "gzip"})
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.text.startswith("let one = 1;")
    assert int(answer.headers["content-length"]) == len(gzip.compress(answer.content, 9, mtime=0))
    plain = await site.get("/assets/main-1a2b3c.js", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.content == answer.content


async def test_a_missing_file_is_no_page_and_source_maps_stay_home(site: httpx.AsyncClient):
    for path in ("/assets/gone.js", "/robots.txt", "/assets/main-1a2b3c.js.map"):
        assert (await site.get(path)).status_code == 404


async def test_what_is_known_is_not_sent_again(site: httpx.AsyncClient):
    first = await site.get("/")
    again = await site.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


async def test_pages_allow_themselves_the_gateway_and_the_media_server(site: httpx.AsyncClient):
    policy = (await site.get("/")).headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "ws://market.test:8001" in policy
    assert "http://market.test:8002" in policy
    assert "frame-ancestors 'none'" in policy
    strange = await site.get("/", headers={"Host": "evil.test; script-src *"})
    assert "evil" not in strange.headers["content-security-policy"]


async def test_pages_allow_every_media_server_that_the_market_knows(
    site: httpx.AsyncClient, media: MediaOrigins, db: Database
):
    before = await site.get("/")
    assert "8003" not in before.headers["content-security-policy"]
    async with db.write() as tx:
        for name, url in (
            ("other-port", ":8003"),
            ("far", "https://v3.market.test/hls"),
            ("bad", "https://x;script-src"),
        ):
            server = Server(id=name, kind="embedded", hls_url=url)
            await saw_server(tx, server)
    await media.look(db)
    after = await site.get("/", headers={"If-None-Match": before.headers["etag"]})
    assert after.status_code == 200, "a browser that is told 'not modified' keeps the policy it has"
    connect = next(one for one in after.headers["content-security-policy"].split("; ") if one.startswith("connect-src"))
    assert {"http://market.test:8002", "http://market.test:8003", "https://v3.market.test"} <= set(connect.split())
    assert "x;script-src" not in after.headers["content-security-policy"]
    await media.look(Database("postgresql://nobody@127.0.0.1:1/none"))
    assert (await site.get("/")).headers["etag"] == after.headers["etag"], (
        "without a database what was known stays known"
    )


def test_the_second_media_process_of_this_machine_is_allowed_before_anybody_has_seen_it():
    with config.override(settings.Media(processes=2)):
        assert origins("market.test")[-2:] == ["http://market.test:8003", "https://market.test:8003"]
        with config.override(settings.Address(media="https://video.test")):
            assert origins("market.test") == ["https://video.test", "https://video.test:8003"]


async def test_every_answer_carries_the_safety_headers(site: httpx.AsyncClient):
    for path in ("/", "/api/health", "/api/nothing", "/assets/gone.js"):
        headers = (await site.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"


async def test_unknown_paths_of_the_api_are_problems(site: httpx.AsyncClient):
    answer = await site.get("/api/nothing")
    assert answer.status_code == 404
    assert answer.json()["code"] == "not-found"
    wrong = await site.post("/", content=b"x")
    assert wrong.status_code == 405


async def test_health_says_that_buying_is_paused_without_the_database(site: httpx.AsyncClient):
    answer = await site.get("/api/health")
    assert answer.status_code == 503
    assert answer.json() == {"state": "down", "buying": False}
