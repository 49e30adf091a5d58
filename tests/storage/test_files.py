"""Files: kept by their contents, served for ever, and nothing outside the folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from livestall import storage
from livestall.base.http import EXCEPTION_HANDLERS
from livestall.storage.web import ROUTES


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    storage.use(storage.Disk(tmp_path / "files"))
    (tmp_path / "secret.png").write_bytes(b"not yours")
    yield tmp_path
    storage.use(storage.Disk(Path("var/livestall/files")))


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = Litestar(ROUTES, exception_handlers=EXCEPTION_HANDLERS, openapi_config=None)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://market.test")


async def test_a_file_is_stored_once_and_served_with_its_type(folder: Path, client: httpx.AsyncClient) -> None:
    key = await storage.put(b"RIFF picture", "webp")
    assert await storage.put(b"RIFF picture", "webp") == key
    answer = await client.get(storage.link(key))
    assert (answer.status_code, answer.content) == (200, b"RIFF picture")
    assert answer.headers["content-type"] == "image/webp"
    assert "immutable" in answer.headers["cache-control"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    await storage.drop(key)
    assert (await client.get(storage.link(key))).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["../secret.png", "%2e%2e/secret.png", "..%2fsecret.png", "ab/..%2f..%2fsecret.png", "ab/%00.png", "ab/x.html"],
)
async def test_no_path_leads_out_of_the_folder(folder: Path, client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(f"/files/{path}")).status_code == 404


async def test_an_import_is_not_served(folder: Path, client: httpx.AsyncClient) -> None:
    key = await storage.put(b"Handle,Title\n", "csv")
    assert (await client.get(storage.link(key))).status_code == 404
    with storage.open(key) as file:
        assert file.read() == b"Handle,Title\n"
