"""Writes that are sent together: one round trip, all or nothing, and never later than what reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from livestall.base.db import Database

ADD = "insert into later_test (n, what) select * from unnest($1::int[], $2::text[])"
MORE = "update later_test set what = what || $1::text where n = $2::int"


@pytest.fixture
async def table(db: Database) -> AsyncGenerator[Database]:
    async with db.write() as tx:
        await tx.execute("create table later_test (n int primary key, what text)")
    yield db
    async with db.write() as tx:
        await tx.execute("drop table later_test")


async def rows(db: Database) -> list[tuple[int, str]]:
    async with db.read() as read:
        return [tuple(row.values()) for row in await read.fetch("select n, what from later_test order by n")]


async def test_statements_that_wait_are_sent_before_the_next_and_before_the_commit(table: Database) -> None:
    async with table.write() as tx:
        await tx.later(ADD, [1, 2], ["a", "b"], extend=True)
        await tx.later(ADD, [3], ["c"], extend=True)
        assert await tx.fetchval("select count(*) from later_test") == 3
        await tx.later(MORE, "!", 1)
        await tx.later(ADD, [4], ["d"])
        await tx.later(MORE, "?", 1)  # the same again: after the first, not with it
    assert await rows(table) == [(1, "a!?"), (2, "b"), (3, "c"), (4, "d")]


async def test_an_error_at_the_commit_undoes_all_of_it(table: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        async with table.write() as tx:
            await tx.later(ADD, [1], ["a"])
            await tx.later("insert into later_test (n) select $1::int", 1)
    assert await rows(table) == []


async def test_a_savepoint_undoes_what_waited_in_it_and_nothing_else(table: Database) -> None:
    async with table.write() as tx:
        await tx.later(ADD, [1], ["a"])
        with pytest.raises(KeyError):
            async with tx.savepoint():
                await tx.later(ADD, [2], ["b"])
                raise KeyError
        async with tx.savepoint():
            await tx.later(ADD, [3], ["c"])
    assert await rows(table) == [(1, "a"), (3, "c")]
