"""Buyers who never give up, and a host who starts one flash sale after the other."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import suppress

from helpers.buying import ANSWER_SECONDS, Buyer, over_a_socket, over_http
from helpers.market import AWAY, CITY, Cast
from livestall.app.demo.client import Json, Person, Refused

PAUSE_SECONDS = (0.1, 0.6)
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


class Customer(Buyer):
    """Buys until told to stop, by socket or HTTP as it happens; some pay, some change their mind."""

    retry_seconds = 0.3

    def __init__(self, person: Person, shelf: Shelf) -> None:
        super().__init__(person, shelf.show_id, (over_http, over_a_socket))
        self.shelf = shelf
        self.paid = self.cancelled = 0

    async def live(self, over: asyncio.Event) -> None:
        while not over.is_set():
            order = await self.buy(self.shelf.line())
            if order is not None:
                await self._after(order)
            await asyncio.sleep(random.uniform(*PAUSE_SECONDS))

    async def _after(self, order: Json) -> None:
        """If this fails halfway the market has to cope."""
        chance = random.random()
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                if chance < PAID:
                    await self.person.put(f"/api/orders/{order['id']}/address", CITY)
                    if await self.person.pay(order["id"]) < 400:
                        self.paid += 1
                elif chance < PAID + CANCELLED:
                    await self.person.post(f"/api/orders/{order['id']}/cancel")
                    self.cancelled += 1
        except (*AWAY, Refused):
            return
