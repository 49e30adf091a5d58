"""A seller's file comes in over HTTP, is read in chunks, and comes out again."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from livestall import accounts, catalog, storage
from livestall.app.main import create_app
from livestall.base import clock, ids
from livestall.base.db import Database, Tx
from livestall.base.outbox import Relay
from livestall.catalog.imports import actions, jobs
from livestall.catalog.imports import store as imports_store
from livestall.stock import jobs as stock_jobs

HEAD = (
    "Handle,Title,Body (HTML),Published,Option1 Name,Option1 Value,Option2 Name,Option2 Value,Variant SKU,"
    "Variant Inventory Qty,Variant Price,Variant Compare At Price,Image Src,Image Alt Text,Status\n"
)
SCARF = (
    "silk-scarf,Silk scarf,<p>Hand-rolled <b>edges</b>.</p><script>bad()</script>,TRUE,Colour,Red,Size,90 cm,S-R,40,"
    "29.90,39.90,https://shop.example/red.jpg,Red scarf,active\n"
    "silk-scarf,,,,,Blue,,90 cm,S-B,25,29.90,39.90,https://shop.example/blue.jpg,,\n"
)
TEA = "tea,Green tea,Spring.,TRUE,Title,Default Title,,,TEA,120,12.50,,,,active\n"

Json = dict[str, Any]


class Desk:
    """A seller's desk: files go in, reports and products are looked at."""

    def __init__(self, db: Database, client: httpx.AsyncClient, seller_id: UUID) -> None:
        self.db, self.client, self.seller_id = db, client, seller_id
        self.path = f"/api/sellers/{seller_id}/imports"

    async def upload(self, data: str | bytes, import_id: object = None) -> httpx.Response:
        contents = data.encode() if isinstance(data, str) else data
        return await self.client.post(
            self.path, params={"id": str(import_id or ids.new())}, files={"file": ("goods.csv", contents, "text/csv")}
        )

    async def bring(self, data: str | bytes, locale: str = "en") -> Json:
        """Upload, have it read, and the report."""
        answer = await self.upload(data)
        assert answer.status_code == 202, answer.text
        assert answer.json()["state"] == "reading"
        assert await jobs.read_next(self.db) == 1
        await Relay(self.db, stock_jobs.LISTENERS).drain()
        return await self.report(answer.json()["id"], locale)

    async def report(self, import_id: object, locale: str = "en") -> Json:
        answer = await self.client.get(f"{self.path}/{import_id}", headers={"Accept-Language": locale})
        assert answer.status_code == 200
        return answer.json()

    async def products(self) -> dict[str, Json]:
        answer = await self.client.get(f"/api/sellers/{self.seller_id}/products")
        return {one["title"]: one for one in answer.json()["items"]}

    async def export(self) -> bytes:
        answer = await self.client.get(f"/api/sellers/{self.seller_id}/products.csv")
        assert answer.status_code == 200
        return answer.content

    async def rows(self) -> list[Any]:
        """All that catalog and stock keep, but for the imports themselves."""
        async with self.db.read() as read:
            return [
                [tuple(row.values()) for row in await read.fetch(f"select * from {table} order by id")]
                for table in ("product", "variant")
            ] + [
                [tuple(row.values()) for row in await read.fetch("select * from stock_pool order by pool_id")],
                [
                    tuple(row.values())
                    for row in await read.fetch(
                        "select id, product_id, position, state, alt, source_url, file from picture order by id"
                    )
                ],
            ]


@pytest.fixture
async def desk(db: Database, stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr("livestall.storage.actions._backend", [storage.Disk(tmp_path)])
    person, seller_id = await stage.person(), ids.new()
    async with db.write() as tx:
        await tx.execute(
            "insert into seller (id, name, state, applied_by, created_at) values ($1, 'Silk', 'approved', $2, now())",
            seller_id, person.user_id,
        )  # fmt: skip
        await tx.execute(
            "insert into seller_member (seller_id, user_id, added_at) values ($1, $2, now())", seller_id, person.user_id
        )
        cookie = await accounts.open_session(tx, person.user_id)
    transport = httpx.ASGITransport(create_app(db))  # pyright: ignore[reportArgumentType]
    headers = {"Origin": "http://shop.example", "Cookie": f"livestall_session={cookie}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", headers=headers) as client:
        yield Desk(db, client, seller_id)


async def test_a_file_becomes_products_with_prices_pictures_and_stock(desk: Desk) -> None:
    report = await desk.bring(HEAD + SCARF + TEA)
    assert (report["state"], report["lines"], report["lines_done"]) == ("done", 3, 3)
    assert (report["products_created"], report["products_updated"], report["errors"]) == (2, 0, [])
    assert report["pictures_pending"] == 2
    products = await desk.products()
    scarf, tea = products["Silk scarf"], products["Green tea"]
    assert scarf["description"] == "Hand-rolled edges."
    assert [one["title"] for one in scarf["variants"]] == ["Red / 90 cm", "Blue / 90 cm"]
    assert [one["available"] for one in scarf["variants"]] == [40, 25]
    assert scarf["variants"][0]["compare_at"] == {"amount": 3990, "currency": scarf["price_from"]["currency"]}
    assert [one["alt"] for one in scarf["pictures"]] == ["Red scarf", ""]
    assert tea["options"] == []
    assert tea["state"] == "active"
    assert tea["price_from"]["amount"] == 1250


async def test_the_same_file_again_doubles_nothing_and_a_changed_one_changes(desk: Desk) -> None:
    await desk.bring(HEAD + SCARF + TEA)
    before = await desk.rows()
    again = await desk.bring(HEAD + SCARF + TEA)
    assert (again["products_created"], again["products_updated"]) == (0, 2)
    assert await desk.rows() == before
    ids_before = {one["sku"]: one["id"] for one in (await desk.products())["Silk scarf"]["variants"]}
    renamed = SCARF.replace(",Red,", ",Ruby,").replace("29.90", "31.00").replace("Silk scarf", "Silk shawl")
    await desk.bring(HEAD + renamed)
    products = await desk.products()
    assert set(products) == {"Silk shawl", "Green tea"}
    assert {one["sku"]: one["id"] for one in products["Silk shawl"]["variants"]} == ids_before
    assert products["Silk shawl"]["variants"][0]["title"] == "Ruby / 90 cm"


async def test_a_variant_left_out_is_put_away_and_comes_back_as_itself(desk: Desk) -> None:
    await desk.bring(HEAD + SCARF)
    blue = (await desk.products())["Silk scarf"]["variants"][1]["id"]
    await desk.bring(HEAD + SCARF.splitlines(keepends=True)[0])
    assert len((await desk.products())["Silk scarf"]["variants"]) == 1
    async with desk.db.read() as read:
        assert await read.fetchval("select removed_at is not null from variant where id = $1", UUID(blue))
    await desk.bring(HEAD + SCARF)
    assert (await desk.products())["Silk scarf"]["variants"][1]["id"] == blue


async def test_good_products_come_in_though_others_fail_and_lines_are_the_files(desk: Desk) -> None:
    bad = 'cup,"A cup\nwith a handle",,TRUE,,,,,CUP,1.5,"12,50",,,,active\n'
    report = await desk.bring(HEAD + TEA + bad + SCARF, locale="zh")
    assert (report["state"], report["products_created"], report["errors_total"]) == ("done", 2, 2)
    assert {(one["line"], one["column"], one["value"]) for one in report["errors"]} == {
        (3, "Variant Price", "12,50"),
        (3, "Variant Inventory Qty", "1.5"),
    }
    assert "数量必须是" in " ".join(one["message"] for one in report["errors"])
    wrong_behind = await desk.bring(HEAD + bad + "cap,Cap,,,,,,,,,-1,,,,\n")
    assert [one["line"] for one in wrong_behind["errors"]] == [2, 2, 4]
    (listed, _) = (await desk.client.get(desk.path)).json()["items"]
    assert listed["id"] == wrong_behind["id"]


async def test_stock_below_what_is_promised_is_raised_to_it(desk: Desk) -> None:
    from livestall import stock

    await desk.bring(HEAD + TEA)
    (tea,) = (await desk.products())["Green tea"]["variants"]
    request = stock.HoldRequest(ids.new(), 1, UUID(tea["id"]), ids.new(), 7)
    async with desk.db.write() as tx:
        await stock.lock(tx, [request.pool_id])
        assert await stock.hold(tx, [request]) == [True]
    await desk.bring(HEAD + TEA.replace(",120,", ",3,"))
    async with desk.db.read() as read:
        assert (await stock.stands(read, [request.pool_id]))[request.pool_id].on_hand == 7


async def test_what_goes_out_comes_in_again_and_changes_nothing(desk: Desk) -> None:
    await desk.bring(HEAD + SCARF + TEA + "'=evil,=1+1,'=x <b>,FALSE,Size,-5,,,@sku,,0.05,,,,draft\n")
    draft = catalog.ProductDraft(
        ids.new(), "  Made by hand  &  <odd>",
        [catalog.VariantDraft(ids.new(), {"Size": size, "Cut": "A"}, 100, "", 200) for size in ("L", "S")],
        description="Two\n\nlines & <b>no markup</b>  =x", options=[
            catalog.OptionAxis("Size", ["S", "M", "L"]), catalog.OptionAxis("Cut", ["A"]),
        ],
    )  # fmt: skip
    async with desk.db.write() as tx:
        await catalog.create_product(tx, desk.seller_id, draft, "CNY")
        await tx.execute(
            """insert into picture (id, product_id, position, state, file, thumb, width, height, next_try_at)
               values ($1, $2, 3, 'ready', $3, $3, 1, 1, now())""",
            ids.new(), draft.id, f"ab/{'ab' * 32}.webp",
        )  # fmt: skip
    before, file = await desk.rows(), await desk.export()
    report = await desk.bring(file)
    assert (report["products_created"], report["products_updated"], report["errors"]) == (0, 4, [])
    assert await desk.rows() == before
    assert await desk.export() == file


async def test_no_cell_that_goes_out_is_a_formula(desk: Desk) -> None:
    await desk.bring(HEAD + '"\t=handle",=HYPERLINK("x"),@SUM(1),TRUE,+Size,-5,,,=sku,1,1,,,,active\n')
    assert set(await desk.products()) == {'=HYPERLINK("x")'}, "in the market it is plain text"
    cells = [cell for row in csv.reader(io.StringIO((await desk.export()).decode("utf-8-sig"))) for cell in row]
    assert not [cell for cell in cells if cell[:1] in set("=+-@\t\r")]


class Killed(Exception):
    """The worker is gone."""


async def test_a_killed_worker_is_continued_and_nothing_is_done_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "CHUNK_ROWS", 4)
    file = HEAD + "".join(TEA.replace("tea,", f"tea-{n},") for n in range(10)) + "bad,Bad,,,,,,,,,x,,,,\n"
    import_id = (await desk.upload(file)).json()["id"]
    save, chunks = actions.save, 0

    async def dies(tx: Tx, claim: imports_store.Claim, goods: Any) -> actions.Outcome:
        nonlocal chunks
        chunks += 1
        outcome = await save(tx, claim, goods)
        if chunks == 2:
            raise Killed
        return outcome

    monkeypatch.setattr(actions, "save", dies)
    with pytest.raises(Killed):
        await jobs.read_next(desk.db)
    assert (await desk.report(import_id))["lines_done"] == 4
    assert await jobs.read_next(desk.db) == 0, "the dead worker's lease still runs"
    with clock.travel(jobs.LEASE.total_seconds() + 1):
        assert await jobs.read_next(desk.db) == 1
    report = await desk.report(import_id)
    assert (report["state"], report["lines_done"], report["products_created"]) == ("done", 11, 10)
    assert (report["products_updated"], report["errors_total"]) == (0, 1)
    assert chunks == 4


async def test_a_reader_that_was_taken_for_dead_writes_nothing_more(desk: Desk) -> None:
    await desk.upload(HEAD + TEA)
    now = clock.now()
    async with desk.db.write() as tx:
        slow = await imports_store.claim(tx, now, now)
    assert slow is not None
    with clock.travel(1):
        assert await jobs.read_next(desk.db) == 1
    async with desk.db.write() as tx:
        assert await imports_store.hold(tx, slow.id, slow.groups_done) is None


async def test_an_id_is_used_for_one_file(desk: Desk) -> None:
    import_id = ids.new()
    first = await desk.upload(HEAD + TEA, import_id)
    assert (await desk.upload(HEAD + TEA, import_id)).json() == first.json()
    other = await desk.upload(HEAD + SCARF, import_id)
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")
    assert (await desk.client.get(f"{desk.path}/{ids.new()}")).json()["code"] == "no-such-import"


async def test_only_fifty_megabytes_are_taken(desk: Desk) -> None:
    answer = await desk.upload(b"x" * (50 * 1024 * 1024 + 1))
    assert (answer.status_code, answer.json()["code"]) == (413, "file-too-large")
    answer = await desk.client.post(desk.path, params={"id": str(ids.new())}, files={"other": ("a", b"x")})
    assert answer.status_code == 422


async def test_at_most_a_thousand_errors_are_kept_and_all_are_counted(desk: Desk) -> None:
    report = await desk.bring(HEAD + "".join(f"p{n},P,,,,,,,,,x,,,,\n" for n in range(1200)))
    assert (len(report["errors"]), report["errors_total"]) == (1000, 1200)
    assert report["errors"][0]["message"].startswith("This is not a price")
