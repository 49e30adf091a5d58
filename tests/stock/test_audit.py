"""The check that nothing is oversold, and the repair of what drifted."""

from __future__ import annotations

import asyncio

from helpers.shop import Shop, draft
from livestall import stock
from livestall.base import ids
from livestall.base.db import Tx
from livestall.stock import jobs

HELD_BY_HAND = """insert into stock_hold (order_id, line_no, seller_id, pool_id, variant_id, holder_id, quantity)
    values ($1, 1, $2, $3, $3, $1, 6)"""


async def drifting(shop: Shop) -> list[stock.Audit]:
    async with shop.db.read() as read:
        return (await stock.audited(read))[2]


async def disturb(shop: Shop, sql: str, *values: object) -> None:
    async with shop.db.write() as tx:
        assert await tx.execute(sql, *values) == 1


async def repair(shop: Shop) -> list[stock.Repair]:
    return await shop.db.run(stock.repair)


async def test_a_market_that_sells_does_not_drift(shop: Shop) -> None:
    tea = await shop.product(20)
    deal = await shop.flash(tea, quota=5)
    placed = await shop.place(*(draft(tea.line(), buyer=shop.host) for _ in range(3)))
    await shop.pay(placed[0])  # pyright: ignore[reportArgumentType]
    async with shop.db.read() as read:
        pools, _, wrong = await stock.audited(read)
        _, (general, carved) = await stock.audits(read, [tea.variant, deal.id])
    assert (pools, wrong) == (2, [])
    assert (general.on_hand, general.held, general.sold, general.open_holds, general.posted_holds) == (15, 2, 1, 2, 1)
    assert (general.drift_units, carved.drift_units, carved.on_hand, carved.open_orders) == (0, 0, 5, 0)
    assert general.moved.count >= 3


async def test_numbers_that_were_changed_by_hand_are_found_and_set_right(shop: Shop) -> None:
    tea = await shop.product(20)
    await shop.place(draft(tea.line(2)), draft(tea.line(1)))
    await disturb(shop, "update stock_pool set held = held + 4, on_hand = on_hand + 1 where pool_id = $1", tea.variant)
    (wrong,) = await drifting(shop)
    assert (wrong.held, wrong.open_holds, wrong.open_orders, wrong.drift_units) == (7, 3, 2, 5)
    (done,) = await repair(shop)
    assert (done.refused, done.before, done.after) == ("", (21, 20, 7, 0), (20, 20, 3, 0))
    assert await shop.pool(tea.variant) == (20, 20, 3, 0)
    async with shop.db.read() as read:
        history = await read.fetch("select reason, on_hand, held from stock_movement order by id")
    assert [tuple(row) for row in history[-2:]] == [("found", 1, 4), ("correction", -1, -4)], "history is added to"
    assert await repair(shop) == [], "a second repair finds nothing"


async def test_movements_that_are_missing_are_added(shop: Shop) -> None:
    """A hold that was put in by hand is a promise to a buyer: it counts, and the numbers follow it."""
    tea = await shop.product(20)
    await disturb(shop, HELD_BY_HAND, ids.new(), shop.seller, tea.variant)
    (done,) = await repair(shop)
    assert (done.before[2], done.after[2]) == (0, 6)
    assert await shop.pool(tea.variant) == (20, 20, 6, 0)


async def test_a_repair_that_would_oversell_is_refused_and_says_what_to_do(shop: Shop) -> None:
    tea = await shop.product(5)
    await disturb(shop, HELD_BY_HAND, ids.new(), shop.seller, tea.variant)
    (refused,) = await repair(shop)
    assert "6 held" in refused.refused
    assert refused.before == refused.after
    assert len(await drifting(shop)) == 1, "nothing was touched"


async def test_holds_of_a_pool_that_is_gone_are_told(shop: Shop) -> None:
    lost = ids.new()
    await disturb(
        shop, """insert into stock_hold (order_id, line_no, seller_id, pool_id, variant_id, holder_id, quantity)
                 values ($1, 1, $1, $1, $1, $1, 2)""", lost,
    )  # fmt: skip
    (wrong,) = await drifting(shop)
    assert (wrong.pool_id, wrong.is_missing, wrong.drift_units) == (lost, True, 2)
    (refused,) = await repair(shop)
    assert "no such pool" in refused.refused


async def test_one_moment_for_all_numbers_while_orders_fly_and_a_repair_among_them(shop: Shop) -> None:
    tea = await shop.product(500)
    await disturb(shop, "update stock_pool set sold = sold + 3 where pool_id = $1", tea.variant)
    over = asyncio.Event()

    async def sell() -> None:
        while not over.is_set():
            await shop.place(*(draft(tea.line()) for _ in range(5)))

    async def look() -> set[int]:
        seen: set[int] = set()
        for _ in range(60):
            async with shop.db.read() as read:
                _, (found,) = await stock.audits(read, [tea.variant])
            seen.add(found.drift_units)
        return seen

    selling = [asyncio.create_task(sell()) for _ in range(3)]
    assert await look() == {3}, "exactly what was disturbed, never what is under way"
    await repair(shop)
    assert await look() == {0}
    over.set()
    await asyncio.gather(*selling)
    assert await drifting(shop) == []


async def test_the_rounds_find_drift_and_forget_it_once_repaired(shop: Shop) -> None:
    tea = await shop.product(5)
    rounds = jobs.Rounds()
    assert await rounds.check(shop.db) == 0
    assert jobs.DRIFT._value.get() == 0  # pyright: ignore[reportPrivateUsage]
    await disturb(shop, "update stock_pool set held = held + 2 where pool_id = $1", tea.variant)
    await rounds.check(shop.db)
    assert jobs.DRIFT._value.get() == 2  # pyright: ignore[reportPrivateUsage]
    await repair(shop)
    await rounds.check(shop.db)
    assert jobs.DRIFT._value.get() == 0  # pyright: ignore[reportPrivateUsage]


async def test_repairing_is_told_to_the_room(shop: Shop) -> None:
    tea = await shop.product(5)
    await disturb(shop, "update stock_pool set held = held + 2 where pool_id = $1", tea.variant)

    async def told(tx: Tx) -> int:
        return await tx.fetchval("select count(*) from outbox where topic = 'stock.changed'")

    before = await shop.db.run(told)
    await repair(shop)
    assert await shop.db.run(told) == before + 1
