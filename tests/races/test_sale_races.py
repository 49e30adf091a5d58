"""Races of a sale. Each has a twin in which one guard is taken away and the harm that it prevents does happen."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from helpers.patience import PATIENCE_SECONDS
from helpers.shop import Article, Shop, draft
from livestall import deals, stock
from livestall.base import clock, ids
from livestall.base.db import Read, Tx
from livestall.base.together import Ask
from livestall.orders import Counter, Draft, Placed, desk, jobs
from livestall.orders import store as orders_store
from livestall.stock import store as stock_store


def won(answers: Sequence[Any]) -> int:
    return sum(isinstance(one, Placed) for one in answers)


async def at_once(shop: Shop, drafts: Sequence[Draft]) -> int:
    """Each in a transaction of its own, all at the same time; how many were placed."""
    answers = await asyncio.gather(*(shop.place(one) for one in drafts), return_exceptions=True)
    return won([one[0] for one in answers if isinstance(one, list)])


async def without(shop: Shop, *constraints: tuple[str, str]) -> None:
    async with shop.db.write() as tx:
        for table, name in constraints:
            await tx.execute(f'alter table {table} drop constraint "{name}" cascade')


NEVER_OVERSOLD = ("stock_pool", "stock_pool_never_oversold")


def meet_before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, parties: int = 2) -> None:
    """Everyone waits for the others just before `module.name`: the worst moment, made certain."""
    barrier = asyncio.Barrier(parties)
    original: Callable[..., Awaitable[Any]] = getattr(module, name)

    async def after_meeting(*args: Any, **kwargs: Any) -> Any:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await barrier.wait()
        return await original(*args, **kwargs)

    monkeypatch.setattr(module, name, after_meeting)


async def flash_or_not(shop: Shop, flash: bool, units: int, per_buyer: int = 1) -> tuple[Article, deals.Deal | None]:
    tea = await shop.product(units if not flash else units + 20)
    return tea, await shop.flash(tea, quota=units, per_buyer=per_buyer) if flash else None


@pytest.mark.parametrize("flash", [False, True], ids=["stock", "quota of a deal"])
async def test_the_last_unit_is_sold_once(shop: Shop, flash: bool) -> None:
    tea, deal = await flash_or_not(shop, flash, 1)
    with clock.travel(11):
        assert await at_once(shop, [draft(tea.line(deal=deal)) for _ in range(40)]) == 1
    assert (await shop.pool(deal.id if deal else tea.variant))[2] == 1


@pytest.mark.parametrize("flash", [False, True], ids=["stock", "quota of a deal"])
async def test_twin_without_lock_and_check_the_last_unit_is_sold_twice(
    shop: Shop, flash: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea, deal = await flash_or_not(shop, flash, 1)
    await without(shop, NEVER_OVERSOLD)
    monkeypatch.setattr(stock_store, "LOCK", "")
    meet_before(monkeypatch, stock_store, "add_holds")
    with clock.travel(11):
        assert await at_once(shop, [draft(tea.line(deal=deal)) for _ in range(2)]) == 2


async def test_without_the_lock_the_check_still_sells_the_last_unit_once(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea = await shop.product(1)
    monkeypatch.setattr(stock_store, "LOCK", "")
    meet_before(monkeypatch, stock_store, "add_holds")
    assert await at_once(shop, [draft(tea.line()) for _ in range(2)]) == 1


async def test_one_person_at_many_doors_stays_within_the_limit(shop: Shop) -> None:
    tea, deal = await flash_or_not(shop, True, 20, per_buyer=2)
    buyer = ids.new()
    with clock.travel(11):
        assert await at_once(shop, [draft(tea.line(deal=deal), buyer=buyer) for _ in range(20)]) == 2


async def test_one_person_stays_within_a_listings_limit_over_its_variants(shop: Shop) -> None:
    """The units lie in two pools, so the pools' locks alone would not do: the listing is locked too."""
    tea, buyer = await shop.product(20, per_buyer=1), ids.new()
    other = await second_variant(shop, tea)
    assert await at_once(shop, [draft(one.line(), buyer=buyer) for one in [tea, other] * 8]) == 1


async def test_twin_without_the_listings_lock_the_limit_is_passed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tea, buyer = await shop.product(20, per_buyer=1), ids.new()
    other = await second_variant(shop, tea)

    async def nothing(_tx: Tx, _keys: object) -> None: ...

    monkeypatch.setattr(stock_store, "lock_keys", nothing)
    meet_before(monkeypatch, stock_store, "add_holds")
    assert await at_once(shop, [draft(one.line(), buyer=buyer) for one in (tea, other)]) == 2


async def second_variant(shop: Shop, tea: Article) -> Article:
    """Another variant of the same product, in the same listing."""
    other = await shop.product(20)
    async with shop.db.write() as tx:
        await tx.execute("update variant set product_id = $2 where id = $1", other.variant, tea.product)
    return Article(tea.product, other.variant, tea.listing)


async def test_twin_without_the_lock_the_limit_is_passed(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tea, deal = await flash_or_not(shop, True, 20, per_buyer=1)
    buyer = ids.new()
    monkeypatch.setattr(stock_store, "LOCK", "")
    meet_before(monkeypatch, stock_store, "add_holds")
    with clock.travel(11):
        assert await at_once(shop, [draft(tea.line(deal=deal), buyer=buyer) for _ in range(2)]) == 2


async def expiry_against_payment(shop: Shop, orders: int) -> tuple[set[UUID], set[UUID], Article]:
    """Orders expire and are paid at the same moment; which were told to be paid, and which to be cancelled?"""
    tea = await shop.product(orders)
    placed = await shop.place(*(draft(tea.line()) for _ in range(orders)))
    with clock.travel(2000):
        await asyncio.gather(
            jobs.expire(shop.db),
            *(shop.pay(one) for one in placed if isinstance(one, Placed)),
        )
    async with shop.db.read() as read:
        rows = await read.fetch("select topic, subject from outbox where topic in ('order.paid', 'order.cancelled')")
    paid, cancelled = (
        {row["subject"] for row in rows if row["topic"] == topic} for topic in ("order.paid", "order.cancelled")
    )
    return paid, cancelled, tea


async def test_money_and_expiry_at_once_have_one_winner(shop: Shop) -> None:
    paid, cancelled, tea = await expiry_against_payment(shop, 8)
    assert len(paid | cancelled) == 8
    async with shop.db.read() as read:
        revived = await read.fetchval("select count(*) from order_move where reason = 'late-money'")
        states = await read.fetch("select state from orders")
    # An order in both was cancelled first and bought again by its late money, and says so in its history.
    assert len(paid & cancelled) == revived
    assert sum(row["state"] == "paid" for row in states) == len(paid)
    assert await shop.pool(tea.variant) == (8, 8, 0, len(paid))


async def test_twin_without_the_orders_lock_a_paid_order_is_called_cancelled(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The money comes just after the expiry has looked: with the lock it would wait, and find the order cancelled."""
    tea = await shop.product(1)
    (placed,) = await shop.place(draft(tea.line()))
    assert isinstance(placed, Placed)
    monkeypatch.setattr(orders_store, "LOCK", "")
    look = orders_store.lock_due

    async def look_and_dawdle(tx: Tx, now: datetime, limit: int) -> Any:
        found = await look(tx, now, limit)
        assert await shop.pay(placed) == {placed.order.id}
        return found

    monkeypatch.setattr(orders_store, "lock_due", look_and_dawdle)
    with clock.travel(2000):
        await jobs.expire(shop.db)
    async with shop.db.read() as read:
        told = await read.fetch("select topic from outbox where topic in ('order.paid', 'order.cancelled') order by id")
        state = await read.fetchval("select state from orders")
    assert (state, [row["topic"] for row in told]) == ("paid", ["order.paid", "order.cancelled"])


async def two_counters(shop: Shop, drafts: Sequence[Draft]) -> list[Any]:
    """Two processes, each with its own counter, and the same pool."""
    counters = [Counter(shop.db, lanes=2, batch_max=7), Counter(shop.db, batch_max=7)]
    async with asyncio.timeout(PATIENCE_SECONDS):
        answers = await asyncio.gather(
            *(counters[number % 2].place(one) for number, one in enumerate(drafts)), return_exceptions=True
        )
    for one in counters:
        await one.close()
    return list(answers)


async def test_two_counters_on_one_pool_sell_what_there_is(shop: Shop) -> None:
    tea = await shop.product(25)
    answers = await two_counters(shop, [draft(tea.line()) for _ in range(120)])
    assert won(answers) == 25
    assert all(isinstance(one, Placed | stock.SoldOut) for one in answers)
    assert await shop.pool(tea.variant) == (25, 25, 25, 0)


async def test_twin_two_counters_without_the_lock_oversell(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    tea = await shop.product(1)
    await without(shop, NEVER_OVERSOLD)
    monkeypatch.setattr(stock_store, "LOCK", "")
    meet_before(monkeypatch, stock_store, "add_holds")
    assert won(await two_counters(shop, [draft(tea.line()) for _ in range(2)])) == 2


async def test_a_double_click_at_two_counters_is_one_order(shop: Shop) -> None:
    tea = await shop.product(100)
    wishes = [draft(tea.line()) for _ in range(20)]
    answers = await two_counters(shop, [one for one in wishes for _ in range(2)])
    assert won(answers) == 40
    assert sum(one.new for one in answers) == 20
    assert await shop.pool(tea.variant) == (100, 100, 20, 0)


async def test_twin_blind_to_ids_a_double_click_is_two_orders(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def blind(_read: object, _ids: object) -> dict[UUID, bytes]:
        return {}

    tea = await shop.product(100)
    monkeypatch.setattr(orders_store, "fingerprints", blind)
    await without(shop, ("orders", "orders_pkey"), ("order_line", "order_line_pkey"), ("stock_hold", "stock_hold_pkey"))
    wish = draft(tea.line())
    assert won(await two_counters(shop, [wish, wish])) == 2
    assert (await shop.pool(tea.variant))[2] == 2


@pytest.mark.parametrize("guarded", [True, False], ids=["one moment", "twin: ids, then pools"])
async def test_who_won_a_moment_ago_elsewhere_is_not_told_that_nothing_is_left(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A claim that is looked at without locks, while another process places the same order and takes the last unit."""
    tea = await shop.product(1)
    counter, wish = Counter(shop.db), draft(tea.line())
    with pytest.raises(stock.SoldOut):
        await counter.place(draft(tea.line(2)))  # from now on claims are looked at before the locks
    original = desk.at_once

    async def look(read: Read, pools: Ask, ids: Ask) -> list[Any]:
        if guarded:
            found = await original(read, pools, ids)
            assert won(await shop.place(wish)) == 1
            return found
        (known,) = await original(read, ids)
        assert won(await shop.place(wish)) == 1
        return [*await original(read, pools), known]

    monkeypatch.setattr(desk, "at_once", look)
    answers = await asyncio.gather(counter.place(wish), return_exceptions=True)
    await counter.close()
    assert won(answers) == guarded, "the buyer has the order, and is told so"
    assert await shop.pool(tea.variant) == (1, 1, 1, 0)
