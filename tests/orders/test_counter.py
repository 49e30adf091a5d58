"""The counter: natural batches, every claim answered once, whatever happens to the connection or to a neighbour."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import asyncpg
import pytest

from helpers.patience import PATIENCE_SECONDS, until
from helpers.shop import Shop, draft
from helpers.straight import only_under_locks
from livestall import stock
from livestall.base import config, ids
from livestall.base.db import Database, Tx
from livestall.base.errors import Refusal, SameIdOtherContents, Unavailable
from livestall.orders import Counter, Draft, Placed, Settings
from livestall.orders.actions import place
from livestall.orders.desk import Prepared
from livestall.orders.model.refusals import LineFull, SellerSuspended

__all__ = ["only_under_locks"]


async def everyone(counter: Counter, drafts: Sequence[Draft]) -> list[Placed | BaseException]:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await asyncio.gather(*(counter.place(one) for one in drafts), return_exceptions=True)


async def test_who_waits_together_is_decided_together_in_the_order_of_arrival(shop: Shop) -> None:
    tea = await shop.product(30)
    sizes: list[int] = []

    async def counted(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        sizes.append(len(drafts))
        return await place(tx, drafts, ready)

    counter = Counter(shop.db, batch_max=50, verb=counted)
    answers = await everyone(counter, [draft(tea.line()) for _ in range(120)])
    await counter.close()
    assert sizes == [50, 50, 20]
    assert [type(one) for one in answers] == [Placed] * 30 + [stock.SoldOut] * 90
    assert await shop.pool(tea.variant) == (30, 30, 30, 0)


async def test_a_double_click_gets_the_first_clicks_answer_and_other_contents_their_own(shop: Shop) -> None:
    tea = await shop.product(5)
    wish = draft(tea.line())
    other = draft(tea.line(2), buyer=wish.buyer_id, order_id=wish.order_id)
    counter = Counter(shop.db)
    first, again, changed = await everyone(counter, [wish, wish, other])
    await counter.close()
    assert isinstance(first, Placed)
    assert isinstance(again, Placed)
    assert (first.new, again.new, first.order.id) == (True, False, again.order.id)
    assert isinstance(changed, SameIdOtherContents)
    assert await shop.pool(tea.variant) == (5, 5, 1, 0)


async def test_a_connection_lost_after_the_commit_answers_with_the_order_that_was_made(shop: Shop) -> None:
    tea = await shop.product(5)
    calls = 0

    async def lost_once(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        nonlocal calls
        calls += 1
        if calls > 1:
            return await place(tx, drafts, ready)
        await shop.place(*drafts)  # committed, and then nobody hears of it
        raise asyncpg.ConnectionDoesNotExistError

    counter = Counter(shop.db, verb=lost_once)
    answers = await everyone(counter, [draft(tea.line()) for _ in range(3)])
    await counter.close()
    assert [one.new for one in answers if isinstance(one, Placed)] == [False] * 3
    assert await shop.pool(tea.variant) == (5, 5, 3, 0)


async def test_backends_killed_again_and_again_lose_no_claim_and_sell_nothing_twice(shop: Shop) -> None:
    tea = await shop.product(150)
    counter = Counter(shop.db, lanes=2, batch_max=10)

    async def killer() -> int:
        killed, own = 0, await shop.db.connect()
        for _ in range(8):
            killed += await own.fetchval(
                """select count(pg_terminate_backend(pid)) from pg_stat_activity
                    where datname = current_database() and pid <> pg_backend_pid()"""
            )
            await asyncio.sleep(0.1)
        await own.close()
        return killed

    hunt = asyncio.create_task(killer())
    answers = await everyone(counter, [draft(tea.line()) for _ in range(200)])
    assert await hunt > 0
    await counter.close()
    assert sum(isinstance(one, Placed) for one in answers) == 150
    assert sum(isinstance(one, stock.SoldOut) for one in answers) == 50
    await until(lambda: answers_again(shop), what="a connection that was not ended")
    assert await shop.pool(tea.variant) == (150, 150, 150, 0)


async def answers_again(shop: Shop) -> bool:
    with suppress(Unavailable):
        async with shop.db.read() as read:
            return await read.fetchval("select true")
    return False


async def test_a_claim_that_breaks_the_batch_breaks_only_itself(shop: Shop) -> None:
    tea = await shop.product(5)
    bad = draft(tea.line())

    async def fragile(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        if bad in drafts:
            await tx.execute("select 1 / 0")
        return await place(tx, drafts, ready)

    counter = Counter(shop.db, verb=fragile)
    answers = await everyone(counter, [draft(tea.line()), bad, draft(tea.line())])
    await counter.close()
    assert [type(one) for one in answers] == [Placed, asyncpg.DivisionByZeroError, Placed]


async def test_while_the_database_is_away_everyone_is_told_so() -> None:
    db = Database("postgresql://nobody@/nowhere?host=/nonexistent")
    with config.override(Settings(answer_seconds_max=1)):
        counter = Counter(db)
        answers = await everyone(counter, [draft(_line()) for _ in range(3)])
        await counter.close()
    assert [type(one) for one in answers] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        await counter.place(draft(_line()))


def _line():
    from livestall.orders import NewOrderLine

    return NewOrderLine(ids.new(), 1)


async def test_a_buyer_who_hangs_up_spoils_nothing(shop: Shop) -> None:
    tea = await shop.product(2)
    counter = Counter(shop.db)
    gone = asyncio.create_task(counter.place(draft(tea.line())))
    await asyncio.sleep(0)
    gone.cancel()
    assert isinstance(await counter.place(draft(tea.line())), Placed)
    await counter.close()
    assert (await shop.pool(tea.variant))[2] in {1, 2}


@pytest.mark.usefixtures("only_under_locks")
async def test_everyone_in_line_knows_how_many_are_before_them(shop: Shop) -> None:
    tea = await shop.product(30)
    seen: list[list[int]] = []

    async def looked_at(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        seen.append([entry.ahead for entry in entries])
        return await place(tx, drafts, ready)

    counter = Counter(shop.db, batch_max=2, verb=looked_at)
    late = draft(tea.line())
    assert counter.ahead(late) == 0
    entries = [counter.enter(draft(tea.line())) for _ in range(6)]
    assert counter.ahead(late) == 6
    assert [entry.ahead for entry in entries] == [0, 1, 2, 3, 4, 5]
    assert all(await asyncio.gather(*(entry.answer for entry in entries)))
    assert seen[0] == [0, 0, 2, 3, 4, 5]
    assert [places[2:4] for places in seen[1:]] == [[0, 0], [0, 0]]
    assert seen[-1] == [0] * 6
    assert all(
        later <= earlier for before, after in pairwise(seen) for earlier, later in zip(before, after, strict=True)
    )
    assert counter.ahead(late) == 0
    await counter.close()


async def test_a_full_line_sends_the_next_one_away_and_says_when_to_come_back(shop: Shop) -> None:
    tea = await shop.product(30)
    with config.override(Settings(waiting_max=3)):
        counter = Counter(shop.db)
        entries = [counter.enter(draft(tea.line())) for _ in range(3)]
        with pytest.raises(LineFull) as full:
            await counter.place(draft(tea.line()))
        assert 1 <= full.value.retry_after_seconds <= 60
        assert all(await asyncio.gather(*(entry.answer for entry in entries)))
        assert isinstance(await counter.place(draft(tea.line())), Placed)
        await counter.close()
    assert await shop.pool(tea.variant) == (30, 30, 4, 0)


async def test_who_finds_nothing_left_is_told_without_a_lock_and_a_unit_that_came_back_is_sold(shop: Shop) -> None:
    tea = await shop.product(1)
    batches: list[int] = []

    async def counted(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        batches.append(len(drafts))
        return await place(tx, drafts, ready)

    counter = Counter(shop.db, verb=counted)
    winner = draft(tea.line())
    won, _ = await everyone(counter, [winner, draft(tea.line())])
    assert isinstance(won, Placed)
    refused = await everyone(counter, [draft(tea.line()) for _ in range(40)])
    assert [type(one) for one in refused] == [stock.SoldOut] * 40
    assert batches == [2], "not one of the forty came to the locks"
    again, stolen = await everyone(counter, [winner, draft(tea.line(), order_id=winner.order_id)])
    assert isinstance(again, Placed)
    assert (again.new, again.order.id) == (False, winner.order_id), "who had won hears of the order, not of the stock"
    assert isinstance(stolen, SameIdOtherContents)
    await shop.db.run(lambda tx: stock.release(tx, [winner.order_id]))
    late = await everyone(counter, [draft(tea.line()) for _ in range(3)])
    await counter.close()
    assert [type(one) for one in late] == [Placed, stock.SoldOut, stock.SoldOut], "what came back is sold at once"
    assert await shop.pool(tea.variant) == (1, 1, 1, 0)


async def test_a_price_that_changed_between_two_batches_is_the_price_of_the_second(shop: Shop) -> None:
    tea = await shop.product(10)
    counter = Counter(shop.db)
    amounts: list[int] = []
    for amount in (1000, 1200, 900):
        async with shop.db.write() as tx:
            await tx.execute("update variant set price = $2 where id = $1", tea.variant, amount)
        (placed,) = await everyone(counter, [draft(tea.line())])
        assert isinstance(placed, Placed)
        amounts.append(placed.order.total.amount)
    await shop.db.run(lambda tx: tx.execute("update seller set state = 'suspended' where id = $1", shop.seller))
    (refused,) = await everyone(counter, [draft(tea.line())])
    await counter.close()
    assert amounts == [1000, 1200, 900]
    assert isinstance(refused, SellerSuspended)


async def test_a_limit_set_between_two_batches_holds_for_the_second(shop: Shop) -> None:
    tea = await shop.product(10)
    counter, buyer = Counter(shop.db), ids.new()
    await everyone(counter, [draft(tea.line(), buyer=buyer)])
    await shop.db.run(lambda tx: tx.execute("update listing set per_buyer = 1 where id = $1", tea.listing))
    answers = await everyone(counter, [draft(tea.line(), buyer=buyer) for _ in range(2)])
    await counter.close()
    assert [type(one) for one in answers] == [Placed, stock.LimitReached], "from now on, one counts"
