"""Files that nothing shows or reads any more are dropped after some days, and no other file ever is."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
from PIL import Image

from livestall import catalog, orders, storage
from livestall.base import clock, config, ids
from livestall.base.db import Database, Read
from livestall.catalog import imports
from livestall.catalog.imports import jobs as imports_jobs
from livestall.catalog.pictures import actions as pictures
from livestall.catalog.pictures import jobs as pictures_jobs

DAY = timedelta(days=1).total_seconds()
GOODS = b"Handle,Title,Variant Price\ntea,Tea,12.50\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("livestall.storage.actions._backend", [storage.Disk(tmp_path)])
    return tmp_path


def days_of(name: str) -> int:
    return getattr(config.of(catalog.Settings), name)


def stored(folder: Path) -> int:
    return sum(path.is_file() for path in folder.rglob("*"))


def drawn(colour: str) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (600, 500), colour).save(out, "PNG")
    return out.getvalue()


async def product_of(db: Database, seller_id: UUID) -> UUID:
    draft = catalog.ProductDraft(
        ids.new(), "Teapot", [catalog.VariantDraft(ids.new(), {}, 12_900)], state=catalog.ProductState.active
    )
    async with db.write() as tx:
        await catalog.create_product(tx, seller_id, draft, "CNY")
    return draft.id


async def nothing_else(read: Read, addresses: Sequence[str]) -> set[str]:
    return set()


async def test_a_picture_goes_some_days_after_its_product_has_lost_it(db: Database, folder: Path) -> None:
    seller_id, picture_id = ids.new(), ids.new()
    product_id = await product_of(db, seller_id)
    await pictures.upload(db, seller_id, product_id, picture_id, drawn("red"), "")
    later = days_of("picture_file_days") + 1
    with clock.travel(later * DAY):
        assert await pictures_jobs.drop_unused(db, nothing_else) == 0
    assert stored(folder) == 2
    async with db.write() as tx:
        await pictures.delete(tx, seller_id, product_id, picture_id)
    assert await pictures_jobs.drop_unused(db, nothing_else) == 0, "somebody may still look at it"
    with clock.travel(later * DAY):
        assert await pictures_jobs.drop_unused(db, nothing_else) == 2
        assert await pictures_jobs.drop_unused(db, nothing_else) == 0
    assert stored(folder) == 0


async def test_an_order_keeps_the_picture_of_what_was_bought(db: Database, folder: Path) -> None:
    seller_id, picture_id = ids.new(), ids.new()
    product_id = await product_of(db, seller_id)
    shown = await pictures.upload(db, seller_id, product_id, picture_id, drawn("blue"), "")
    async with db.write() as tx:
        await pictures.delete(tx, seller_id, product_id, picture_id)
        await tx.execute("set local session_replication_role = replica")  # a line is enough, without its order
        await tx.execute(
            """insert into order_line (order_id, line_no, seller_id, variant_id, product_id, quantity, unit_price,
                                       title, variant_title, picture_url)
               values ($1, 1, $2, $3, $4, 1, 100, 'Teapot', '', $5)""",
            ids.new(), seller_id, ids.new(), product_id, shown.thumb_url,
        )  # fmt: skip
    with clock.travel((days_of("picture_file_days") + 1) * DAY):
        assert await pictures_jobs.drop_unused(db, orders.pictures_shown) == 1, "the large one"
    assert shown.thumb_url is not None
    with storage.open(shown.thumb_url.removeprefix("/files/")) as file:
        assert Image.open(file).format == "WEBP"


async def test_the_same_picture_stored_while_the_sweep_looks_stays(db: Database, folder: Path) -> None:
    key = await storage.put(b"a picture", "webp")
    future = clock.now() + timedelta(days=1)
    assert storage.Disk(folder).drop_older(key, clock.now() - timedelta(days=1)) is False, "stored again meanwhile"
    with storage.open(key) as file:
        assert file.read() == b"a picture"

    async def stored_again(keys: Sequence[str]) -> set[str]:
        assert list(keys) == [key]
        return {key}

    assert await storage.clean({"webp"}, future, stored_again) == 0
    assert await storage.clean({"csv"}, future, stored_again) == 0, "files of other kinds are not asked about"
    assert stored(folder) == 1


async def test_a_file_of_goods_goes_some_days_after_it_was_read(db: Database, folder: Path) -> None:
    seller_id, import_id = ids.new(), ids.new()
    file = await storage.put(GOODS, "csv")
    async with db.write() as tx:
        await imports.begin(tx, seller_id, import_id, digest=b"1", file=file, currency="CNY")
    later = days_of("import_file_days") + 1
    with clock.travel(later * DAY):
        assert await imports_jobs.drop_read(db) == 0, "nobody has read it yet"
        assert await imports_jobs.read_next(db) == 1
        assert await imports_jobs.drop_read(db) == 0, "read just now"
    assert stored(folder) == 1
    with clock.travel(2 * later * DAY):
        assert await imports_jobs.drop_read(db) == 1
        async with db.read() as read:
            report = await imports.find(read, seller_id, import_id)
    assert stored(folder) == 0
    assert report is not None, "the report stays"
    assert (report.state, report.products_created) == ("done", 1)
