"""The short way, when something changes between working a batch out and writing it: it is decided again, under locks,
and everybody gets what is right now."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from helpers.patience import PATIENCE_SECONDS, until
from helpers.shop import Article, Shop, draft
from helpers.straight import Window, everyone, get_to_know, only_under_locks
from livestall import stock
from livestall.base import ids
from livestall.base.db import Tx
from livestall.base.errors import Refusal, SameIdOtherContents
from livestall.orders import Counter, Draft, Placed, desk, lane
from livestall.orders.actions import place
from livestall.orders.desk import Desk, Prepared
from livestall.orders.model.refusals import SellerSuspended
from livestall.orders.straight import Straight

Change = Callable[[Shop, Article, Sequence[Draft]], Awaitable[object]]

__all__ = ["only_under_locks"]
pytestmark = pytest.mark.usefixtures("only_under_locks")


def says(sql: str) -> Change:
    """`sql` with $1, the article's listing, variant, product, or its show or seller, as the table wants."""

    async def change(shop: Shop, tea: Article, _drafts: Sequence[Draft]) -> None:
        table = sql.removeprefix("delete from ").removeprefix("update ").split()[0]
        one = {
            "listing": tea.listing, "listing_price": tea.listing, "variant": tea.variant, "stock_pool": tea.variant,
            "product": tea.product, "show": shop.show, "seller": shop.seller,
        }[table]  # fmt: skip
        async with shop.db.write() as tx:
            assert await tx.execute(sql, one) == 1

    return change


async def one_is_left(shop: Shop, tea: Article, _drafts: Sequence[Draft]) -> None:
    async with shop.db.read() as read:
        left = (await stock.pools(read, [tea.variant]))[tea.variant].available
    assert all(isinstance(one, Placed) for one in await shop.place(*(draft(tea.line()) for _ in range(left - 1))))


async def first_is_placed(shop: Shop, _tea: Article, drafts: Sequence[Draft]) -> None:
    (answer,) = await shop.place(drafts[0])
    assert isinstance(answer, Placed)


async def first_id_is_taken(shop: Shop, tea: Article, drafts: Sequence[Draft]) -> None:
    (answer,) = await shop.place(draft(tea.line(2), order_id=drafts[0].order_id))
    assert isinstance(answer, Placed)


NOT_STOCKED, SOLD_OUT, SUSPENDED = stock.NotStocked.code, stock.SoldOut.code, SellerSuspended.code
CHANGES: dict[str, tuple[Change, list[int | str]]] = {
    "its price": (says("update variant set price = 1200 where id = $1"), [800, 800, 1200]),
    "its title": (says("update product set title = 'White tea' where id = $1"), [800, 800, 1000]),
    "its price in the show": (says("update listing_price set amount = 900 where listing_id = $1"), [900, 900, 1000]),
    "no price in the show": (says("delete from listing_price where listing_id = $1"), [1000, 1000, 1000]),
    "out of the tray": (says("update listing set slot = null where id = $1"), [NOT_STOCKED, NOT_STOCKED, 1000]),
    "a limit": (says("update listing set per_buyer = 1 where id = $1"), [800, stock.LimitReached.code, 1000]),
    "seller suspended": (says("update seller set state = 'suspended' where id = $1"), [SUSPENDED] * 3),
    "show over": (says("update show set state = 'ended', ended_at = now() where id = $1"), [1000, 1000, 1000]),
    "taken off": (says("update product set state = 'archived' where id = $1"), [NOT_STOCKED] * 3),
    "variant removed": (says("update variant set removed_at = now() where id = $1"), [NOT_STOCKED] * 3),
    "pool closed": (says("update stock_pool set closed = true where pool_id = $1"), [SOLD_OUT] * 3),
    "sold elsewhere": (one_is_left, [800, SOLD_OUT, SOLD_OUT]),
    "placed elsewhere": (first_is_placed, ["again", 800, 1000]),
    "id taken elsewhere": (first_id_is_taken, [SameIdOtherContents.code, 800, 1000]),
}


def said(answer: Placed | BaseException) -> int | str:
    if isinstance(answer, Placed):
        return answer.order.total.amount if answer.new else "again"
    assert isinstance(answer, Refusal), answer
    return type(answer).code


def count(total: object) -> float:
    return total.collect()[0].samples[0].value  # type: ignore[attr-defined]


@pytest.mark.parametrize("what", CHANGES)
async def test_what_changes_before_it_is_written_is_seen_and_the_batch_decided_again(shop: Shop, what: str) -> None:
    change, expected = CHANGES[what]
    tea, window, buyer = await shop.product(50, amount=1000, show_price=800), Window(), ids.new()
    counter = Counter(shop.db, verb=window.verb)
    await everyone(counter, [draft(tea.line(), show=shop.show)])
    drafts = [
        draft(tea.line(), buyer=buyer, show=shop.show), draft(tea.line(), buyer=buyer), draft(tea.line(listed=False)),
    ]  # fmt: skip
    window.meanwhile = lambda: change(shop, tea, drafts)
    straight, again = count(lane.STRAIGHT), count(lane.AGAIN_LOCKED)
    answers = await everyone(counter, drafts)
    await counter.close()
    assert window.ways == [False, True, False]
    assert [said(one) for one in answers] == expected
    assert (count(lane.STRAIGHT), count(lane.AGAIN_LOCKED)) == (straight, again + 1)
    new = [one.order for one in answers if isinstance(one, Placed) and one.new]
    title = "White tea" if what == "its title" else "Green tea"
    assert {line.title for order in new for line in order.lines} <= {title}
    async with shop.db.read() as read:
        kept = await read.fetch(
            """select id, total, unit_price, title from orders join order_line on order_id = id
                where id = any($1)""",
            [one.id for one in new],
        )
        units = await read.fetchval("select sum(quantity) from order_line")
    assert {(row["id"], row["total"], row["unit_price"], row["title"]) for row in kept} == {
        (one.id, one.total.amount, one.total.amount, title) for one in new
    }
    assert await shop.pool(tea.variant) == (50, 50, units, 0)


async def test_after_something_changed_batches_are_decided_for_a_while_and_then_go_straight_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea, window = await shop.product(200), Window()
    counter = Counter(shop.db, verb=window.verb)
    await get_to_know(counter, tea)
    window.meanwhile = lambda: says("update variant set price = 1200 where id = $1")(shop, tea, [])
    monkeypatch.setattr(desk, "CAREFUL_SECONDS", PATIENCE_SECONDS)
    for _ in range(3):
        await get_to_know(counter, tea)
    assert window.ways == [False, True, False, False, False]
    await counter.close()
    window.ways.clear()
    counter = Counter(shop.db, verb=window.verb)
    await get_to_know(counter, tea)
    window.meanwhile = lambda: says("update variant set price = 1300 where id = $1")(shop, tea, [])
    monkeypatch.setattr(desk, "CAREFUL_SECONDS", 0)
    for _ in range(3):
        await get_to_know(counter, tea)
    assert window.ways == [False, True, False, False, True], "once it was seen again under locks"
    await counter.close()


async def test_what_another_batch_learned_meanwhile_is_not_what_this_one_was_worked_out_from(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three batches: the first, of cups, takes its time under its locks. The second, of tea, stands behind it and finds
    a new price of tea. The third, of tea, was worked out before that, at the old price."""
    cup, tea = await shop.product(100), await shop.product(100, show_price=800)
    locked, may_end, looks, may_look, at_desk = (asyncio.Event() for _ in range(5))
    ways: list[bool] = []

    async def slowly(tx: Tx, drafts: Sequence[Draft], ready: Prepared | None) -> list[Placed | Refusal]:
        ways.append(isinstance(ready, Straight))
        if ways == [False, False, False]:  # the second: looks at prices when it is told to
            looks.set()
            await may_look.wait()
        answers = await place(tx, drafts, ready)
        if ways == [False, False]:  # the first: has its pools, and has not committed
            locked.set()
            await may_end.wait()
        return answers

    look = Desk.straight

    def looked(kept: Desk, drafts: Sequence[Draft]) -> Straight | None:
        straight = look(kept, drafts)
        if straight is not None:
            at_desk.set()
        return straight

    monkeypatch.setattr(Desk, "straight", looked)
    counter = Counter(shop.db, verb=slowly)
    async with asyncio.timeout(PATIENCE_SECONDS):
        await get_to_know(counter, cup, tea)
        cups, teas = draft(cup.line()), draft(tea.line())
        entries = [counter.enter(cups), counter.enter(cups)]  # a double click has to be decided
        await locked.wait()
        at_desk.clear()
        entries += [counter.enter(teas), counter.enter(teas)]
        await looks.wait()
        last = counter.enter(draft(tea.line()))
        await at_desk.wait()
        await says("update listing_price set amount = 900 where listing_id = $1")(shop, tea, [])
        may_look.set()
        await until(lambda: counter.ahead(cups) == 3, what="the second to be over")
        may_end.set()
        found = await asyncio.gather(*(one.answer for one in [*entries, last]))
    await counter.close()
    assert ways == [False, False, False, True, False]
    assert [one.order.total.amount for one in found] == [1000, 1000, 900, 900, 900]
