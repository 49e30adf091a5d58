"""Buyers who never give up, and a host who starts one flash sale after the other."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

from helpers.market import CITY, Cast
from helpers.rooms import AWAY
from livestall.app.demo.client import Json, Person, Refused, Socket
from livestall.base import ids

PAUSE_SECONDS = (0.1, 0.6)
RETRY_SECONDS = 0.3
ASK_SECONDS = 8
PAID, CANCELLED = 0.3, 0.1
SALE_SECONDS, SALE_EVERY_SECONDS, QUOTA, LIMIT = 60, 75, 300, 5


class Shelf:
    """What is on offer now: the ordinary goods, and the flash sale if one runs."""

    def __init__(self, cast: Cast, show_id: str) -> None:
        self.cast, self.show_id = cast, show_id
        self.deal: Json | None = None
        self.sales = 0
        self.refused: Counter[str] = Counter()

    def line(self) -> Json:
        if self.deal is not None and random.random() < 0.6:
            deal = self.deal
            return {
                "variant_id": deal["variant_id"],
                "listing_id": deal["listing_id"],
                "deal_id": deal["id"],
                "quantity": 1,
            }
        variant = random.choice([one["id"] for product in self.cast.products for one in product["variants"]])
        return {"variant_id": variant, "quantity": random.choice((1, 1, 1, 2, 3))}

    async def run_sales(self, over: asyncio.Event) -> None:
        while not over.is_set():
            try:
                self.deal = await self.cast.flash_sale(
                    self.show_id, quota=QUOTA, per_buyer=LIMIT, duration_seconds=SALE_SECONDS
                )
                self.sales += 1
            except Refused as refused:
                self.refused[refused.code] += 1
            except AWAY:
                pass
            else:
                await self._until(over)
                continue
            await asyncio.sleep(2)

    async def _until(self, over: asyncio.Event) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), SALE_EVERY_SECONDS)
        self.deal = None


class Buyer:
    """Buys until told to stop, by socket or HTTP as it happens; each order is repeated under its id until answered."""

    def __init__(self, person: Person, shelf: Shelf) -> None:
        self.person, self.shelf = person, shelf
        self.acknowledged: dict[str, Json] = {}
        self.refused: Counter[str] = Counter()
        self.retries = self.waited = self.paid = self.cancelled = 0

    async def live(self, over: asyncio.Event) -> None:
        while not over.is_set():
            order = await self._buy(over)
            if order is not None:
                await self._after(order)
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))

    async def _buy(self, over: asyncio.Event) -> Json | None:
        order_id, line = ids.new(), self.shelf.line()
        while True:
            try:
                async with asyncio.timeout(ASK_SECONDS):
                    order = await self._once(order_id, line)
            except Refused as refused:
                if refused.status < 500 and refused.status != 429:
                    self.refused[refused.code] += 1
                    return None
            except AWAY:
                pass
            else:
                if "id" not in order:  # a place in line: asked again under the same id
                    self.waited += 1
                    await asyncio.sleep(RETRY_SECONDS)
                    continue
                assert order["id"] == str(order_id)
                assert order["id"] not in self.acknowledged
                self.acknowledged[order["id"]] = order
                return order
            self.retries += 1
            if over.is_set() and self.retries % 50 == 49:
                return None
            await asyncio.sleep(RETRY_SECONDS)

    async def _once(self, order_id: object, line: Json) -> Json:
        body = {"id": order_id, "show_id": self.shelf.show_id, "lines": [line]}
        if random.random() < 0.5:
            return await self.person.post("/api/orders", body)
        socket = await Socket(self.person, self.shelf.show_id).open()
        try:
            return await socket.ask({"type": "buy", "id": order_id, "lines": [line]})
        finally:
            await socket.close()

    async def _after(self, order: Json) -> None:
        """Some pay, some change their mind; if that fails halfway the market has to cope."""
        chance = random.random()
        try:
            async with asyncio.timeout(ASK_SECONDS):
                if chance < PAID:
                    await self.person.put(f"/api/orders/{order['id']}/address", CITY)
                    if await self.person.pay(order["id"]) < 400:
                        self.paid += 1
                elif chance < PAID + CANCELLED:
                    await self.person.post(f"/api/orders/{order['id']}/cancel")
                    self.cancelled += 1
        except (*AWAY, Refused, AssertionError):
            return
