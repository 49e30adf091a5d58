"""Pictures that are fetched from an address: with patience, and never from inside our own network."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiohttp import web
from PIL import Image

from livestall import catalog, storage
from livestall.base import clock, config, ids
from livestall.base.db import Database
from livestall.catalog import pictures
from livestall.catalog.pictures import fetch as fetching
from livestall.catalog.pictures import jobs
from livestall.catalog.pictures.fetch import fetch, public
from livestall.catalog.pictures.model import (
    BadAddress,
    NoAnswer,
    NotThere,
    PictureTooLarge,
    PrivateAddress,
    TooManyRedirects,
    WrongPort,
)


def jpeg(colour: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (500, 250), colour).save(out, "JPEG")
    return out.getvalue()


class Elsewhere:
    """Somebody else's web server, on a port of this machine."""

    def __init__(self) -> None:
        self.port, self.asked, self.troubles = 0, list[tuple[str, str]](), 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append((request.host, request.path))
        match request.path:
            case "/a.jpg":
                return web.Response(body=jpeg())
            case "/words.jpg":
                return web.Response(body=b"no picture")
            case "/troubled.jpg":
                self.troubles += 1
                return web.Response(body=jpeg()) if self.troubles == 3 else web.Response(status=503)
            case "/down.jpg":
                return web.Response(status=503)
            case "/endless.jpg":
                stream = web.StreamResponse()
                await stream.prepare(request)
                try:
                    while True:
                        await stream.write(b"\xff" * 1_000_000)
                except ConnectionError:
                    return stream
            case "/announced.jpg":
                return web.Response(headers={"Content-Length": str(10**9)}, body=b"")
            case "/to":
                raise web.HTTPFound(request.query["url"])
            case "/hop":
                left = int(request.query["left"])
                raise web.HTTPFound(f"/hop?left={left - 1}" if left > 1 else "/a.jpg")
            case _:
                return web.Response(status=404)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    server = Elsewhere()
    app = web.Application()
    app.router.add_get("/{rest:.*}", server.answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    with config.override(catalog.Settings(fetch_allow=f"shop.example:{server.port}, 127.0.0.1:{server.port}")):
        yield server
    await runner.cleanup()


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[str]]]:
    """What the names mean here; the real resolver knows the rest."""
    table: dict[str, list[str]] = {}
    real = fetching.resolve

    async def resolve(host: str, port: int) -> list[str]:
        return table[host] if host in table else await real(host, port)

    monkeypatch.setattr(fetching, "resolve", resolve)
    return table


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/a.jpg", "http://169.254.169.254/latest/meta-data", "http://[::1]/a.jpg", "http://2130706433/",
        "http://0x7f000001/", "http://127.1/", "http://0/", "http://[::ffff:127.0.0.1]/", "http://10.0.0.1/",
        "http://localhost/", "http://[fe80::1]/", "http://[64:ff9b::7f00:1]/", "http://224.0.0.1/", "http://100.64.0.1/",
        "https://192.168.1.1/a.jpg",
    ],
)  # fmt: skip
async def test_our_own_network_is_not_asked(url: str) -> None:
    with pytest.raises(PrivateAddress):
        await fetch(url)


def test_public_means_public() -> None:
    for one in ("8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"):
        assert public(one), one
    for one in ("255.255.255.255", "0.0.0.0", "::", "fc00::1", "2002:7f00:1::", "ff02::1", "::7f00:1", "198.18.0.1",
                "192.0.2.1", "240.0.0.1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fe80::1%1"):  # fmt: skip
        assert not public(one), one


async def test_a_name_with_one_private_address_is_refused(names: dict[str, list[str]]) -> None:
    names["sly.example"] = ["8.8.8.8", "10.1.2.3"]
    with pytest.raises(PrivateAddress) as refused:
        await fetch("http://sly.example/a.jpg")
    assert "sly.example" in refused.value.sentence()
    assert "sly.example" in refused.value.sentence("zh")


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("ftp://shop.example/a.jpg", BadAddress), ("file:///etc/passwd", BadAddress), ("a.jpg", BadAddress),
        ("http://", BadAddress), ("http://[::1", BadAddress), ("http://shop.example:22/a.jpg", WrongPort),
        ("http://127.0.0.1:5432/", WrongPort),
    ],
)  # fmt: skip
async def test_only_the_web_is_asked(url: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        await fetch(url)


async def test_the_checked_address_is_asked_by_its_name(elsewhere: Elsewhere, names: dict[str, list[str]]) -> None:
    names["shop.example"] = ["127.0.0.1"]
    assert await fetch(f"http://shop.example:{elsewhere.port}/a.jpg") == jpeg()
    assert elsewhere.asked == [(f"shop.example:{elsewhere.port}", "/a.jpg")]


async def test_redirects_are_followed_a_few_times_and_judged_each(elsewhere: Elsewhere) -> None:
    assert await fetch(f"{elsewhere.url}/hop?left=3") == jpeg()
    with pytest.raises(TooManyRedirects):
        await fetch(f"{elsewhere.url}/hop?left=4")
    for target, refusal in (
        ("http://169.254.169.254/latest", PrivateAddress), ("http://127.0.0.1/", PrivateAddress),
        ("//[::1]/a.jpg", PrivateAddress), ("file:///etc/passwd", BadAddress), ("http://127.0.0.1:22/", WrongPort),
    ):  # fmt: skip
        with pytest.raises(refusal):
            await fetch(f"{elsewhere.url}/to?url={target}")


async def test_what_is_missing_or_too_much_is_said(elsewhere: Elsewhere) -> None:
    with pytest.raises(NotThere, match="404"):
        await fetch(f"{elsewhere.url}/none.jpg")
    for path in ("endless.jpg", "announced.jpg"):
        with pytest.raises(PictureTooLarge):
            await fetch(f"{elsewhere.url}/{path}")
    with pytest.raises(NoAnswer):
        await fetch(f"{elsewhere.url}/troubled.jpg")


async def test_a_silent_server_costs_a_bounded_time(elsewhere: Elsewhere) -> None:
    allow = config.of(catalog.Settings).fetch_allow
    with (
        config.override(catalog.Settings(fetch_allow=allow, picture_fetch_seconds=0.0001)),
        pytest.raises(NoAnswer, match="in time"),
    ):
        await fetch(f"{elsewhere.url}/a.jpg")


async def product_of(db: Database, monkeypatch: pytest.MonkeyPatch, folder: Path) -> UUID:
    monkeypatch.setattr("livestall.storage.actions._backend", [storage.Disk(folder)])
    draft = catalog.ProductDraft(ids.new(), "Teapot", [catalog.VariantDraft(ids.new(), {}, 1)])
    async with db.write() as tx:
        await catalog.create_product(tx, ids.new(), draft, "CNY")
    return draft.id


async def ask_for(db: Database, product_id: UUID, *urls: str) -> dict[tuple[UUID, str], UUID]:
    wanted = [(ids.new(), product_id, url, f"picture {n}", n) for n, url in enumerate(urls, 1)]
    async with db.write() as tx:
        return await pictures.add_from_urls(tx, wanted)


async def pictures_of(db: Database, product_id: UUID) -> list[Any]:
    async with db.read() as read:
        return (await catalog.products(read, [product_id]))[product_id].pictures


async def test_waiting_pictures_become_ready_or_say_why_not(
    db: Database, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    product_id = await product_of(db, monkeypatch, tmp_path)
    urls = [
        f"{elsewhere.url}/a.jpg",
        f"{elsewhere.url}/none.jpg",
        f"{elsewhere.url}/words.jpg",
        "http://10.0.0.1/a.jpg",
    ]
    await ask_for(db, product_id, *urls)
    assert [one.state for one in await pictures_of(db, product_id)] == ["pending"] * 4
    assert await jobs.fetch_pictures(db) == 4
    good, missing, words, private = await pictures_of(db, product_id)
    assert (good.state, good.width, good.height, good.alt) == ("ready", 500, 250, "picture 1")
    with storage.open(good.thumb_url.removeprefix("/files/")) as file:
        assert Image.open(file).size == (400, 200)
    assert [one.state for one in (missing, words, private)] == ["failed"] * 3
    assert "404" in missing.error
    assert "JPEG" in words.error
    assert "10.0.0.1" in private.error
    assert await jobs.fetch_pictures(db) == 0


async def test_trouble_is_met_with_patience_but_not_for_ever(
    db: Database, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    product_id = await product_of(db, monkeypatch, tmp_path)
    await ask_for(db, product_id, f"{elsewhere.url}/troubled.jpg")
    for _ in range(2):
        assert await jobs.fetch_pictures(db) == 1
        assert await jobs.fetch_pictures(db) == 0, "it waits a while"
        assert [one.state for one in await pictures_of(db, product_id)] == ["pending"]
        async with db.write() as tx:
            await tx.execute("update picture set next_try_at = now()")
    assert await jobs.fetch_pictures(db) == 1
    assert [one.state for one in await pictures_of(db, product_id)] == ["ready"]

    await ask_for(db, product_id, f"{elsewhere.url}/down.jpg")
    for hours in (0, 3600, 7200):
        with clock.travel(hours):
            assert await jobs.fetch_pictures(db) == 1
    tired = (await pictures_of(db, product_id))[-1]
    assert tired.state == "failed"
    assert "could not be reached" in tired.error
    assert "无法连接" in tired.error
    await ask_for(db, product_id, f"{elsewhere.url}/down.jpg")
    assert (await pictures_of(db, product_id))[-1].state == "pending", "asked for again, tried again"


async def test_two_workers_never_fetch_the_same_picture(
    db: Database, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    product_id = await product_of(db, monkeypatch, tmp_path)
    await ask_for(db, product_id, *(f"{elsewhere.url}/none.jpg?{n}" for n in range(12)))
    tried = await asyncio.gather(jobs.fetch_pictures(db), jobs.fetch_pictures(db))
    assert sum(tried) == 12
    assert len(elsewhere.asked) == 12


async def test_an_address_is_kept_once_and_a_product_has_room_for_twenty(
    db: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    product_id = await product_of(db, monkeypatch, tmp_path)
    urls = [f"https://shop.example/{n}.jpg" for n in range(25)]
    first = await ask_for(db, product_id, *urls, urls[0])
    assert set(first) == {(product_id, url) for url in urls[: pictures.PICTURES_MAX]}
    assert await ask_for(db, product_id, *reversed(urls[:20])) == first
    kept = await pictures_of(db, product_id)
    assert [one.id for one in kept] == [first[product_id, url] for url in reversed(urls[:20])]
    for bad in ("javascript:alert(1)", "https://shop.example/" + "a" * 2050, "http://x:99999/", "http://a b/"):
        with pytest.raises(pictures.BadAddress):
            await ask_for(db, product_id, bad)
