"""Pictures that a seller uploads: made small and clean, or refused with a reason."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from PIL import Image, ImageCms

from livestall import accounts, catalog, storage
from livestall.app.main import create_app
from livestall.base import ids
from livestall.base.db import Database
from livestall.catalog.pictures import shrink as shrinking
from livestall.catalog.pictures.model import BYTES_MAX, PICTURES_MAX, BrokenPicture
from livestall.catalog.pictures.shrink import shrink

PART = b'--x\r\nContent-Disposition: form-data; name="file"'


class Shop:
    """A seller with one product, seen over HTTP by one of its members."""

    def __init__(self, client: httpx.AsyncClient, seller_id: UUID, product_id: UUID) -> None:
        self.client, self.seller_id, self.product_id = client, seller_id, product_id
        self.path = f"/api/sellers/{seller_id}/products/{product_id}/pictures"

    async def upload(
        self, data: bytes, name: str = "a.jpg", picture_id: object = None, **headers: str
    ) -> httpx.Response:
        query = {"id": str(picture_id or ids.new()), "alt": "A teapot"}
        return await self.client.post(self.path, params=query, files={"file": (name, data)}, headers=headers)

    async def pictures(self) -> list[dict[str, Any]]:
        return (await self.client.get(f"/api/products/{self.product_id}")).json()["pictures"]

    async def file(self, url: str) -> Image.Image:
        answer = await self.client.get(url)
        assert answer.status_code == 200
        return Image.open(io.BytesIO(answer.content))


@pytest.fixture
async def shop(db: Database, stage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shop]:
    monkeypatch.setattr("livestall.storage.actions._backend", [storage.Disk(tmp_path)])
    person, seller_id = await stage.person(), ids.new()
    draft = catalog.ProductDraft(
        ids.new(), "Teapot", [catalog.VariantDraft(ids.new(), {}, 12_900)], state=catalog.ProductState.active
    )
    async with db.write() as tx:
        await tx.execute(
            "insert into seller (id, name, state, applied_by, created_at) values ($1, 'Tea', 'approved', $2, now())",
            seller_id, person.user_id,
        )  # fmt: skip
        await tx.execute(
            "insert into seller_member (seller_id, user_id, added_at) values ($1, $2, now())", seller_id, person.user_id
        )
        await catalog.create_product(tx, seller_id, draft, "CNY")
        cookie = await accounts.open_session(tx, person.user_id)
    transport = httpx.ASGITransport(create_app(db))
    headers = {"Origin": "http://shop.example", "Cookie": f"livestall_session={cookie}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://shop.example", headers=headers) as client:
        yield Shop(client, seller_id, draft.id)


def drawn(size: tuple[int, int], kind: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    """A picture whose upper left quarter is red; the rest is blue."""
    image = Image.new("RGB", size, "blue")
    image.paste("red", (0, 0, size[0] // 2, size[1] // 2))
    out = io.BytesIO()
    image.convert(mode).save(out, kind, **options)
    return out.getvalue()


def red(pixel: Any) -> bool:
    return pixel[0] > 180 and pixel[2] < 80


def bare_png(width: int, height: int, rows: bytes) -> bytes:
    """A PNG of one bit a pixel with that head and those rows, packed."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


async def test_a_picture_is_shown_large_and_small_and_on_the_product(shop: Shop) -> None:
    picture_id = ids.new()
    answer = await shop.upload(drawn((2400, 1200)), picture_id=picture_id)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["id"], made["state"], made["alt"]) == (str(picture_id), "ready", "A teapot")
    assert (made["width"], made["height"]) == (1600, 800)
    large, small = await shop.file(made["url"]), await shop.file(made["thumb_url"])
    assert (large.format, large.size, small.size) == ("WEBP", (1600, 800), (400, 200))
    assert red(large.convert("RGB").getpixel((10, 10)))
    assert not red(large.convert("RGB").getpixel((1500, 700)))
    assert await shop.pictures() == [made]
    cards = (await shop.client.get("/api/products")).json()["items"]
    assert [card["picture_url"] for card in cards] == [made["thumb_url"]]


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "RGB"), ("PNG", "P"), ("PNG", "I;16"), ("WEBP", "RGB"), ("GIF", "P"), ("JPEG", "CMYK"),
                       ("PNG", "1"), ("JPEG", "L")],
)  # fmt: skip
async def test_contents_decide_not_the_name(kind: str, mode: str) -> None:
    if mode == "I;16":
        out = io.BytesIO()
        Image.new("I;16", (60, 40), 52_000).save(out, kind)
        assert Image.open(io.BytesIO((await shrink(out.getvalue())).large)).getpixel((5, 5))[0] == pytest.approx(
            203, abs=3
        )
        return
    ours = await shrink(drawn((60, 40), kind, mode))
    assert (ours.width, ours.height) == (60, 40), "never made larger"
    pixel = Image.open(io.BytesIO(ours.large)).convert("RGB").getpixel((5, 5))
    assert mode in {"L", "1"} or red(pixel)


async def test_the_first_picture_of_a_moving_gif(shop: Shop) -> None:
    out = io.BytesIO()
    frames = [Image.new("RGB", (50, 50), colour) for colour in ("red", "blue", "green")]
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    made = (await shop.upload(out.getvalue(), "dance.jpg")).json()
    large = await shop.file(made["url"])
    assert red(large.convert("RGB").getpixel((25, 25)))
    assert getattr(large, "n_frames", 1) == 1


async def test_transparency_stays() -> None:
    out = io.BytesIO()
    Image.new("RGBA", (30, 30), (255, 0, 0, 0)).save(out, "PNG")
    assert Image.open(io.BytesIO((await shrink(out.getvalue())).large)).getpixel((3, 3))[3] == 0


async def test_where_a_photo_was_taken_is_gone_and_up_is_up() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn by 90° to the right
    exif[0x010F] = "SECRET-CAMERA"
    exif.get_ifd(0x8825)[1], exif.get_ifd(0x8825)[2] = "N", (31.0, 13.0, 49.0)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    photo = drawn((800, 400), exif=exif, icc_profile=profile, comment=b"SECRET-COMMENT")
    assert Image.open(io.BytesIO(photo)).getexif().get_ifd(0x8825)
    ours = await shrink(photo)
    assert (ours.width, ours.height) == (400, 800)
    for data in (ours.large, ours.small):
        image = Image.open(io.BytesIO(data))
        assert not image.getexif()
        assert {"exif", "icc_profile", "xmp"} & set(image.info) == set()
        assert b"SECRET" not in data
        corner = image.convert("RGB").getpixel((image.width - 5, 5))
        assert red(corner), "the upper left of the file is the upper right of the photo"


@pytest.mark.parametrize(
    ("data", "status", "code", "words"),
    [
        pytest.param(b"Dear buyer, " * 99, 422, "not-a-picture", "JPEG, PNG, WebP or GIF", id="text named .jpg"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", 422, "not-a-picture", "JPEG", id="svg"),
        pytest.param(b"", 422, "not-a-picture", "JPEG", id="empty"),
        pytest.param(drawn((900, 900))[:2000], 422, "broken-picture", "save it again", id="truncated"),
        pytest.param(drawn((9, 9), "PNG")[:-30] + b"x" * 30, 422, "broken-picture", "damaged", id="damaged"),
        pytest.param(bare_png(30_000, 10, b"\0" * 37_510), 422, "picture-too-wide", "30,000 px wide: at most 12,000",
                     id="30,000 px wide"),
        pytest.param(bare_png(10, 30_000, b"\0" * 90_000), 422, "picture-too-high", "30,000 px high: at most 12,000",
                     id="30,000 px high"),
        pytest.param(bare_png(11_000, 11_000, b"\0" * 1_376 * 11_000), 422, "too-many-pixels",
                     "121.0 megapixels: at most 40", id="bomb"),
        pytest.param(drawn((50, 50)) + b"\0" * BYTES_MAX, 413, "picture-too-large", "20 MB", id="too many bytes"),
    ],
)  # fmt: skip
async def test_what_is_not_taken_says_why(shop: Shop, data: bytes, status: int, code: str, words: str) -> None:
    answer = await shop.upload(data, "teapot.jpg")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert words in answer.json()["detail"]
    chinese = (await shop.upload(data, "茶壶.jpg", **{"Accept-Language": "zh-CN"})).json()["detail"]
    assert any("\u4e00" <= sign <= "\u9fff" for sign in chinese)
    assert await shop.pictures() == []


async def test_far_too_much_is_refused_before_it_is_read(shop: Shop) -> None:
    answer = await shop.client.post(
        shop.path, params={"id": str(ids.new())}, content=b"",
        headers={"Content-Type": "multipart/form-data; boundary=x", "Content-Length": str(10**10)},
    )  # fmt: skip
    assert (answer.status_code, answer.json()["code"]) == (413, "picture-too-large")


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"{}", "application/json"),
        (b"", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (PART + b"\r\n\r\n\xff\xfe\r\n--x--\r\n", "multipart/form-data; boundary=x"),
        (PART + b"\r\nContent-Type: text/plain; charset=klingon\r\n\r\na\r\n--x--\r\n",
         "multipart/form-data; boundary=x"),
        (b"rubbish", "multipart/form-data"),
    ],
)  # fmt: skip
async def test_a_form_without_a_file_is_the_senders_fault(shop: Shop, content: bytes, kind: str) -> None:
    answer = await shop.client.post(
        shop.path, params={"id": str(ids.new())}, content=content, headers={"Content-Type": kind}
    )
    assert 400 <= answer.status_code < 500, answer.text
    assert "problem" in answer.headers["content-type"]


async def test_the_same_upload_again_is_the_same_picture(shop: Shop) -> None:
    picture_id, data = ids.new(), drawn((80, 80))
    first = await shop.upload(data, picture_id=picture_id)
    again = await shop.upload(data, picture_id=picture_id)
    assert (again.status_code, again.json()) == (201, first.json())
    other = await shop.upload(drawn((90, 90)), picture_id=picture_id)
    assert (other.status_code, other.json()["code"]) == (409, "id-reused")
    assert len(await shop.pictures()) == 1


async def test_pictures_keep_their_order_and_go_one_by_one(shop: Shop) -> None:
    made = [(await shop.upload(drawn((20 + n, 20)))).json()["id"] for n in range(3)]
    assert [one["id"] for one in await shop.pictures()] == made
    for _ in range(2):
        assert (await shop.client.delete(f"{shop.path}/{made[1]}")).status_code == 204
    assert [one["id"] for one in await shop.pictures()] == [made[0], made[2]]
    last = (await shop.upload(drawn((30, 30)))).json()["id"]
    assert [one["id"] for one in await shop.pictures()] == [made[0], made[2], last]


async def test_a_product_has_room_for_twenty(shop: Shop, db: Database) -> None:
    async with db.write() as tx:
        await tx.execute(
            """insert into picture (id, product_id, position, state, next_try_at)
               select gen_random_uuid(), $1, n, 'pending', now() from generate_series(2, $2) n""",
            shop.product_id, PICTURES_MAX,
        )  # fmt: skip
    assert (await shop.upload(drawn((20, 20)))).status_code == 201
    answer = await shop.upload(drawn((20, 20)))
    assert (answer.status_code, answer.json()["code"]) == (409, "too-many-pictures")


async def test_only_the_seller_sees_what_became_of_pictures_that_are_not_there(shop: Shop, db: Database) -> None:
    async with db.write() as tx:
        await tx.execute(
            """insert into picture (id, product_id, position, state, error, next_try_at)
               values (gen_random_uuid(), $1, 1, 'failed', 'nobody answered', now())""",
            shop.product_id,
        )
    await shop.upload(drawn((20, 20)))
    assert [(one["state"], one["error"]) for one in await shop.pictures()] == [
        ("failed", "nobody answered"),
        ("ready", None),
    ]
    del shop.client.headers["Cookie"]
    assert [one["state"] for one in await shop.pictures()] == ["ready"]


async def test_only_the_products_own_seller_adds_and_takes_away(shop: Shop, db: Database) -> None:
    made = (await shop.upload(drawn((20, 20)))).json()["id"]
    other = catalog.ProductDraft(ids.new(), "Cup", [catalog.VariantDraft(ids.new(), {}, 1)])
    async with db.write() as tx:
        await catalog.create_product(tx, ids.new(), other, "CNY")
    shop.path = f"/api/sellers/{shop.seller_id}/products/{other.id}/pictures"
    assert (await shop.upload(drawn((20, 20)))).status_code == 404
    assert (await shop.client.delete(f"{shop.path}/{made}")).status_code == 404
    assert len(await shop.pictures()) == 1


async def test_a_press_that_takes_too_much_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shrinking, "WALL_SECONDS", 0.01)
    with pytest.raises(BrokenPicture):
        await shrink(drawn((500, 500)))
    monkeypatch.undo()
    monkeypatch.setattr(shrinking, "MEMORY_BYTES", 80 * 1024 * 1024)
    with pytest.raises(BrokenPicture):
        await shrink(bare_png(6000, 6000, b"\0" * 751 * 6000))
