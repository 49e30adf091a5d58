"""Buyers who never give up: each order is repeated under its own id until it is answered."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

from helpers.market import AWAY
from livestall.app.demo.client import Json, Person, Refused, Socket
from livestall.base import ids

RETRY_SECONDS, ANSWER_SECONDS = 0.1, 8
TOO_FAST = 429

Way = Callable[[Person, str, UUID, Json], Awaitable[Json]]
"""How an order is sent once: `way(person, show_id, order_id, line)`. Raises Refused and AWAY."""


async def over_http(person: Person, show_id: str, order_id: UUID, line: Json) -> Json:
    return await person.post("/api/orders", {"id": order_id, "show_id": show_id, "lines": [line]})


async def with_a_double_click(person: Person, show_id: str, order_id: UUID, line: Json) -> Json:
    """Twice at the same moment: both get the same answer."""
    first, second = await asyncio.gather(*(over_http(person, show_id, order_id, line) for _ in range(2)))
    assert first.get("id") == second.get("id")
    return first


async def over_a_socket(person: Person, show_id: str, order_id: UUID, line: Json) -> Json:
    """On a socket of its own, as from a page that was just loaded."""
    socket = await Socket(person, show_id).open()
    try:
        return await socket.buy(line, order_id)
    finally:
        await socket.close()


class Buyer:
    """Keeps what was acknowledged, and counts what was refused, why, and how often it asked again."""

    retry_seconds = RETRY_SECONDS

    def __init__(self, person: Person, show_id: str, ways: Sequence[Way] = (over_http,)) -> None:
        self.person, self.show_id, self.ways = person, show_id, ways
        self.acknowledged: dict[str, Json] = {}
        self.refused: Counter[str] = Counter()
        self.retries = self.waited = 0

    async def buy(self, line: Json) -> Json | None:
        """One purchase to its end; None if the market said no."""
        order_id = ids.new()
        while True:
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    order = await random.choice(self.ways)(self.person, self.show_id, order_id, line)
            except Refused as refused:
                if refused.status < 500 and refused.status != TOO_FAST:
                    self.refused[refused.code] += 1
                    return None
                self.retries += 1
            except AWAY:
                self.retries += 1
            else:
                if "id" in order:
                    assert order["id"] == str(order_id)
                    assert order["id"] not in self.acknowledged
                    self.acknowledged[order["id"]] = order
                    return order
                self.waited += 1  # a place in line: asked again under the same id
            await asyncio.sleep(self.retry_seconds)

    async def buy_until(self, over: asyncio.Event, line: Json, pause_seconds: tuple[float, float]) -> None:
        while not over.is_set():
            await self.buy(line)
            await asyncio.sleep(random.uniform(*pause_seconds))


def acknowledged_by(buyers: Sequence[Buyer]) -> list[str]:
    """Every order that one of them was told of."""
    return [order for one in buyers for order in one.acknowledged]
