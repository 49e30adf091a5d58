"""Money never loses a unit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestall.base import money
from livestall.base.errors import Invalid
from livestall.base.money import Money

amounts = st.integers(0, money.AMOUNT_MAX)


@given(amounts, st.lists(st.integers(0, 10_000), min_size=1, max_size=12).filter(any))
def test_a_split_sums_to_the_whole_and_is_fair_to_a_unit(amount: int, weights: list[int]) -> None:
    parts = money.split(amount, weights)
    assert sum(parts) == amount
    for part, weight in zip(parts, weights, strict=True):
        assert abs(part * sum(weights) - amount * weight) < sum(weights)


@given(amounts, st.integers(0, 10_000))
def test_basis_points_and_the_rest_are_the_whole(amount: int, points: int) -> None:
    part = money.basis_points(amount, points)
    assert 0 <= part <= amount
    assert abs(part * 10_000 - amount * points) < 10_000


@given(st.integers(0, 10**12), st.sampled_from(sorted(money.MINOR_DIGITS)))
def test_a_price_survives_being_written_and_read(amount: int, currency: str) -> None:
    digits = money.MINOR_DIGITS[currency]
    text = f"{amount // 10**digits}.{amount % 10**digits:0{digits}d}" if digits else str(amount)
    assert money.parse(text, currency) == Money(amount, currency)


@pytest.mark.parametrize("text", ["", ".", "1.", "-1", "1e3", "１２", "=1+1", "1.234", "99999999999999999", "NaN"])
def test_a_broken_price_is_refused_not_guessed(text: str) -> None:
    with pytest.raises(Invalid):
        money.parse(text, "CNY")


def test_currencies_do_not_mix() -> None:
    with pytest.raises(ValueError):
        Money(1, "CNY") + Money(1, "USD")


@pytest.mark.parametrize("weights", [[], [0], [-1, 2]])
def test_a_split_by_nothing_is_refused(weights: list[int]) -> None:
    with pytest.raises(ValueError):
        money.split(10, weights)
