"""Stock: counting, holding, giving back, carving; the numbers of a pool always add up."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import msgspec
import pytest

from livestall import stock
from livestall.base import ids
from livestall.base.db import Database, Tx
from livestall.base.errors import Invalid
from livestall.stock import Carve, HoldRequest, OnHand, OpenMore

SELLER = ids.new()


async def stocked(db: Database, units: int, *, seller: UUID = SELLER) -> UUID:
    variant = ids.new()
    async with db.write() as tx:
        await stock.receive(tx, [OnHand(variant, seller, units)])
    return variant


def wants(pool: UUID, quantity: int = 1, **more: object) -> HoldRequest:
    fields = {"order_id": ids.new(), "line_no": 1, "pool_id": pool, "holder_id": ids.new(), "quantity": quantity}
    return HoldRequest(**{**fields, **more})  # type: ignore[arg-type]


async def numbers(db: Database, pool: UUID) -> tuple[int, int, int, int]:
    async with db.read() as read:
        assert await stock.drift(read) == 0
        found = (await stock.pools(read, [pool]))[pool]
    return found.on_hand, found.open, found.held, found.sold


async def test_first_come_first_served_and_a_refused_claim_spoils_no_neighbour(db: Database) -> None:
    variant = await stocked(db, 5)
    batch = [wants(variant, 2), wants(variant, 7), wants(variant, 2), wants(ids.new()), wants(variant, 1)]
    async with db.write() as tx:
        answers = await stock.hold(tx, batch)
    assert answers[0] is True
    assert isinstance(answers[1], stock.SoldOut)
    assert answers[1].details == {"left": 3, "quantity": 7}
    assert answers[2] is True
    assert isinstance(answers[3], stock.NotStocked)
    assert answers[4] is True
    assert await numbers(db, variant) == (5, 5, 5, 0)


async def test_an_order_of_two_lines_is_held_whole_or_not_at_all(db: Database) -> None:
    plenty, scarce = await stocked(db, 10), await stocked(db, 1)
    order, other = ids.new(), ids.new()
    async with db.write() as tx:
        answers = await stock.hold(
            tx,
            [
                wants(plenty, 3, order_id=order),
                wants(scarce, 2, order_id=order, line_no=2),
                wants(plenty, 1, order_id=other),
                wants(scarce, 1, order_id=other, line_no=2),
            ],
        )
    assert [isinstance(one, stock.SoldOut) for one in answers] == [True, True, False, False]
    assert await numbers(db, plenty) == (10, 10, 1, 0)
    assert await numbers(db, scarce) == (1, 1, 1, 0)


async def test_paid_units_are_sold_and_unpaid_ones_come_back(db: Database) -> None:
    variant = await stocked(db, 3)
    paid, unpaid, refunded = wants(variant), wants(variant), wants(variant)
    async with db.write() as tx:
        await stock.hold(tx, [paid, unpaid, refunded])
        assert await stock.take(tx, [paid.order_id, refunded.order_id]) == {paid.order_id, refunded.order_id}
        assert await stock.release(tx, [paid.order_id, unpaid.order_id], expired=True) == {unpaid.order_id}
        assert await stock.take(tx, [unpaid.order_id]) == set()
        assert await stock.put_back(tx, [refunded.order_id]) == {refunded.order_id}
        assert await stock.put_back(tx, [refunded.order_id]) == set()
    assert await numbers(db, variant) == (3, 3, 0, 1)


async def test_a_quota_is_carved_opened_in_steps_and_what_is_left_returns(db: Database) -> None:
    variant, deal = await stocked(db, 50), ids.new()
    async with db.write() as tx:
        await stock.carve(tx, [Carve(deal, variant, quantity=20, open=5)])
    assert await numbers(db, variant) == (30, 30, 0, 0)
    assert await numbers(db, deal) == (20, 5, 0, 0)
    sold, waiting, late = wants(deal, 3), wants(deal, 4), wants(deal, 2)
    async with db.write() as tx:
        assert isinstance((await stock.hold(tx, [sold, waiting]))[1], stock.SoldOut)
        await stock.open_more(tx, [OpenMore(deal, 10)])
        assert await stock.hold(tx, [waiting, late]) == [True, True]
        await stock.take(tx, [sold.order_id])
        await stock.uncarve(tx, [deal])
        await stock.uncarve(tx, [deal])
    assert await numbers(db, deal) == (9, 9, 6, 3)
    assert await numbers(db, variant) == (41, 41, 0, 0)
    async with db.write() as tx:
        assert isinstance((await stock.hold(tx, [wants(deal)]))[0], stock.SoldOut)
        await stock.release(tx, [waiting.order_id], expired=True)
        await stock.take(tx, [late.order_id])
        await stock.put_back(tx, [sold.order_id])
    assert await numbers(db, deal) == (2, 2, 0, 2)
    assert await numbers(db, variant) == (48, 48, 0, 0)
    with pytest.raises(stock.PoolClosed):
        async with db.write() as tx:
            await stock.open_more(tx, [OpenMore(deal, 1)])


async def test_more_cannot_be_carved_or_opened_than_there_is(db: Database) -> None:
    variant, deal = await stocked(db, 10), ids.new()
    with pytest.raises(stock.NotEnoughStock):
        async with db.write() as tx:
            await stock.carve(tx, [Carve(deal, variant, 6, 6), Carve(ids.new(), variant, 5, 5)])
    async with db.write() as tx:
        await stock.carve(tx, [Carve(deal, variant, 6, 2)])
    for quantity in (5, 0, -3, 10**12):
        with pytest.raises(stock.NotEnoughStock):
            async with db.write() as tx:
                await stock.open_more(tx, [OpenMore(deal, quantity)])
    with pytest.raises(stock.NotStocked):
        async with db.write() as tx:
            await stock.carve(tx, [Carve(ids.new(), ids.new(), 1, 1)])


async def test_a_count_cannot_fall_below_what_was_promised(db: Database) -> None:
    variant, deal = await stocked(db, 10), ids.new()
    async with db.write() as tx:
        await stock.carve(tx, [Carve(deal, variant, 4, 4)])
        await stock.hold(tx, [wants(variant, 3)])
    with pytest.raises(stock.BelowPromised) as refusal:
        await _count(db, variant, 6)
    assert refusal.value.details == {"promised": 7, "on_hand": 6}
    await _count(db, variant, 7)
    assert await numbers(db, variant) == (3, 3, 3, 0)
    async with db.write() as tx:
        await stock.receive(tx, [OnHand(variant, SELLER, 0)], at_least_promised=True)
    assert await numbers(db, variant) == (3, 3, 3, 0)


async def _count(db: Database, variant: UUID, units: int, seller: UUID = SELLER) -> None:
    async with db.write() as tx:
        await stock.receive(tx, [OnHand(variant, seller, units)])


async def test_stock_in_two_warehouses_adds_up_and_is_only_the_sellers_own(db: Database) -> None:
    variant, second = await stocked(db, 4), ids.new()
    async with db.write() as tx:
        await tx.execute("insert into warehouse (id, seller_id, name) values ($1, $2, 'Harbour')", second, SELLER)
        await stock.receive(tx, [OnHand(variant, SELLER, 6, second)])
    assert await numbers(db, variant) == (10, 10, 0, 0)
    with pytest.raises(stock.NotStocked):
        await _count(db, variant, 1, seller=ids.new())


@pytest.mark.parametrize("quantity", [0, -1, 1000, 2**31, 2**70])
async def test_impossible_quantities_are_refused(db: Database, quantity: int) -> None:
    variant = await stocked(db, 5)
    with pytest.raises(Invalid):
        async with db.write() as tx:
            await stock.hold(tx, [wants(variant, quantity)])
    if quantity <= 0 or quantity > 10**9:
        with pytest.raises(Invalid):
            await _count(db, variant, -1 if quantity <= 0 else quantity)


async def test_the_database_refuses_what_the_code_must_not_do(db: Database) -> None:
    variant = await stocked(db, 1)

    async def broken(tx: Tx, sql: str) -> None:
        await tx.execute(sql, variant)

    for sql, error in (
        ("update stock_pool set held = 2 where pool_id = $1", asyncpg.CheckViolationError),
        ("update stock_pool set sold = -1 where pool_id = $1", asyncpg.CheckViolationError),
        ("update stock_pool set open = on_hand + 1 where pool_id = $1", asyncpg.CheckViolationError),
        ("update stock_movement set on_hand = 9 where pool_id = $1", asyncpg.RaiseError),
        ("delete from stock_movement where pool_id = $1", asyncpg.RaiseError),
    ):
        with pytest.raises(error):
            async with db.write() as tx:
                await broken(tx, sql)


async def test_each_pool_tells_its_totals_once_a_batch(db: Database) -> None:
    variant = await stocked(db, 9)
    async with db.write() as tx:
        await stock.hold(tx, [wants(variant, 2), wants(variant, 3)])
    async with db.read() as read:
        rows = await read.fetch("select payload from outbox where topic = 'stock.changed' order by id")
    assert [(row["payload"]["held"], row["payload"]["available"]) for row in rows] == [(0, 9), (5, 4)]


async def test_a_batch_over_many_pools_is_one_event_that_names_them_all(db: Database) -> None:
    variants = [await stocked(db, 9) for _ in range(3)]
    deal = ids.new()
    async with db.write() as tx:
        await stock.carve(tx, [Carve(deal, variants[0], 4, 4)])
    async with db.write() as tx:
        await stock.hold(tx, [wants(pool, quantity) for quantity, pool in enumerate([*variants, deal], 1)])
    async with db.read() as read:
        rows = await read.fetch("select payload from outbox where topic = 'stock.changed' order by id desc limit 2")
    event = msgspec.convert(rows[0]["payload"], stock.StockChanged)
    told = {one.pool_id: (one.available, one.is_carved) for one in event.pools}
    assert told == {variants[0]: (4, False), variants[1]: (7, False), variants[2]: (6, False), deal: (0, True)}
    assert len(msgspec.convert(rows[1]["payload"], stock.StockChanged).pools) == 2, "the carving is another event"


def test_an_event_of_an_older_process_names_its_one_pool() -> None:
    numbers = {"on_hand": 9, "open": 9, "held": 2, "sold": 0, "available": 7}
    deal, variant = ids.new(), ids.new()
    event = msgspec.convert(
        {"subject": str(variant), "pool_id": str(deal), "variant_id": str(variant), **numbers}, stock.StockChanged
    )
    assert [(one.pool_id, one.available, one.is_carved) for one in event.pools] == [(deal, 7, True)]
