"""A batch that goes straight: nothing is left to decide. It only has to be written, if what it depends on still
holds."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from uuid import UUID

from livestall import stock
from livestall.base import clock
from livestall.orders.model.mold import Mold
from livestall.orders.model.wishes import Draft

Page = dict[int, tuple[UUID, int]]
"""Entries of a page of the book: id and mark, by the number of the id, which is found faster."""

Depends = tuple[Page, Page, Page, Page]
"""What something was priced with: listings, shows, offers, sellers."""


class Terms:
    """How orders of a mold are written that go straight: what each of their lines takes (`kinds`), how many units of
    which pool that is (by the number of its id), and the entries that they are priced with."""

    __slots__ = ("depends", "kinds", "mold", "units")

    def __init__(self, mold: Mold, pools: Iterable[stock.Pool], depends: Depends) -> None:
        self.mold, self.depends = mold, depends
        self.kinds = [
            stock.hold_kind(pool, number, line.quantity)
            for number, (pool, line) in enumerate(zip(pools, mold.lines, strict=True), 1)
        ]
        self.units = [(line.pool_id.int, line.quantity) for line in mold.lines]


class Straight:
    """A batch of drafts of which every one wins, each with its terms and its number. `depends`: of all of them."""

    __slots__ = ("at", "depends", "drafts", "locked", "numbers", "terms")

    def __init__(
        self, drafts: Sequence[Draft], terms: Sequence[Terms], depends: Depends, numbers: Sequence[str]
    ) -> None:  # fmt: skip
        self.drafts, self.terms, self.depends, self.numbers = drafts, terms, depends, numbers
        self.at = clock.now()
        self.locked = asyncio.Event()
