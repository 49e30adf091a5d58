"""Makes the demo market through its public API: operator, sellers with goods and stock, creators, a show with its tray.

Every step looks first whether it is already done, so a start that was cut off goes on where it stopped.
"""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import structlog

from livestall.app import guard
from livestall.app.demo import goods, pictures
from livestall.app.demo.client import Door, Json, Person, Refused
from livestall.base import ids

log = structlog.get_logger()
SELLER_SCOPES = ["catalog:write", "orders:read"]
CREATOR_SCOPES = ["shows:write", "chat:write"]
OPERATOR = "operator@demo.example"
BUYER = "buyer@demo.example"


class Seller(msgspec.Struct):
    """A seeded seller and the API token of its owner."""

    login: str
    seller_id: str
    token: str
    products: list[Json] = []


class Creator(msgspec.Struct):
    login: str
    token: str


class Viewer(msgspec.Struct):
    name: str
    login: str
    token: str
    locale: str


class Memory(msgspec.Struct):
    """What the demo keeps between starts, in `demo.json` of its data folder."""

    sellers: list[Seller] = []
    creators: list[Creator] = []
    viewers: list[Viewer] = []
    replay_done: bool = False

    @classmethod
    def read(cls, folder: Path) -> Memory:
        try:
            return msgspec.json.decode((folder / "demo.json").read_bytes(), type=cls)
        except (FileNotFoundError, msgspec.MsgspecError):
            return cls()

    def write(self, folder: Path) -> None:
        """Replace the file at once, readable by us only: it holds tokens."""
        part = folder / "demo.json.part"
        part.touch(0o600)
        part.write_bytes(msgspec.json.encode(self))
        part.replace(folder / "demo.json")


def first_run_token() -> str | None:
    return os.environ.get(guard.FIRST_RUN) or None


async def enter(door: Door, login: str, name: str, locale: str = "en") -> Person:
    """Sign in, or sign up if there is no such account yet."""
    try:
        return await Person(door, locale=locale).sign_in(login, goods.PASSWORD)
    except Refused as refused:
        if refused.status != 401:
            raise
    return await Person(door, locale=locale).sign_up(login, goods.PASSWORD, name, locale)


async def operator(door: Door, token: str | None) -> Person:
    """The operator, made by the one-time link's token at the first start."""
    person = Person(door)
    if token is not None:
        try:
            person.me = await person.post("/api/first-run", {
                "token": token, "id": ids.new(), "login": OPERATOR, "password": goods.PASSWORD,
                "name": "Operator · 运营",
                "market_name": goods.MARKET_NAME, "currency": goods.CURRENCY,
            })  # fmt: skip
        except Refused as refused:  # the start before this one got as far as here
            if refused.code != "first-run-over":
                raise
        else:
            return person
    return await person.sign_in(OPERATOR, goods.PASSWORD)


async def build(door: Door, memory: Memory, folder: Path, token: str | None) -> None:
    """Everything that is missing of the market, except shows."""
    if len(memory.sellers) == len(goods.STALLS) and len(memory.creators) == len(goods.CREATORS):
        return
    boss = await operator(door, token)
    await enter(door, BUYER, "Demo buyer · 体验买家")
    for number, stall in enumerate(goods.STALLS[len(memory.sellers) :], start=len(memory.sellers) + 1):
        memory.sellers.append(await _open_stall(door, boss, f"seller{number}@demo.example", stall))
        memory.write(folder)
    for login, name, bio in goods.CREATORS[len(memory.creators) :]:
        person = await enter(door, login, name)
        if not person.me.get("creator"):
            await person.post("/api/me/creator", {"id": ids.new(), "name": name, "bio": bio})
        memory.creators.append(Creator(login, await person.api_token("demo", CREATOR_SCOPES)))
        memory.write(folder)


async def _open_stall(door: Door, boss: Person, login: str, stall: goods.Stall) -> Seller:
    owner = await enter(door, login, stall.name)
    mine = owner.me.get("sellers") or [await owner.post("/api/sellers", {"id": ids.new(), "name": stall.name})]
    seller_id = mine[0]["id"]
    if mine[0]["state"] != "approved":
        await boss.post(f"/api/operator/sellers/{seller_id}/approve")
    there = {one["title"]: one for one in (await owner.get(f"/api/sellers/{seller_id}/products"))["items"]}
    products = [there.get(one.title) or await _list_goods(owner, seller_id, one) for one in stall.goods]
    for one, product in zip(stall.goods, products, strict=True):
        if not product["pictures"]:
            await _show_goods(owner, seller_id, product["id"], one.name)
    rows = [
        {"variant_id": variant["id"], "on_hand": one.on_hand}
        for one, product in zip(stall.goods, products, strict=True)
        for variant in product["variants"]
    ]
    await owner.put(f"/api/sellers/{seller_id}/stock", {"id": ids.new(), "rows": rows})
    return Seller(login, seller_id, await owner.api_token("demo", SELLER_SCOPES), [_brief(one) for one in products])


async def _list_goods(owner: Person, seller_id: str, one: goods.Goods) -> Json:
    values = one.axis.values if one.axis else ("",)
    variants = [
        {
            "id": ids.new(),
            "sku": f"{one.name.upper()}-{number}",
            "options": {one.axis.name: value} if one.axis else {},
            "price_amount": price,
        }
        for number, (value, price) in enumerate(zip(values, one.prices, strict=True), start=1)
    ]
    return await owner.post(f"/api/sellers/{seller_id}/products", {
        "id": ids.new(), "title": one.title, "description": one.description, "state": "active",
        "options": [{"name": one.axis.name, "values": list(one.axis.values)}] if one.axis else [], "variants": variants,
    })  # fmt: skip


async def _show_goods(owner: Person, seller_id: str, product_id: str, name: str) -> None:
    """Draw the product's picture and upload it."""
    drawn = io.BytesIO()
    (await asyncio.to_thread(pictures.draw, name)).save(drawn, "JPEG", quality=90)
    path = f"/api/sellers/{seller_id}/products/{product_id}/pictures?id={ids.new()}"
    try:
        await owner.upload(path, f"{name}.jpg", drawn.getvalue(), "image/jpeg")
    except Refused as refused:  # goods without a picture still sell
        log.warning("a picture was refused", name=name, error=str(refused))


def _brief(product: Json) -> Json:
    variants = [{"id": one["id"], "price": one["price"]["amount"]} for one in product["variants"]]
    return {"id": product["id"], "title": product["title"], "variants": variants}


def goods_named(title: str) -> goods.Goods:
    return next(one for stall in goods.STALLS for one in stall.goods if one.title == title)


def tray_of(products: Sequence[Json]) -> list[Json]:
    """A tray of these products at their live prices."""
    return [
        {
            "listing_id": str(ids.new()),
            "product_id": product["id"],
            "show_price_amounts": {
                one["id"]: one["price"] * goods_named(product["title"]).live // 100 for one in product["variants"]
            },
        }
        for product in products
    ]
