"""Runs the demo's shows like a host with a helper: pins in turn, flash sales, restocking."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

import structlog

from livestall.app.demo import goods
from livestall.app.demo.client import Door, Json, Person, Refused
from livestall.app.demo.scene import SLIDE_SECONDS
from livestall.app.demo.seed import Memory, goods_named, tray_of
from livestall.base import ids

log = structlog.get_logger()

FLASH_EVERY_SECONDS = 210
FLASH = {"quota": 50, "released": 35, "countdown_seconds": 20, "duration_seconds": 120, "per_buyer": 1}
RESTOCK_SECONDS = 60
LOW = 12
OPEN_STATES = ("draft", "scheduled", "preview", "live", "interrupted")


class Director:
    """One creator at work. Everything goes through the API with the creator's own token."""

    def __init__(
        self, door: Door, token: str, title: str, description: str, products: Sequence[Json],
        slide_seconds: float = SLIDE_SECONDS,
    ) -> None:  # fmt: skip
        self._slide_seconds = slide_seconds
        self._me = Person(door, token=token)
        self._title, self._description, self._products = title, description, products

    async def show(self) -> Json:
        """The show to run: one that is still open from an earlier start, else a new one with its tray."""
        for card in (await self._me.get("/api/studio/shows"))["items"]:
            if card["title"] == self._title and card["state"] in OPEN_STATES:
                return card
        show = await self._me.post("/api/shows", {
            "id": ids.new(), "title": self._title, "description": self._description, "mode": "default",
        })  # fmt: skip
        await self._me.put(f"/api/shows/{show['id']}/tray", {"items": tray_of(self._products)})
        return show

    @asynccontextmanager
    async def pushing(self, show_id: str) -> AsyncGenerator[None]:
        """Inside the block the drawn video is pushed into the show by RTMP, again whenever the pusher ends."""
        task = asyncio.create_task(self._push(show_id))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _push(self, show_id: str) -> None:
        while True:
            ingest = await self._me.get(f"/api/shows/{show_id}/ingest")
            url = f"{ingest['rtmp_server']}/{ingest['rtmp_key']}"
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "livestall.app.demo.source", url, "--title", self._title,
                "--slide-seconds", str(self._slide_seconds),
                "--goods", ",".join(goods_named(one["title"]).name for one in self._products),
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                await process.wait()
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()
            await asyncio.sleep(1)

    async def go_live(self, show_id: str) -> None:
        """Preview, then live as soon as the picture arrives. A show cut off by a restart comes back by itself."""
        while True:
            state = (await self._me.get(f"/api/shows/{show_id}"))["state"]
            if state == "live":
                return
            with suppress(Refused):  # no picture yet
                if state in {"draft", "scheduled"}:
                    await self._me.post(f"/api/shows/{show_id}/preview")
                await self._me.post(f"/api/shows/{show_id}/go-live")
            await asyncio.sleep(0.5)

    def _turn(self) -> int:
        return int(time.time() / self._slide_seconds)

    async def pin_in_turn(self, show_id: str) -> None:
        """Explain one product after another, each as it comes on stage, for ever."""
        tray = await self._me.get(f"/api/shows/{show_id}/tray")
        while True:
            turn = self._turn()
            listing_id = tray[turn % len(tray)]["listing_id"]
            await self._me.post(f"/api/shows/{show_id}/pins", {"id": ids.new(), "listing_id": listing_id})
            await asyncio.sleep((turn + 1) * self._slide_seconds - time.time())

    async def flash_sales(self, show_id: str) -> None:
        """A flash sale every few minutes on the cheapest variant of what is on stage; more units while it runs."""
        tray = await self._me.get(f"/api/shows/{show_id}/tray")
        await asyncio.sleep(25)
        while True:
            item = tray[self._turn() % len(tray)]
            variant = min(item["variants"], key=lambda one: one["price"]["amount"])
            deal = await self._me.post(f"/api/shows/{show_id}/flash-sales", {
                "id": ids.new(), "listing_id": item["listing_id"], "variant_id": variant["variant_id"],
                "price_amount": max(variant["price"]["amount"] * 6 // 10, 1), **FLASH,
            })  # fmt: skip
            await asyncio.sleep(FLASH["countdown_seconds"] + 45)
            with suppress(Refused):  # it may have ended meanwhile
                more = {"id": ids.new(), "quantity": FLASH["quota"] - FLASH["released"]}
                await self._me.post(f"/api/deals/{deal['id']}/release", more)
            await asyncio.sleep(FLASH_EVERY_SECONDS)

    async def end(self, show_id: str) -> None:
        await self._me.post(f"/api/shows/{show_id}/end")


async def restock(door: Door, memory: Memory) -> None:
    """The sellers fill up what runs low, so that a demo left alone for hours still sells."""
    await asyncio.sleep(RESTOCK_SECONDS)
    for seller in memory.sellers:
        owner = Person(door, token=seller.token)
        rows = (await owner.get(f"/api/sellers/{seller.seller_id}/stock"))["items"]
        low = [
            {"variant_id": row["variant_id"], "on_hand": row["on_hand"] + 120} for row in rows if row["available"] < LOW
        ]
        if low:
            await owner.put(f"/api/sellers/{seller.seller_id}/stock", {"id": ids.new(), "rows": low})


async def make_replay(door: Door, memory: Memory) -> None:
    """A short show of the second creator, ended at once, so that the feed has a replay with chapters."""
    pots = memory.sellers[1].products
    director = Director(door, memory.creators[1].token, goods.REPLAY_TITLE, "", pots, slide_seconds=8)
    show_id = (await director.show())["id"]
    async with director.pushing(show_id):
        async with asyncio.timeout(60):
            await director.go_live(show_id)
        with suppress(TimeoutError):
            async with asyncio.timeout(32):
                await director.pin_in_turn(show_id)
        await director.end(show_id)
