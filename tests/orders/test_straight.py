"""The short way: a batch from pools with plenty is one statement. It writes what the long way writes, and only if all
that it was worked out from still holds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from helpers.locks import waiting
from helpers.patience import PATIENCE_SECONDS, until
from helpers.shop import Shop, clock, draft
from helpers.straight import Answers, Window, counter, everyone, get_to_know, only_under_locks, window
from livestall import stock
from livestall.base import ids, trace
from livestall.base.columns import of_uuid
from livestall.base.db import Changed, OneStatement, Tx, one_statement
from livestall.base.errors import SameIdOtherContents
from livestall.base.outbox import Delivered, Listener
from livestall.orders import Counter, Draft, NewOrderLine, Placed
from livestall.orders.desk import PLENTY
from livestall.orders.model import LineTicket
from livestall.orders.model.refusals import UnknownShow
from livestall.stock import store as stock_store

__all__ = ["counter", "only_under_locks", "window"]
pytestmark = pytest.mark.usefixtures("only_under_locks")


def totals(answers: Answers) -> list[int]:
    assert all(isinstance(one, Placed) for one in answers), answers
    return [one.order.total.amount for one in answers if isinstance(one, Placed)]


async def rows(shop: Shop, sql: str, *args: object) -> list[dict[str, Any]]:
    async with shop.db.read() as read:
        return [dict(row) for row in await read.fetch(sql, *args)]


# ---------------------------------------------------------------- the same as the long way

UNLIKE = "'id', 'number', 'buyer_id', 'fingerprint', 'placed_at', 'expires_at', 'release_at', 'address'"
WRITTEN = {
    "orders": f"select to_jsonb(o) - array[{UNLIKE}] as t from orders o where id = any($1)",
    "lines": "select to_jsonb(l) - 'order_id' as t from order_line l where order_id = any($1)",
    "holds": "select to_jsonb(h) - array['order_id', 'holder_id', 'created_at'] as t from stock_hold h"
    " where order_id = any($1)",
}


async def written(shop: Shop, drafts: Sequence[Draft]) -> dict[str, list[str]]:
    """What the tables say of these orders, but for what is each one's own."""
    order_ids = [one.order_id for one in drafts]
    return {name: sorted(str(row["t"]) for row in await rows(shop, sql, order_ids)) for name, sql in WRITTEN.items()}


async def events(shop: Shop, topic: str) -> list[dict[str, Any]]:
    found = await rows(shop, "select subject, payload from outbox where topic = $1 order by xid, id", topic)
    assert all(str(row["subject"]) == row["payload"]["subject"] for row in found)
    return [row["payload"] for row in found]


@pytest.mark.parametrize("articles", [1, 3], ids=["one pool", "three pools"])
async def test_after_one_batch_under_locks_the_next_is_one_statement_and_writes_the_same(
    shop: Shop, counter: Counter, window: Window, articles: int
) -> None:
    goods = [await shop.product(100, amount=1000 + n, show_price=800 + n) for n in range(articles)]

    def batch() -> list[Draft]:
        return [draft(*(one.line(2) for one in goods), show=shop.show) for _ in range(3)]

    long, short = batch(), batch()
    by_long, by_short = await everyone(counter, long), await everyone(counter, short)
    assert window.ways == [False, True]
    assert totals(by_long) == totals(by_short) == [2 * sum(800 + n for n in range(articles))] * 3
    assert await written(shop, long) == await written(shop, short)
    for wish, answer in zip(short, by_short, strict=True):
        (kept,) = await rows(shop, "select * from orders where id = $1", wish.order_id)
        assert isinstance(answer, Placed)
        order = answer.order
        assert answer.new
        assert (order.id, order.number, order.placed_at) == (wish.order_id, kept["number"], kept["placed_at"])
        assert (kept["buyer_id"], kept["fingerprint"], kept["expires_at"]) == (
            wish.buyer_id, wish.fingerprint, order.expires_at,
        )  # fmt: skip
        assert kept["address"]["city"] == "杭州"
    assert len({row["number"] for row in await rows(shop, "select number from orders")}) == 6
    moved = "select pool_id, variant_id, seller_id, on_hand, open, held, sold, count(*) from stock_movement"
    held = await rows(shop, f"{moved} where reason = 'held' group by 1, 2, 3, 4, 5, 6, 7")
    assert sorted((row["pool_id"], row["held"], row["count"]) for row in held) == sorted(
        (one.variant, 6, 2) for one in goods
    )
    for one in goods:
        assert await shop.pool(one.variant) == (100, 100, 12, 0)


@pytest.mark.parametrize("articles", [1, 3], ids=["one pool", "three pools"])
async def test_the_events_are_those_of_the_long_way_field_by_field(
    shop: Shop, counter: Counter, window: Window, articles: int
) -> None:
    goods = sorted([await shop.product(100) for _ in range(articles)], key=lambda one: one.variant)
    before = len(await events(shop, "stock.changed"))
    long, short = await get_to_know(counter, *goods, times=3), await get_to_know(counter, *goods, times=3)
    assert window.ways == [False, True]
    by_long, by_short = (await events(shop, "stock.changed"))[before:]
    assert by_short.keys() == by_long.keys()
    variants = [str(one.variant) for one in goods]
    for said, held in ((by_long, 3), (by_short, 6)):
        assert {**said, "also": sorted(said["also"])} == {
            "subject": variants[0], "pool_id": variants[0], "variant_id": variants[0], "on_hand": 100, "open": 100,
            "held": held, "sold": 0, "available": 100 - held,
            "also": [[one, 100 - held, False] for one in variants[1:]],
        }  # fmt: skip
    placed_long, placed_short = await events(shop, "orders.placed")
    assert placed_long.keys() == placed_short.keys()
    assert placed_short["subject"] == str(shop.seller)
    assert [said["order_ids"] for said in (placed_long, placed_short)] == [
        [str(one.order_id) for one in batch] for batch in (long, short)
    ]
    heard: list[stock.StockChanged] = []

    async def hear(_tx: Tx, batch: Sequence[Delivered]) -> None:
        heard.extend(one.event for one in batch if isinstance(one.event, stock.StockChanged))

    await shop.relay(Listener("test", {stock.StockChanged: hear}))
    assert {(one.pool_id, one.available) for one in heard[-1].pools} == {(one.variant, 94) for one in goods}


@pytest.mark.parametrize("first", ["carved", "general"])
async def test_units_set_aside_unseen_are_told_as_those_under_locks_carved_pools_too(shop: Shop, first: str) -> None:
    tea = await shop.product(100)
    carved = UUID(int=1 if first == "carved" else 2**128 - 1)
    await shop.db.run(lambda tx: stock.carve(tx, [stock.Carve(carved, tea.variant, 40, 30)]))

    wanted = [(ids.new(), ids.new(), pool) for _ in range(2) for pool in sorted([carved, tea.variant])]

    connection = await shop.db.connect()

    async def unseen(units: int) -> None:
        async with shop.db.read() as read:
            pools = await stock.pools(read, [carved, tea.variant])
        kinds = {pool_id: stock.hold_kind(pools[pool_id], 1, units) for pool_id in pools}
        async with one_statement(connection) as tx:
            await stock.hold_all(
                tx, [of_uuid(ids.new()) for _ in wanted], [of_uuid(one) for _, one, _ in wanted],
                [kinds[pool_id] for _, _, pool_id in wanted],
            )  # fmt: skip

    requests = [stock.HoldRequest(order_id, 1, pool, buyer, 2) for order_id, buyer, pool in wanted]
    assert await shop.db.run(lambda tx: stock.hold(tx, requests)) == [True] * 4
    await unseen(2)
    by_long, by_short = (await events(shop, "stock.changed"))[-2:]
    units = {str(carved): (30, True), str(tea.variant): (60, False)}
    for said, held in ((by_long, 4), (by_short, 8)):
        told = [said["pool_id"], said["available"]], *([pool, left] for pool, left, _ in said["also"])
        assert dict(told) == {pool: units[pool][0] - held for pool in units}
        assert said["pool_id"] == str(carved if first == "carved" else tea.variant)
        assert [one[2] for one in said["also"]] == [first == "general"]
        assert (said["variant_id"], said["subject"], said["held"]) == (str(tea.variant), str(tea.variant), held)
    with pytest.raises(Changed):
        await unseen(12)  # 24 of the 22 that are left to be carved from; the general pool has them
    await shop.db.run(lambda tx: stock.uncarve(tx, [carved]))
    with pytest.raises(Changed):
        await unseen(1)
    await connection.close()
    assert await shop.pool(carved) == (8, 8, 8, 0)
    assert await shop.pool(tea.variant) == (92, 92, 8, 0)


async def test_what_is_traced_is_traced_on_the_short_way_too(
    shop: Shop, counter: Counter, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporter, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "_tracer", provider.get_tracer("test"))
    monkeypatch.setattr(trace, "_traced", True)
    tea = await shop.product(100)
    clicks: list[str] = []
    for _ in range(2):
        with trace.span("click"):
            clicks.append(trace.trace_id() or "")
            await get_to_know(counter, tea)
    await get_to_know(counter, tea)  # nobody traces this one
    assert window.ways == [False, True, True]
    for topic in ("stock.changed", "orders.placed"):
        *_, by_long, by_short, untraced = await events(shop, topic)
        assert by_long.keys() == by_short.keys() == untraced.keys() | {"_trace"}
        assert [one["_trace"].split("-")[1] for one in (by_long, by_short)] == clicks
    spans = [
        one for one in exporter.get_finished_spans() if one.context and f"{one.context.trace_id:032x}" == clicks[1]
    ]
    assert {"orders prepare", "orders batch"} <= {one.name for one in spans}
    statements = [one.name for one in spans if one.name.startswith("postgresql")]
    assert statements == ["postgresql with", "postgresql commit"], "one statement, which is the commit"


# ---------------------------------------------------------------- what never goes straight


async def test_what_has_to_be_decided_never_goes_straight(shop: Shop, counter: Counter, window: Window) -> None:
    tea, cup = await shop.product(400), await shop.product(400, per_buyer=2)
    rare, bowl = await shop.product(13), await shop.product(400)
    deal = await shop.flash(tea, quota=300, per_buyer=2)
    twice, buyer = draft(tea.line()), ids.new()
    other = draft(tea.line(2), buyer=twice.buyer_id, order_id=twice.order_id)
    cases: list[tuple[str, list[Draft], list[type]]] = [
        ("a limit", [draft(tea.line()), *(draft(cup.line(), buyer=buyer) for _ in range(3))],
         [Placed, Placed, Placed, stock.LimitReached]),
        ("a deal", [draft(tea.line(deal=deal)), draft(tea.line())], [Placed, Placed]),
        ("a double click", [twice, twice, other], [Placed, Placed, SameIdOtherContents]),
        ("an unknown article", [draft(NewOrderLine(ids.new(), 1)), draft(tea.line())], [stock.NotStocked, Placed]),
        ("an unknown show", [draft(tea.line(), show=ids.new()), draft(tea.line())], [UnknownShow, Placed]),
        ("another's listing", [draft(NewOrderLine(tea.variant, 1, bowl.listing))], [stock.NotStocked]),
        ("too few", [draft(rare.line(4))], [Placed]),
    ]  # fmt: skip
    with clock.travel(11):
        await get_to_know(counter, tea, cup, bowl)
        await get_to_know(counter, rare)
        window.ways.clear()
        for what, drafts, expected in cases:
            answers = await everyone(counter, drafts)
            await everyone(counter, drafts)  # now all of it is known that can be
            assert window.ways == [False, False], what
            assert [type(one) for one in answers] == expected, what
            window.ways.clear()
            await get_to_know(counter, tea)
            assert window.ways == [True], f"the counter still goes straight after {what}"
            window.ways.clear()


async def test_plenty_is_counted_with_what_was_sold_since_it_was_seen(
    shop: Shop, counter: Counter, window: Window
) -> None:
    tea = await shop.product(40)
    await get_to_know(counter, tea)  # 40 were there
    await everyone(counter, [draft(tea.line(2)) for _ in range(5)])  # 4 × 10
    assert PLENTY == 4
    await everyone(counter, [draft(tea.line()) for _ in range(8)])  # 4 × 8 of 30
    assert window.ways == [False, True, False]
    assert await shop.pool(tea.variant) == (40, 40, 19, 0)


# ---------------------------------------------------------------- waiting, and being cut off


class Hears:
    """Somebody who notes down that they were answered."""

    def __init__(self, told: list[str], name: str) -> None:
        self._told, self._name = told, name

    def tell(self, _ticket: LineTicket) -> None: ...

    def end(self, _said: Placed | Exception) -> None:
        self._told.append(self._name)


async def test_buyers_are_told_in_the_order_of_arrival_though_the_later_batch_is_written_first(
    shop: Shop, counter: Counter, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_store, "OLD_SECONDS_MAX", PATIENCE_SECONDS)
    tea, cup = await shop.product(100), await shop.product(100)
    await get_to_know(counter, tea, cup)
    told: list[str] = []
    async with shop.db.write() as tx:
        await stock.lock(tx, [tea.variant])
        first = counter.enter(draft(tea.line()))
        first.ask(Hears(told, "first"))
        await until(lambda: waiting(shop.db))
        second = counter.enter(draft(cup.line()))
        second.ask(Hears(told, "second"))
        await until(lambda: counter.ahead(draft(tea.line())) == 1, what="the second to be written")
        assert await rows(shop, "select id from orders where id = any($1)", [first.draft.order_id]) == []
        assert len(await rows(shop, "select id from orders where id = any($1)", [second.draft.order_id])) == 1
        for _ in range(20):
            await asyncio.sleep(0)
        assert told == []
    await asyncio.gather(first.answer, second.answer)
    assert told == ["first", "second"]
    assert window.ways == [False, True, True]


async def test_who_waited_too_long_for_the_pool_gets_the_price_of_now(
    shop: Shop, counter: Counter, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock_store, "OLD_SECONDS_MAX", 0.05)
    tea = await shop.product(100, show_price=800)
    await get_to_know(counter, tea)
    async with shop.db.write() as tx:
        await stock.lock(tx, [tea.variant])
        entry = counter.enter(draft(tea.line()))
        await until(lambda: waiting(shop.db, seconds=0.05))
        async with shop.db.write() as other:
            await other.execute("update listing_price set amount = 900 where listing_id = $1", tea.listing)
    assert totals([await entry.answer]) == [900]
    assert window.ways == [False, True, False]
    assert await shop.pool(tea.variant) == (100, 100, 2, 0)


async def test_a_connection_lost_while_it_waits_is_made_again_and_the_batch_is_placed_once(
    shop: Shop, counter: Counter, window: Window
) -> None:
    tea = await shop.product(100)
    await get_to_know(counter, tea)
    async with shop.db.write() as tx:
        await stock.lock(tx, [tea.variant])
        entries = [counter.enter(draft(tea.line())) for _ in range(3)]
        (pid,) = await until(lambda: waiting(shop.db))
        async with shop.db.read() as read:
            assert await read.fetchval("select pg_terminate_backend($1)", pid)
        lost_at = datetime.now(UTC)

        async def another() -> list[int]:  # the one that was ended may be listed for a moment more
            return [one for one in await waiting(shop.db) if one != pid]

        assert len(await until(another)) == 1
    placed = [await one.answer for one in entries]
    assert [one.new for one in placed] == [True] * 3
    assert all(one.order.placed_at > lost_at for one in placed), "the time to pay begins with what was written"
    assert window.ways[:3] == [False, True, True]
    assert await shop.pool(tea.variant) == (100, 100, 4, 0)


async def test_a_connection_lost_after_the_write_finds_the_orders_that_were_made(
    shop: Shop, counter: Counter, window: Window, monkeypatch: pytest.MonkeyPatch
) -> None:
    tea = await shop.product(100)
    await get_to_know(counter, tea)
    send, sent = OneStatement.send, 0

    async def nobody_hears(tx: OneStatement) -> None:
        nonlocal sent
        sent += 1
        await send(tx)
        if sent == 1:
            raise asyncpg.ConnectionDoesNotExistError

    monkeypatch.setattr(OneStatement, "send", nobody_hears)
    drafts = [draft(tea.line()) for _ in range(3)]
    answers = await everyone(counter, drafts)
    assert [(one.order.id, one.new) for one in answers if isinstance(one, Placed)] == [
        (one.order_id, False) for one in drafts
    ]
    assert window.ways == [False, True, True, False]
    assert len(await rows(shop, "select from orders")) == 4
    assert await shop.pool(tea.variant) == (100, 100, 4, 0)
