"""Races of the short way: several gateways write sales of the same pools, and none of them locks anything first. Each
guard has a twin without it, in which the harm does happen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import pytest

from helpers.shop import Article, Shop, draft
from helpers.straight import Answers, Window, everyone, get_to_know, only_under_locks
from livestall import stock
from livestall.base.db import Changed, Database, OneStatement, Tx
from livestall.orders import Counter, Draft, Placed, actions, desk
from livestall.stock import store as stock_store
from livestall.stock.model import PoolValues, Reason

LOTS = 1_000

__all__ = ["only_under_locks"]
pytestmark = pytest.mark.usefixtures("only_under_locks")


class Gateway:
    """A process that sells: a database of its own, and a counter of its own."""

    def __init__(self, dsn: str, batch_max: int) -> None:
        self.db, self.window = Database(dsn), Window()
        self.counter = Counter(self.db, batch_max=batch_max, verb=self.window.verb)

    async def close(self) -> None:
        await self.counter.close()
        await self.db.close()


@pytest.fixture
async def gateways(shop: Shop) -> AsyncGenerator[list[Gateway]]:
    gateways = [Gateway(shop.db.dsn, batch_max=8) for _ in range(2)]
    yield gateways
    for one in gateways:
        await one.close()


def carefree(_: desk.Desk) -> None: ...


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[type[BaseException] | None]:
    """What became of every statement of the short way. One that something has changed for is no reason for care: the
    next one goes straight as well, as if every gateway were always sure of itself."""
    outcomes: list[type[BaseException] | None] = []
    send = OneStatement.send

    async def noted(tx: OneStatement) -> None:
        try:
            await send(tx)
        except BaseException as error:
            outcomes.append(type(error))
            raise
        outcomes.append(None)

    monkeypatch.setattr(OneStatement, "send", noted)
    monkeypatch.setattr(desk.Desk, "be_careful", carefree)
    return outcomes


async def selling(gateways: Sequence[Gateway], drafts: Sequence[Sequence[Draft]]) -> Answers:
    """Each gateway has its own buyers, and all of them come at once."""
    both = await asyncio.gather(*(everyone(one.counter, those) for one, those in zip(gateways, drafts, strict=True)))
    return [answer for answers in both for answer in answers]


def placed(answers: Answers) -> int:
    assert all(isinstance(one, Placed | stock.SoldOut) for one in answers), "everybody has an answer, and a right one"
    return sum(isinstance(one, Placed) for one in answers)


async def know(gateways: Sequence[Gateway], articles: Sequence[Article]) -> None:
    for one in gateways:
        await get_to_know(one.counter, *articles)


@pytest.mark.parametrize("lines", [1, 3], ids=["one article each", "three articles each"])
async def test_two_gateways_that_sell_the_same_pools_in_opposite_orders_get_in_nobodys_way(
    shop: Shop, gateways: list[Gateway], sent: list[type[BaseException] | None], lines: int
) -> None:
    goods = [await shop.product(LOTS) for _ in range(20)]
    await know(gateways, goods)

    def wishes(articles: Sequence[Article]) -> list[Draft]:
        starts = [*range(20)] * 6
        return [draft(*(articles[(n + more * 7) % 20].line() for more in range(lines))) for n in starts]

    answers = await selling(gateways, [wishes(goods), wishes(goods[::-1])])
    assert placed(answers) == 240
    assert sent == [None] * len(sent), "nothing had to be said twice: no deadlock, and nothing changed"
    assert len(sent) >= 2 * 120 / 8
    for one in gateways:
        assert one.window.ways[1:] == [True] * (len(one.window.ways) - 1)
    for one in goods:
        assert await shop.pool(one.variant) == (LOTS, LOTS, 2 + 12 * lines, 0)


@pytest.mark.parametrize("articles", [1, 20])
async def test_near_the_end_of_the_stock_two_gateways_sell_just_what_there_is(
    shop: Shop, gateways: list[Gateway], sent: list[type[BaseException] | None], articles: int
) -> None:
    goods = [await shop.product(42) for _ in range(articles)]
    await know(gateways, goods)
    first, second = gateways
    turns = 60 // articles or 5
    wishes = [draft(one.line(4 if articles > 1 else 1)) for _ in range(turns) for one in goods]
    others = [draft(one.line(4 if articles > 1 else 1)) for _ in range(turns) for one in goods[::-1]]
    answers = await selling(gateways, [wishes, others])
    assert placed(answers) == (40 if articles == 1 else 120)
    refused = [one for one in sent if one is not None]
    assert set(refused) <= {Changed}, "no deadlock, and nothing that the last check of the table had to stop"
    assert None in sent
    for one in goods:
        on_hand, open_units, held, sold = await shop.pool(one.variant)
        assert (on_hand, open_units, sold) == (42, 42, 0)
        assert held == (42 if articles == 1 else 2 + 4 * len([a for a in answers if _is_of(a, one)]))
    assert await _rows(first.db) == (2 + placed(answers), 0)
    assert await _rows(second.db) == (2 + placed(answers), 0)


def _is_of(answer: Placed | BaseException, article: Article) -> bool:
    return isinstance(answer, Placed) and answer.order.lines[0].variant_id == article.variant


async def _rows(db: Database) -> tuple[int, int]:
    """Orders, and pools that drift."""
    async with db.read() as read:
        return await read.fetchval("select count(*) from orders"), await stock.drift(read)


def amounts(answers: Answers) -> list[int]:
    return [one.order.total.amount for one in answers if isinstance(one, Placed)]


# ---------------------------------------------------------------- twins


class Unconditional:
    """A transaction that writes whatever has changed."""

    def __init__(self, tx: Tx) -> None:
        self.later = tx.later

    async def must(self, *_: object) -> None: ...


def without_the_condition(monkeypatch: pytest.MonkeyPatch) -> None:
    set_aside: Any = stock_store.set_aside

    async def unconditionally(tx: Tx, reason: Reason, units: Mapping[PoolValues, int]) -> None:
        await set_aside(Unconditional(tx), reason, units)

    monkeypatch.setattr(stock_store, "set_aside", unconditionally)


@pytest.mark.parametrize("guard", ["condition", "only the check", "twin: neither"])
async def test_what_another_gateway_has_sold_meanwhile_is_not_sold_again(
    shop: Shop, gateways: list[Gateway], monkeypatch: pytest.MonkeyPatch, guard: str
) -> None:
    """Both have seen 42 units. The first sells 30, the second believes that it may sell 10 without a look."""
    tea = await shop.product(42)
    first, second = gateways
    await know(gateways, [tea])
    if guard != "condition":
        without_the_condition(monkeypatch)
    if guard == "twin: neither":
        async with shop.db.write() as tx:
            await tx.execute("alter table stock_pool drop constraint stock_pool_never_oversold")
    sold = placed(await everyone(first.counter, [draft(tea.line(5)) for _ in range(7)]))
    answers = await everyone(second.counter, [draft(tea.line()) for _ in range(8)])
    assert sold == 7
    assert second.window.ways[1], "it did not look"
    assert placed(answers) == (8 if guard == "twin: neither" else 5)
    held = (await shop.pool(tea.variant))[2]
    assert held == (45 if guard == "twin: neither" else 42)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "twin: what was seen is believed"])
async def test_nobody_buys_at_a_price_that_was_another_before_the_sale(
    shop: Shop, gateways: list[Gateway], monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The seller makes it dearer while the second gateway has a batch worked out; another gateway sells at it first."""
    tea = await shop.product(LOTS)
    first, second = gateways
    await know(gateways, [tea])

    async def believed(*_: object) -> None: ...

    if not guarded:
        monkeypatch.setattr(actions.pricing, "still", believed)
    dearer: Answers = []

    async def made_dearer() -> None:
        async with shop.db.write() as tx:
            await tx.execute("update variant set price = 1200 where id = $1", tea.variant)
        dearer.extend(await shop.place(draft(tea.line())))

    second.window.meanwhile = made_dearer
    answers = await everyone(second.counter, [draft(tea.line()) for _ in range(3)])
    assert amounts(dearer) == [1200]
    assert second.window.ways[1:] == ([True, False] if guarded else [True])
    assert amounts(answers) == [1200 if guarded else 1000] * 3
    later = await everyone(first.counter, [draft(tea.line())])
    assert amounts(later) == [1200 if guarded else 1000]
