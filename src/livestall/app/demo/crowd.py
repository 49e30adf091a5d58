"""About a hundred viewers: they come one after another, watch, talk, like, buy, pay or forget to, and leave again.

All of them look at the room through one pair of eyes (`Room`): decoding every frame a hundred times would cost a core.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from livestall.app.demo import goods
from livestall.app.demo.client import Door, Json, Person, Refused, Socket
from livestall.app.demo.seed import Memory, Viewer
from livestall.base import ids

log = structlog.get_logger()

VIEWERS = 100
SIGNED_IN = 60
ARRIVAL_SECONDS = 0.4
SCOPES = ["orders:write", "orders:read", "chat:write", "profile:write"]
CARDS = ["4242 4242 4242 4242"] * 17 + ["4000 0000 0000 0002", "4000 0000 0000 0259", "4000 0000 0000 0341"]
EXPECTED = (Refused, aiohttp.ClientError, ConnectionError, TimeoutError)


class Room:
    """What a viewer sees of the room: what is pinned, which flash sale runs."""

    def __init__(self) -> None:
        self.show: Json = {}
        self.tray: dict[str, Json] = {}
        self.deals: dict[str, Json] = {}
        self.pin: Json | None = None
        self.last_seq: int | None = None

    def heard(self, frame: Json) -> None:
        if frame["type"] == "snapshot":
            self.show, self.last_seq = frame["show"], frame["seq"]
            self._set_tray(frame["tray"])
            self.deals = {one["id"]: one for one in frame["deals"]}
            running = [one for one in frame["pins"] if not one.get("ended_stream_at")]
            self.pin = running[-1] if running else None
        for event in frame.get("events", ()):
            self._apply(event["kind"], event["body"])
        self.last_seq = frame.get("to") or self.last_seq

    def _set_tray(self, tray: Sequence[Json]) -> None:
        self.tray = {item["listing_id"]: item for item in tray}

    def _apply(self, kind: str, body: Json) -> None:
        if kind == "show.moved":
            self.show = {**self.show, **body}
        elif kind == "tray.changed":
            self._set_tray(body["tray"])
        elif kind == "pin.started":
            self.pin = body
        elif kind == "pin.ended" and self.pin and self.pin["id"] == body["id"]:
            self.pin = None
        elif kind == "deal.changed":
            self.deals[body["id"]] = body

    def running_deal(self) -> Json | None:
        now = datetime.now(UTC)
        for deal in self.deals.values():
            opens = datetime.fromisoformat(deal["opens_at"])
            if deal["state"] in {"countdown", "running"} and opens <= now < datetime.fromisoformat(deal["closes_at"]):
                return deal
        return None

    def pinned(self) -> Json | None:
        return self.tray.get(self.pin["listing_id"]) if self.pin else None

    def goods_word(self, locale: str) -> str:
        """The pinned product as a viewer would call it."""
        item = self.pinned()
        if item is None:
            return "这个" if locale == "zh" else "this one"
        english, _, chinese = item["product"]["title"].partition(" · ")
        return (chinese or english) if locale == "zh" else english.lower().split(",")[0]


class Crowd:
    """The viewers of one show, until cancelled."""

    def __init__(self, door: Door, memory: Memory, folder: Path, show_id: str) -> None:
        self._door, self._memory, self._folder, self._show_id = door, memory, folder, show_id
        self._luck = random.Random()
        self.room = Room()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep_eyes_open())
            for number in range(VIEWERS):
                group.create_task(self._live(number))
                await asyncio.sleep(ARRIVAL_SECONDS * self._luck.uniform(0.3, 1.7))

    async def _keep_eyes_open(self) -> None:
        while True:
            try:
                socket = await Socket(Person(self._door), self._show_id, self.room.heard).open(self.room.last_seq)
                await socket.until_closed()
            except EXPECTED as error:
                log.debug("the crowd lost sight of the room", error=repr(error))
            await asyncio.sleep(1)

    async def _live(self, number: int) -> None:
        """One viewer for ever: signed out for the last forty, who only watch and like."""
        while True:
            try:
                viewer = await self._viewer(number) if number < SIGNED_IN else None
                await self._visit(viewer)
            except EXPECTED as error:
                log.debug("a viewer dropped out", error=repr(error))
            await asyncio.sleep(self._luck.uniform(2, 6))

    async def _viewer(self, number: int) -> Viewer:
        if number < len(self._memory.viewers):
            return self._memory.viewers[number]
        locale = "zh" if self._luck.random() < 0.6 else "en"
        name = self._name(locale)
        login = f"viewer{ids.new().hex[-10:]}@demo.example"
        person = await Person(self._door, locale=locale).sign_up(login, goods.PASSWORD, name, locale)
        viewer = Viewer(name, login, await person.api_token("demo", SCOPES), locale)
        self._memory.viewers.append(viewer)
        self._memory.write(self._folder)
        return viewer

    def _name(self, locale: str) -> str:
        if locale == "zh":
            return self._luck.choice(goods.FAMILY) + self._luck.choice(goods.GIVEN)
        return f"{self._luck.choice(goods.FIRST)} {self._luck.choice(goods.LAST)}"

    async def _visit(self, viewer: Viewer | None) -> None:
        """Stay for some minutes, then look elsewhere for a moment."""
        person = Person(self._door, token=viewer.token, locale=viewer.locale) if viewer else Person(self._door)
        socket = await Socket(person, self._show_id).open()
        until = asyncio.get_running_loop().time() + self._luck.uniform(180, 900)
        tried: set[str] = set()
        try:
            while asyncio.get_running_loop().time() < until and not socket.closed:
                await self._moment(person, viewer, socket, tried)
        finally:
            await socket.close()

    async def _moment(self, person: Person, viewer: Viewer | None, socket: Socket, tried: set[str]) -> None:
        luck = self._luck
        deal = self.room.running_deal()
        if viewer and deal and deal["id"] not in tried:
            tried.add(deal["id"])
            await asyncio.sleep(luck.expovariate(1 / 25))
            await self._buy(person, viewer, socket, self._flash_line(deal))
            if luck.random() < 0.3:
                await self._say(socket, luck.choice(goods.RUSH), viewer)
            return
        await asyncio.sleep(luck.expovariate(1 / 20))
        chance = luck.random()
        if viewer is None or chance < 0.45:
            if viewer is not None:
                await self._politely(socket.like(luck.randint(1, 12)))
        elif chance < 0.93:
            await self._say(socket, luck.choice(luck.choice([goods.GREETINGS, goods.QUESTIONS, goods.REMARKS])), viewer)
        elif line := self._pinned_line():
            await self._buy(person, viewer, socket, line)

    def _flash_line(self, deal: Json) -> Json:
        return {
            "variant_id": deal["variant_id"],
            "listing_id": deal["listing_id"],
            "deal_id": deal["id"],
            "quantity": 1,
        }

    def _pinned_line(self) -> Json | None:
        item = self.room.pinned()
        if item is None or not item["variants"]:
            return None
        variant = self._luck.choice(item["variants"])
        quantity = 2 if self._luck.random() < 0.15 else 1
        return {"variant_id": variant["variant_id"], "listing_id": item["listing_id"], "quantity": quantity}

    async def _say(self, socket: Socket, phrase: str, viewer: Viewer) -> None:
        chinese = any("\u4e00" <= letter <= "\u9fff" for letter in phrase)
        if chinese != (viewer.locale == "zh"):
            return
        city = self._luck.choice(goods.CITIES)[1].removesuffix("市") if chinese else self._luck.choice(goods.ABROAD)
        await self._politely(socket.chat(phrase.format(city=city, goods=self.room.goods_word(viewer.locale))))

    async def _politely(self, command: Any) -> None:
        """Slow mode, mutes and limits are part of a room: a viewer who is refused goes on watching."""
        try:
            await command
        except Refused as refused:
            log.debug("refused", code=refused.code)

    async def _buy(self, person: Person, viewer: Viewer, socket: Socket, line: Json) -> None:
        """Order over the socket, or by HTTP one time in five; then an address, then pay, unless the buyer forgets."""
        order_id = str(ids.new())
        try:
            if self._luck.random() < 0.2:
                await person.post("/api/orders", {"id": order_id, "show_id": self._show_id, "lines": [line]})
            else:
                await socket.buy(line, ids.parse(order_id))
            await asyncio.sleep(self._luck.uniform(2, 8))
            if self._luck.random() < 0.14:
                return  # forgets to pay: the hold expires and the unit is on sale again
            await person.put(f"/api/orders/{order_id}/address", self._address(viewer))
            await person.pay(order_id, self._luck.choice(CARDS))
            if self._luck.random() < 0.15:
                await self._say(socket, self._luck.choice(goods.THANKS), viewer)
        except Refused as refused:
            log.debug("refused", code=refused.code)

    def _address(self, viewer: Viewer) -> Json:
        region, city, line1 = self._luck.choice(goods.CITIES)
        return {
            "recipient": viewer.name, "phone": f"+86138{self._luck.randrange(10**8):08d}",
            "region": region, "city": city, "line1": line1, "line2": "", "postcode": "529100", "country": "CN",
        }  # fmt: skip


async def for_ever(what: Callable[[], Any], seconds: float) -> None:
    """Run `what` again and again, whatever it meets."""
    while True:
        try:
            await what()
        except EXPECTED as error:
            log.info("the demo tries again", error=repr(error))
        await asyncio.sleep(seconds)
