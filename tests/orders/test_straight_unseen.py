"""What nobody bought yet is looked at without locks, so that even the first rush for an article goes straight."""

from __future__ import annotations

import pytest

from helpers.patience import PATIENCE_SECONDS
from helpers.shop import Shop, draft
from helpers.straight import Window, counter, everyone, window
from livestall import stock
from livestall.base import ids
from livestall.orders import Counter, NewOrderLine, Placed, desk

__all__ = ["counter", "window"]


async def test_the_first_batch_of_an_article_goes_straight(shop: Shop, counter: Counter, window: Window) -> None:
    tea, cup = await shop.product(100, show_price=800), await shop.product(100)
    answers = await everyone(counter, [draft(tea.line(2), cup.line(), show=shop.show) for _ in range(5)])
    assert window.ways == [True]
    assert [one.order.total.amount for one in answers if isinstance(one, Placed)] == [2600] * 5
    assert await shop.pool(tea.variant) == (100, 100, 10, 0)
    assert await shop.pool(cup.variant) == (100, 100, 5, 0)


async def test_what_is_scarce_or_not_there_is_decided_from_the_beginning(
    shop: Shop, counter: Counter, window: Window
) -> None:
    rare = await shop.product(7)
    answers = await everyone(counter, [draft(rare.line(4)) for _ in range(2)])
    nothing = await everyone(counter, [draft(NewOrderLine(ids.new(), 1))])
    assert window.ways == [False, False]
    assert [type(one) for one in [*answers, *nothing]] == [Placed, stock.SoldOut, stock.NotStocked]


async def test_what_was_sold_elsewhere_after_the_look_is_not_sold_again(
    shop: Shop, counter: Counter, window: Window
) -> None:
    """The look saw 42 units; before the batch is written another gateway has sold 38."""
    tea = await shop.product(42)

    async def elsewhere() -> None:
        for answer in await shop.place(*(draft(tea.line(19)) for _ in range(2))):
            assert isinstance(answer, Placed)

    window.meanwhile = elsewhere
    answers = await everyone(counter, [draft(tea.line()) for _ in range(10)])
    assert window.ways == [True, False]
    assert [type(one) for one in answers] == [Placed] * 4 + [stock.SoldOut] * 6
    assert await shop.pool(tea.variant) == (42, 42, 42, 0)


@pytest.mark.parametrize("careful_seconds", [PATIENCE_SECONDS, 0])
async def test_after_a_surprise_nothing_is_looked_at_for_a_while(
    shop: Shop, counter: Counter, window: Window, monkeypatch: pytest.MonkeyPatch, careful_seconds: float
) -> None:
    monkeypatch.setattr(desk, "CAREFUL_SECONDS", careful_seconds)
    tea, cup = await shop.product(100), await shop.product(100)

    async def elsewhere() -> None:
        for answer in await shop.place(*(draft(tea.line(45)) for _ in range(2))):
            assert isinstance(answer, Placed)

    window.meanwhile = elsewhere
    await everyone(counter, [draft(tea.line()) for _ in range(20)])
    await everyone(counter, [draft(cup.line())])
    assert window.ways == [True, False, careful_seconds == 0]
    assert await shop.pool(tea.variant) == (100, 100, 100, 0)
    assert await shop.pool(cup.variant) == (100, 100, 1, 0)
