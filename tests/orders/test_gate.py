"""The gate: who comes for what is gone hears so before the line, and nobody is sold to before those who came first."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest

from helpers.patience import PATIENCE_SECONDS
from helpers.shop import Article, Shop, draft
from livestall import deals, stock
from livestall.base import clock, config, ids
from livestall.base.db import Tx
from livestall.base.errors import Refusal, SameIdOtherContents, Unavailable
from livestall.live import TooFast
from livestall.orders import Counter, Draft, Line, Placed, Settings, desk, gate
from livestall.orders.actions import place
from livestall.orders.desk import Prepared
from livestall.orders.model import LineTicket


class Buyer:
    """Asks for an order, and hears what becomes of it."""

    def __init__(self, wish: Draft) -> None:
        self.wish = wish
        self.said: list[Placed | Exception] = []
        self.places: list[int] = []

    def tell(self, ticket: LineTicket) -> None:
        self.places.append(ticket.place)

    def end(self, said: Placed | Exception) -> None:
        self.said.append(said)


class Market:
    """A line with a gate. `batches`: claims that came to the counter, at each time. `opened`: looks go on."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        self.batches: list[int] = []
        self.counter = Counter(shop.db, verb=self.verb)
        self.line = Line(self.counter, gate_db=shop.db)
        self.opened = asyncio.Event()
        self.opened.set()
        self.looks = 0

    async def verb(self, tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        self.batches.append(len(drafts))
        return await place(tx, drafts, ready)

    def ask(self, *wishes: Draft) -> list[Buyer]:
        buyers = [Buyer(wish) for wish in wishes]
        for one in buyers:
            self.line.ask(one.wish, one)
        return buyers

    async def answers(self, buyers: Sequence[Buyer]) -> list[Placed | Exception]:
        """What each of them heard: one thing each."""
        await until(lambda: all(one.said for one in buyers))
        assert [len(one.said) for one in buyers] == [1] * len(buyers)
        return [one.said[0] for one in buyers]

    async def sell_out(self, units: int = 1) -> Article:
        """An article of which the last unit was just sold, and everybody here has heard of it."""
        article = await self.shop.product(units)
        answers = await self.answers(self.ask(draft(article.line(units)), draft(article.line())))
        assert kinds(answers) == [Placed, stock.SoldOut]
        self.batches.clear()
        return article

    async def bring(self, article: Article, units: int) -> None:
        on_hand, *_ = await self.shop.pool(article.variant)
        counted = stock.OnHand(article.variant, self.shop.seller, on_hand + units)
        await self.shop.db.run(lambda tx: stock.receive(tx, [counted]))


async def until(check: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not check():  # noqa: ASYNC110 - what is waited for has no event of its own
            await asyncio.sleep(0.001)


def nobody(*_: object) -> bool:
    return False


def kinds(answers: Sequence[Placed | Exception]) -> list[type]:
    return [type(one) for one in answers]


@pytest.fixture
async def market(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Market]:
    market, original = Market(shop), desk.nothing_left

    async def look(*args: Any) -> Any:
        market.looks += 1
        await market.opened.wait()
        return await original(*args)

    monkeypatch.setattr(gate.desk, "nothing_left", look)
    yield market
    market.opened.set()
    await market.line.close()


async def test_a_thousand_who_come_for_what_is_gone_take_no_place_in_line(market: Market) -> None:
    tea = await market.sell_out()
    buyers = market.ask(*(draft(tea.line(1 + n % 2)) for n in range(1000)))
    assert market.counter.ahead(buyers[0].wish) == 0
    answers = await market.answers(buyers)
    assert kinds(answers) == [stock.SoldOut] * 1000
    assert [one.details["quantity"] for one in answers[:2] if isinstance(one, Refusal)] == [1, 2]
    assert market.batches == [], "nobody came to the locks"
    assert market.looks < 20, "one look is for all who came meanwhile"


@pytest.mark.parametrize("guarded", [True, False], ids=["gate", "twin: who comes later walks past it"])
async def test_units_that_come_back_are_sold_in_the_order_of_arrival(
    market: Market, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    tea = await market.sell_out()
    market.opened.clear()
    first = market.ask(draft(tea.line()))
    await until(lambda: market.looks == 1)
    await market.bring(tea, 2)
    if not guarded:
        monkeypatch.setattr(gate.Gate, "stops", nobody)
    later = market.ask(draft(tea.line()), draft(tea.line()))
    if not guarded:
        await market.answers(later)
    market.opened.set()
    found = kinds(await market.answers([*first, *later]))
    assert (found == [Placed, Placed, stock.SoldOut]) == guarded
    assert await market.shop.pool(tea.variant) == (3, 3, 3, 0)


async def test_where_something_is_left_nobody_waits_at_the_gate(market: Market) -> None:
    tea = await market.sell_out()
    await market.bring(tea, 10)
    for _ in range(3):
        assert kinds(await market.answers(market.ask(draft(tea.line())))) == [Placed]
    assert market.looks == 1, "the first found it open, and so it is for all"


async def test_however_units_trickle_in_the_first_to_come_have_them(market: Market) -> None:
    """Two sizes of wishes on one pool: all of a round come at once, and find what is there in their order."""
    chance = random.Random(20261123)
    tea = await market.sell_out()
    left = 0
    for _ in range(40):
        units = chance.choice((0, 0, 0, 1, 2, 5))
        if units:
            await market.bring(tea, units)
        left += units
        wanted = [chance.choice((1, 1, 2)) for _ in range(chance.randint(1, 12))]
        expected: list[type] = []
        for quantity in wanted:
            expected.append(Placed if quantity <= left else stock.SoldOut)
            left -= quantity if quantity <= left else 0
        buyers = market.ask(*(draft(tea.line(quantity)) for quantity in wanted))
        assert kinds(await market.answers(buyers)) == expected
    on_hand, _, held, _ = await market.shop.pool(tea.variant)
    assert on_hand - held == left


async def test_who_has_the_order_already_hears_so_though_nothing_is_left(market: Market) -> None:
    tea = await market.shop.product(1)
    winner = draft(tea.line())
    await market.answers(market.ask(winner))
    await market.answers(market.ask(draft(tea.line())))
    other = draft(tea.line(2), buyer=winner.buyer_id, order_id=winner.order_id)
    again, stolen, none = await market.answers(market.ask(winner, other, draft(tea.line())))
    assert isinstance(again, Placed)
    assert (again.new, again.order.id) == (False, winner.order_id)
    assert isinstance(stolen, SameIdOtherContents)
    assert isinstance(none, stock.SoldOut)


@pytest.mark.parametrize("guarded", [True, False], ids=["one moment", "twin: ids, then pools"])
async def test_who_wins_elsewhere_at_the_moment_of_the_look_hears_of_the_order(
    market: Market, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The same order is on its way through another process, which takes the unit that came back."""
    tea = await market.sell_out()
    await market.bring(tea, 1)
    wish, original = draft(tea.line()), desk.at_once

    async def at_once(read: Any, *asks: Any, **more: Any) -> list[Any]:
        if len(asks) != 2 or more:
            return await original(read, *asks, **more)
        pools, ids_known = asks
        if guarded:
            found = await original(read, pools, ids_known)
            await market.shop.place(wish)
            return found
        (known,) = await original(read, ids_known)
        await market.shop.place(wish)
        return [*await original(read, pools), known]

    monkeypatch.setattr(desk, "at_once", at_once)
    (answer,) = await market.answers(market.ask(wish))
    assert isinstance(answer, Placed) == guarded
    assert await market.shop.pool(tea.variant) == (2, 2, 2, 0)


async def test_of_a_double_click_with_two_contents_the_first_counts(market: Market) -> None:
    tea = await market.sell_out()
    await market.bring(tea, 1)
    one = draft(tea.line())
    greedy = draft(tea.line(5), buyer=one.buyer_id, order_id=one.order_id)
    answers = await market.answers(market.ask(one, greedy))
    assert kinds(answers) == [Placed, SameIdOtherContents]


async def test_a_basket_with_something_that_is_gone_waits_at_the_gate_as_well(market: Market) -> None:
    gone, there = await market.sell_out(), await market.shop.product(10)
    market.opened.clear()
    both = market.ask(draft(there.line(), gone.line()))
    (single,) = await market.answers(market.ask(draft(there.line())))
    assert isinstance(single, Placed), "who wants other things walks past"
    market.opened.set()
    assert kinds(await market.answers(both)) == [stock.SoldOut]
    assert await market.shop.pool(there.variant) == (10, 10, 1, 0)


async def test_a_flash_sale_that_is_over_is_said_to_be_over(market: Market) -> None:
    tea = await market.shop.product(20)
    deal = await market.shop.flash(tea, quota=1, per_buyer=1)
    with clock.travel(11):
        answers = await market.answers(market.ask(*(draft(tea.line(deal=deal)) for _ in range(3))))
        assert kinds(answers) == [Placed, stock.SoldOut, stock.SoldOut]
        assert kinds(await market.answers(market.ask(draft(tea.line(deal=deal))))) == [stock.SoldOut]
    with clock.travel(400):
        assert kinds(await market.answers(market.ask(draft(tea.line(deal=deal))))) == [deals.DealClosed]


async def test_the_same_pace_holds_at_the_gate(market: Market) -> None:
    tea, buyer = await market.sell_out(), ids.new()
    with config.override(Settings(claims_per_second=0.01, claims_burst=3)):
        buyers = market.ask(*(draft(tea.line(), buyer=buyer) for _ in range(3)))
        with pytest.raises(TooFast):
            market.ask(draft(tea.line(), buyer=buyer))
        assert kinds(await market.answers(buyers)) == [stock.SoldOut] * 3


async def test_who_stands_in_line_already_is_not_sent_back_to_the_gate(market: Market) -> None:
    tea = await market.shop.product(1)
    wish = draft(tea.line())
    held = asyncio.Event()

    async def verb(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        await held.wait()
        return await place(tx, drafts, ready)

    counter = Counter(market.shop.db, verb=verb)
    line = Line(counter, gate_db=market.shop.db)
    first, again, market.line = Buyer(wish), Buyer(wish), line
    line.ask(wish, first)
    line._gate.found_gone(wish)  # type: ignore[union-attr]  # somebody who wanted more was told meanwhile
    line.ask(wish, again)
    held.set()
    answers = await market.answers([first, again])
    assert kinds(answers) == [Placed, Placed]


async def broken(*_: object) -> None:
    raise Unavailable


async def hanging(*_: object) -> None:
    await asyncio.Event().wait()


@pytest.mark.parametrize("look", [broken, hanging])
async def test_without_a_look_everyone_goes_into_the_line(
    market: Market, monkeypatch: pytest.MonkeyPatch, look: Any
) -> None:
    tea = await market.sell_out()
    await market.bring(tea, 1)
    monkeypatch.setattr(gate, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(gate.desk, "nothing_left", look)
    answers = await market.answers(market.ask(*(draft(tea.line()) for _ in range(3))))
    assert kinds(answers) == [Placed, stock.SoldOut, stock.SoldOut]


async def test_when_the_process_ends_those_at_the_gate_are_told(market: Market) -> None:
    tea = await market.sell_out()
    market.opened.clear()
    looked = market.ask(draft(tea.line()))
    await until(lambda: market.looks == 1)
    waiting = market.ask(draft(tea.line()))
    await market.line.close()
    assert kinds(await market.answers([*looked, *waiting])) == [Unavailable, Unavailable]


async def test_where_people_come_back_to_ask_there_is_no_gate(shop: Shop) -> None:
    tea = await shop.product(0)
    line = Line(Counter(shop.db))
    buyers = [Buyer(draft(tea.line())) for _ in range(2)]
    for one in buyers:
        line.ask(one.wish, one)
        await until(lambda one=one: bool(one.said))
        assert isinstance(line.find(one.wish.order_id, one.wish.buyer_id), stock.SoldOut)
    await line.close()
