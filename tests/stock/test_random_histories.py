"""Any history of stock: whatever is done in whatever order, the pools hold what their holds say and never oversell."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from livestall import stock
from livestall.base import ids
from livestall.base.db import Database, Tx
from livestall.base.errors import Refusal
from livestall.stock import Carve, HoldRequest, OnHand, OpenMore

SELLER = ids.new()
pick = st.integers(min_value=0, max_value=1000)
units = st.integers(min_value=1, max_value=12)


class History(RuleBasedStateMachine):
    dsn = ""  # of the test's database; Hypothesis makes the histories itself

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.db = Database(self.dsn, maximum=2)
        self.variants = [ids.new(), ids.new()]
        self.deals: list[UUID] = []
        self.orders: list[UUID] = [ids.new()]
        self.write(lambda tx: stock.receive(tx, [OnHand(one, SELLER, 10) for one in self.variants]))

    def write(self, verb: Callable[[Tx], Awaitable[object]]) -> None:
        async def run() -> None:
            with suppress(Refusal):
                async with self.db.write() as tx:
                    await verb(tx)

        self.loop.run_until_complete(run())

    @rule(orders=st.lists(st.lists(st.tuples(pick, units), min_size=1, max_size=3), min_size=1, max_size=4))
    def hold(self, orders: list[list[tuple[int, int]]]) -> None:
        pools = [*self.variants, *self.deals]
        requests: list[HoldRequest] = []
        for lines in orders:
            self.orders.append(ids.new())
            requests += [
                HoldRequest(self.orders[-1], number, pools[one % len(pools)], SELLER, quantity)
                for number, (one, quantity) in enumerate(lines, 1)
            ]
        self.write(lambda tx: stock.hold(tx, requests))

    @rule(which=st.lists(pick, max_size=4), expired=st.booleans())
    def release(self, which: list[int], expired: bool) -> None:
        self.write(lambda tx: stock.release(tx, self.some(which), expired=expired))

    @rule(which=st.lists(pick, max_size=4))
    def take(self, which: list[int]) -> None:
        self.write(lambda tx: stock.take(tx, self.some(which)))

    @rule(which=st.lists(pick, max_size=4))
    def put_back(self, which: list[int]) -> None:
        self.write(lambda tx: stock.put_back(tx, self.some(which)))

    @rule(which=pick, quantity=units, opened=units)
    def carve(self, which: int, quantity: int, opened: int) -> None:
        self.deals.append(ids.new())
        variant = self.variants[which % 2]
        carve = Carve(self.deals[-1], variant, quantity, min(quantity, opened))
        self.write(lambda tx: stock.carve(tx, [carve]))

    @rule(which=pick, quantity=units)
    def open_more(self, which: int, quantity: int) -> None:
        if self.deals:
            more = OpenMore(self.deals[which % len(self.deals)], quantity)
            self.write(lambda tx: stock.open_more(tx, [more]))

    @rule(which=st.lists(pick, max_size=3))
    def uncarve(self, which: list[int]) -> None:
        if self.deals:
            self.write(lambda tx: stock.uncarve(tx, {self.deals[one % len(self.deals)] for one in which}))

    @rule(which=pick, on_hand=st.integers(min_value=0, max_value=30), clamp=st.booleans())
    def count(self, which: int, on_hand: int, clamp: bool) -> None:
        row = OnHand(self.variants[which % 2], SELLER, on_hand)
        self.write(lambda tx: stock.receive(tx, [row], at_least_promised=clamp))

    def some(self, which: list[int]) -> list[UUID]:
        return list({self.orders[one % len(self.orders)] for one in which})

    @invariant()
    def everything_adds_up(self) -> None:
        self.loop.run_until_complete(self.check())

    async def check(self) -> None:
        async with self.db.read() as read:
            assert await stock.drift(read) == 0
            for pool in (await stock.pools(read, [*self.variants, *self.deals])).values():
                assert 0 <= pool.held + pool.sold <= pool.open <= pool.on_hand
            shelves = await read.fetch(
                "select variant_id, sum(on_hand) as units from stock_level where variant_id = any($1) group by 1",
                self.variants,
            )
            stands = await stock.stands(read, self.variants)
            assert {row["variant_id"]: row["units"] for row in shelves} == {
                variant: stand.on_hand for variant, stand in stands.items()
            }

    def teardown(self) -> None:
        self.loop.run_until_complete(self.db.close())
        self.loop.close()


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_any_history_adds_up(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(History, "dsn", dsn)
    run_state_machine_as_test(
        History,
        settings=settings(
            max_examples=25,
            stateful_step_count=20,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
