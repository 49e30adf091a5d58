"""A counter whose batches are looked at: which way each went, and what happens just before one is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import pytest

from helpers.patience import PATIENCE_SECONDS
from helpers.shop import Article, Shop, draft
from livestall.base.db import Tx
from livestall.base.errors import Refusal
from livestall.orders import Counter, Draft, Placed
from livestall.orders.actions import place
from livestall.orders.desk import Desk, Prepared
from livestall.orders.straight import Straight

Meanwhile = Callable[[], Awaitable[object]]
Answers = list[Placed | BaseException]


class Window:
    """`verb` is for a counter. `ways`: of each try to decide a batch, whether it was straight. `meanwhile` happens
    once, when a straight one is worked out and only has to be sent."""

    def __init__(self) -> None:
        self.ways: list[bool] = []
        self.meanwhile: Meanwhile | None = None

    async def verb(self, tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        is_straight = isinstance(ready, Straight)
        self.ways.append(is_straight)
        answers = await place(tx, drafts, ready)
        if is_straight and self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        return answers


@pytest.fixture
def window() -> Window:
    return Window()


@pytest.fixture
async def counter(shop: Shop, window: Window) -> AsyncGenerator[Counter]:
    counter = Counter(shop.db, verb=window.verb)
    yield counter
    await counter.close()


@pytest.fixture
def only_under_locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool is seen only by those who lock it, so that the first batch goes the long way."""

    async def nothing(*_: object) -> None: ...

    monkeypatch.setattr(Desk, "look_at", nothing)


async def everyone(counter: Counter, drafts: Sequence[Draft]) -> Answers:
    """All of them at the same time; their answers."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(*(counter.place(one) for one in drafts), return_exceptions=True)


async def get_to_know(counter: Counter, *articles: Article, times: int = 1) -> list[Draft]:
    """Let the counter see these under locks: one of each is sold, `times` over. What it sells of them next goes
    straight."""
    drafts = [draft(*(one.line() for one in articles)) for _ in range(times)]
    for answer in await everyone(counter, drafts):
        assert isinstance(answer, Placed), answer
    return drafts
