"""The outbox: nothing lost, nothing twice, order kept per subject, one bad event stops no other."""

from __future__ import annotations

from collections.abc import Sequence

import asyncpg
import pytest

from livestall.base import ids
from livestall.base.db import Database, Tx
from livestall.base.outbox import Delivered, Event, Listener, Relay, emit


class Poked(Event, frozen=True, kw_only=True):
    topic = "test.poked"
    n: int


class Seen:
    def __init__(self, bad: int | None = None) -> None:
        self.numbers: list[int] = []
        self.bad = bad

    async def handle(self, tx: Tx, batch: Sequence[Delivered]) -> None:
        for one in batch:
            assert isinstance(one.event, Poked)
            if one.event.n == self.bad:
                raise ValueError(one.event.n)
        self.numbers += [one.event.n for one in batch if isinstance(one.event, Poked)]


async def test_events_arrive_once_and_in_order(db: Database) -> None:
    subject = ids.new()
    seen = Seen()
    relay = Relay(db, [Listener("test", {Poked: seen.handle})])
    async with db.write() as tx:
        await emit(tx, [Poked(subject=subject, n=n) for n in range(5)])
    assert await relay.drain() > 0
    assert seen.numbers == [0, 1, 2, 3, 4]
    assert await relay.drain() == 0


async def test_an_event_of_a_transaction_rolled_back_never_existed(db: Database) -> None:
    seen = Seen()
    relay = Relay(db, [Listener("test", {Poked: seen.handle})])

    async def emit_and_fail() -> None:
        async with db.write() as tx:
            await emit(tx, [Poked(subject=ids.new(), n=1)])
            await tx.execute("select 1 / 0")

    with pytest.raises(asyncpg.DivisionByZeroError):
        await emit_and_fail()
    await relay.drain()
    assert seen.numbers == []


async def test_a_slow_transaction_is_not_jumped_over(db: Database) -> None:
    """The slow one was numbered first but commits last: a cursor by number alone would lose it."""
    seen = Seen()
    relay = Relay(db, [Listener("test", {Poked: seen.handle})])
    async with db.write() as slow:
        await emit(slow, [Poked(subject=ids.new(), n=1)])
        await slow.flush()
        async with db.write() as quick:
            await emit(quick, [Poked(subject=ids.new(), n=2)])
        await relay.drain()
        assert seen.numbers == []
    await relay.drain()
    assert sorted(seen.numbers) == [1, 2]


async def test_a_bad_event_is_parked_with_its_followers_and_stops_no_one_else(db: Database) -> None:
    mine, other = ids.new(), ids.new()
    seen = Seen(bad=1)
    relay = Relay(db, [Listener("test", {Poked: seen.handle})])
    async with db.write() as tx:
        await emit(tx, [Poked(subject=mine, n=1), Poked(subject=other, n=2), Poked(subject=mine, n=3)])
    await relay.drain()
    assert seen.numbers == [2]
    seen.bad = None
    async with db.write() as tx:
        await tx.execute("update outbox_parked set next_try_at = now()")
    await relay.drain()
    assert seen.numbers == [2, 1, 3]
