"""Money: integer minor units with their currency, and the one way to divide it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import msgspec

from livestall.base.errors import Invalid

AMOUNT_MAX = 10**15
"""Largest amount accepted anywhere, in minor units; a sum of 9,000 of them still fits a bigint."""

MINOR_DIGITS = {"CNY": 2, "EUR": 2, "GBP": 2, "HKD": 2, "JPY": 0, "KRW": 0, "SGD": 2, "TWD": 2, "USD": 2, "VND": 0}
"""Decimal digits of each supported currency (ISO 4217)."""


class Money(msgspec.Struct, frozen=True):
    """`amount` minor units of `currency` (ISO 4217): Money(1999, "CNY") is 19.99 yuan."""

    amount: int
    currency: str

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def times(self, quantity: int) -> Money:
        return Money(self.amount * quantity, self.currency)

    @classmethod
    def zero(cls, currency: str) -> Self:
        return cls(0, currency)


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Divide `amount` minor units by `weights`, losing no unit: the parts sum to `amount` exactly.

    The largest remainders get the leftover units, earlier parts first among equals. Raises ValueError if there is no
    positive weight or a negative one.
    """
    total = sum(weights)
    if total <= 0 or min(weights) < 0:
        raise ValueError("weights must be non-negative and one of them positive")
    parts = [amount * weight // total for weight in weights]
    remainders = [amount * weight % total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-remainders[i], i))
    for i in by_remainder[: amount - sum(parts)]:
        parts[i] += 1
    return parts


def basis_points(amount: int, points: int) -> int:
    """`points` ten-thousandths of `amount`, rounded down; the rest stays with the other side of the split."""
    return split(amount, [points, 10_000 - points])[0] if 0 < points < 10_000 else amount * points // 10_000


def parse(text: str, currency: str) -> Money:
    """Read a price as a person writes it ("19.9", "1,299.00"). Raises Invalid; never guesses a broken number."""
    digits = MINOR_DIGITS.get(currency)
    if digits is None:
        raise Invalid(reason=f"the currency {currency[:8]!r} is not supported")
    plain = text.strip().replace(",", "")
    whole, _, fraction = plain.partition(".")
    ok = whole.isascii() and whole.isdigit() and len(whole) <= 13
    ok = ok and (not fraction or (fraction.isascii() and fraction.isdigit())) and not plain.endswith(".")
    if not ok or len(fraction.rstrip("0")) > digits:
        raise Invalid(reason=f"{text[:32]!r} is not a price in {currency}")
    amount = int(whole) * 10**digits + int((fraction + "0" * digits)[:digits] or 0)
    if amount > AMOUNT_MAX:
        raise Invalid(reason=f"{text[:32]!r} is too large a price")
    return Money(amount, currency)
