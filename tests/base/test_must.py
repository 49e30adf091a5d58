"""What a write depends on is sent with it: looked at before it, and without it nothing is written."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.locks import waiting
from helpers.patience import until
from livestall.base.db import Changed, Database, OneStatement, Read, Tx, begun, one_statement
from livestall.base.together import Ask, Marks, at_once, still

Way = Callable[[Any], AbstractAsyncContextManager[Tx]]
WAYS = pytest.mark.parametrize("way", [one_statement, begun])

ADD = "insert into cup (n, what) select * from unnest($1::int[], $2::text[])"
SAY = "update cup set what = $2::text where n = $1::int"
SAYS = "(select what from cup where n = $1::int) = $2::text"


@pytest.fixture
async def cups(db: Database) -> Database:
    """Cup 1 is green, cup 2 is red, and there is a shelf to write on."""
    async with db.write() as tx:
        await tx.execute("create table cup (n int primary key, what text, height int)")
        await tx.execute("create table shelf (id serial, what text)")
        await tx.execute(ADD, [1, 2], ["green", "red"])
    return db


@pytest.fixture
async def connection(cups: Database) -> AsyncGenerator[Any]:
    connection = await cups.connect()
    yield connection
    await connection.close()


async def told(db: Database) -> list[tuple[int, str]]:
    async with db.read() as read:
        return [tuple(row.values()) for row in await read.fetch("select n, what from cup order by n")]


GREEN_AND_RED = [(1, "green"), (2, "red")]


# ---------------------------------------------------------------- all or nothing


@WAYS
async def test_when_all_that_it_depends_on_holds_all_of_it_is_written(
    cups: Database, connection: Any, way: Way
) -> None:
    async with way(connection) as tx:
        await tx.must("$1::int < $2::int", 1, 2)
        await tx.later(ADD, [3], ["blue"])
        await tx.must(SAYS, 1, "green")
        await tx.later(SAY, 2, "white")
    assert await told(cups) == [(1, "green"), (2, "white"), (3, "blue")]


@WAYS
@pytest.mark.parametrize("wrong", ["false", "null", "$1::int > 5", "(select what = '' from cup where n = 9)"])
async def test_when_one_condition_is_false_or_unknown_nothing_of_it_is_written(
    cups: Database, connection: Any, way: Way, wrong: str
) -> None:
    with pytest.raises(Changed):
        async with way(connection) as tx:
            await tx.must("true")
            await tx.later(ADD, [3], ["blue"])
            await tx.must(wrong, *([5] if "$1" in wrong else []))
            await tx.later(SAY, 2, "white")
    assert await told(cups) == GREEN_AND_RED
    assert not connection.is_in_transaction()
    async with way(connection) as tx:  # the connection lives, and keeps nothing of what was not sent
        await tx.later(ADD, [4], ["black"])
    assert await told(cups) == [*GREEN_AND_RED, (4, "black")]


@WAYS
async def test_a_condition_alone_is_looked_at_too(connection: Any, way: Way) -> None:
    async with way(connection) as tx:
        await tx.must(SAYS, 1, "green")
    with pytest.raises(Changed):
        async with way(connection) as tx:
            await tx.must(SAYS, 1, "red")


@WAYS
async def test_a_condition_sees_what_was_before_the_writes_and_is_looked_at_before_them(
    cups: Database, connection: Any, way: Way
) -> None:
    async with way(connection) as tx:
        await tx.later(SAY, 1, "white")
        await tx.must(SAYS, 1, "green")
    with pytest.raises(Changed):
        async with way(connection) as tx:
            await tx.later(SAY, 1, "blue")
            await tx.must(SAYS, 1, "blue")
    with pytest.raises(Changed):  # and not the error of a row that is there already
        async with way(connection) as tx:
            await tx.later(ADD, [1], ["again"])
            await tx.must("false")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with way(connection) as tx:
            await tx.later(ADD, [1], ["again"])
            await tx.must("true")
    assert await told(cups) == [(1, "white"), (2, "red")]


async def test_a_condition_that_locks_waits_and_sees_what_was_committed_meanwhile(
    cups: Database, connection: Any
) -> None:
    """What sales depend on: units that somebody else takes at this moment are gone when it is our turn."""
    locks = "(select what from (select what from cup where n = 1 for no key update) c) = $1::text"

    async def ours(what: str) -> None:
        async with one_statement(connection) as tx:
            await tx.must(locks, what)
            await tx.later(SAY, 2, f"beside {what}")

    for before, after, wish in (("green", "white", "green"), ("white", "blue", "blue")):
        async with cups.write() as other:
            assert await other.execute(SAY, 1, after) == 1
            sending = asyncio.create_task(ours(wish))
            await until(lambda: waiting(cups))
        (said,) = await asyncio.gather(sending, return_exceptions=True)
        assert type(said) is (type(None) if wish == after else Changed), f"{before} became {after}, {wish} was needed"
    assert await told(cups) == [(1, "blue"), (2, "beside blue")]


async def test_what_a_condition_locks_stays_locked_until_the_commit(cups: Database, connection: Any) -> None:
    async with begun(connection) as tx:
        await tx.must("exists (select from cup where n = 1 for no key update)")
        await tx.flush()
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with cups.write() as other:
                await other.fetch("select from cup where n = 1 for no key update nowait")
    async with cups.write() as other:
        await other.fetch("select from cup where n = 1 for no key update nowait")


# ---------------------------------------------------------------- in a transaction, and in one of a single statement


async def test_a_begun_transaction_is_undone_as_a_whole_and_a_savepoint_alone(cups: Database, connection: Any) -> None:
    with pytest.raises(Changed):
        async with begun(connection) as tx:
            assert await tx.execute(SAY, 1, "white") == 1
            await tx.must("false")
            await tx.fetch("select 1")  # sends what waits
    assert await told(cups) == GREEN_AND_RED
    async with begun(connection) as tx:
        await tx.execute(SAY, 1, "white")
        with pytest.raises(Changed):
            async with tx.savepoint():
                await tx.later(SAY, 2, "black")
                await tx.must("false")
        with pytest.raises(KeyError):
            async with tx.savepoint():
                await tx.must("false")  # never sent: what it was for is given up
                raise KeyError
        await tx.later(ADD, [3], ["blue"])
    assert await told(cups) == [(1, "white"), (2, "red"), (3, "blue")]


async def test_a_transaction_of_one_statement_asks_nothing_and_says_nothing_twice(
    cups: Database, connection: Any
) -> None:
    async def in_a_savepoint(tx: Tx) -> None:
        async with tx.savepoint():
            await tx.later(SAY, 1, "black")

    asking: list[Callable[[Tx], Awaitable[Any]]] = [
        lambda tx: tx.fetch("select 1"),
        lambda tx: tx.fetchrow("select 1"),
        lambda tx: tx.fetchval("select 1"),
        lambda tx: tx.execute(SAY, 1, "black"),
        lambda tx: tx.executemany(SAY, [(1, "black")]),
        lambda tx: tx.copy("cup", ["n"], [(7,)]),
        lambda tx: tx.later(SAY, 2, "black"),  # as before: the second would have to see the first
        in_a_savepoint,
    ]
    for ask in asking:
        with pytest.raises(RuntimeError):
            async with one_statement(connection) as tx:
                await tx.later(SAY, 1, "white")
                await ask(tx)
    assert await told(cups) == GREEN_AND_RED, "a block that fails sends nothing"
    async with one_statement(connection) as tx:
        await tx.later(ADD, [3], ["blue"], extend=True)
        await tx.later(ADD, [4], ["black"], extend=True)
    assert await told(cups) == [*GREEN_AND_RED, (3, "blue"), (4, "black")]


@WAYS
async def test_by_a_name_another_statement_reads_what_one_returns(cups: Database, connection: Any, way: Way) -> None:
    async with way(connection) as tx:
        await tx.must(SAYS, 1, "green")
        await tx.later(
            "update cup set what = what || $2::text where n = any($1::int[]) returning n, what", [1, 2], "!",
            name="said",
        )  # fmt: skip
        await tx.later("insert into shelf (what) select what || $1::text from said order by n", "?")
    async with cups.read() as read:
        shelf = [row["what"] for row in await read.fetch("select what from shelf order by id")]
    assert shelf == ["green!?", "red!?"]
    assert await told(cups) == [(1, "green!"), (2, "red!")]


# ---------------------------------------------------------------- parameters


class Sent:
    """A connection that keeps what it is told to execute."""

    def __init__(self) -> None:
        self.sql, self.args = "", tuple[Any, ...]()

    async def execute(self, sql: str, *args: Any) -> str:
        self.sql, self.args = sql, args
        return "SELECT 1"


PARTS = st.lists(
    st.lists(st.integers(1, 12), max_size=14).map(lambda used: [1 + sorted(set(used)).index(n) for n in used]),
    max_size=5,
)
"""For each statement, the parameters in the order in which it names them: all from 1 on, some of them twice."""


@given(statements=PARTS, conditions=PARTS)
async def test_each_statement_and_condition_gets_its_own_parameters(
    statements: list[list[int]], conditions: list[list[int]]
) -> None:
    sent = Sent()
    tx = OneStatement(sent)
    expected: list[str] = []
    for kind, parts, send in (("write", statements, tx.later), ("must", conditions, tx.must)):
        for place, numbers in enumerate(parts):
            own = [f"{kind} {place}: {n}" for n in range(1, max(numbers, default=0) + 1)]
            await send(f"{kind} {place} " + " ".join(f"${n}" for n in numbers), *own)
            expected += [own[n - 1] for n in numbers]
    await tx.send()
    assert [sent.args[int(n) - 1] for n in re.findall(r"\$(\d+)", sent.sql)] == expected
    assert len(sent.args) == len(set(expected)), "nothing else is sent"


@WAYS
async def test_postgresql_takes_them_so(cups: Database, connection: Any, way: Way) -> None:
    many = " || ".join(f"${n}::text" for n in range(2, 13))
    async with way(connection) as tx:
        await tx.later(f"insert into cup (n, what) select $1::int, {many}", 3, *"abcdefghijk")
        await tx.must("$2::text || $1::text || $2::text = $3::text", "e", "b", "beb")
        await tx.later(SAY, 2, "white")
        await tx.must(SAYS, 2, "red")
    assert await told(cups) == [(1, "green"), (2, "white"), (3, "abcdefghijk")]


# ---------------------------------------------------------------- what was read still holds


def cups_read(*numbers: int) -> Ask:
    async def ask(read: Read) -> dict[int, str]:
        rows = await read.fetch("select n, what, height from cup where n = any($1::int[])", list(numbers))
        return {row["n"]: row["what"] for row in rows}

    return ask


async def nothing(_read: Read) -> str:
    return "asked nothing"


@pytest.mark.parametrize(
    "meanwhile",
    [
        "update cup set what = 'white' where n = 1",
        "update cup set height = 9 where n = 2",
        "update cup set what = null where n = 2",
        "update cup set what = case what when 'red' then 'green' else 'red' end",
        "delete from cup where n = 2",
        "delete from cup",
        "insert into cup (n, what) values (3, 'red')",
        "update cup set n = 3 where n = 2",
    ],
)
async def test_what_was_read_has_changed_if_anything_in_any_row_has(
    cups: Database, connection: Any, meanwhile: str
) -> None:
    marks: list[Marks] = [{}, {}, {}]
    async with cups.read() as read:
        await at_once(read, cups_read(1, 2, 3), nothing, cups_read(2), marks=marks)
    assert [set(one) for one in marks] == [{1, 2}, set(), {2}]

    async def depending(what: str) -> None:
        async with one_statement(connection) as tx:
            await still(tx, cups_read(1, 2, 3), marks[0].values())
            await tx.later("insert into shelf (what) select $1::text", what)

    await depending("before")
    async with cups.write() as tx:
        await tx.execute("insert into cup (n, what) values (4, 'not asked for')")
        await tx.execute("update cup set what = what where n = 1")
    await depending("the same again")
    async with cups.write() as tx:
        await tx.execute(meanwhile)
    with pytest.raises(Changed):
        await depending("after")
    async with cups.read() as read:
        shelf = [row["what"] for row in await read.fetch("select what from shelf order by id")]
    assert shelf == ["before", "the same again"]


async def test_what_is_not_there_must_stay_so_and_who_asks_nothing_depends_on_nothing(
    cups: Database, connection: Any
) -> None:
    async def depending(ask: Ask) -> None:
        async with one_statement(connection) as tx:
            await still(tx, ask, [])
            await tx.later("insert into shelf (what) values ('sent')")

    await depending(cups_read(7))
    await depending(nothing)
    async with cups.write() as tx:
        await tx.execute("insert into cup (n) values (7)")
    with pytest.raises(Changed):
        await depending(cups_read(7))
    await depending(nothing)
    sent = Sent()
    tx = OneStatement(sent)
    await still(tx, nothing, [])
    await tx.send()
    assert sent.sql == "", "there was nothing to send"
    async with cups.read() as read:
        assert await read.fetchval("select count(*) from shelf") == 3


async def test_marks_come_with_the_answers_and_by_another_connection_they_are_the_same(cups: Database) -> None:
    marks: list[list[Marks]] = []
    for _ in range(2):
        marks.append([{}])
        async with cups.read() as read, cups.read() as other:
            assert await at_once(read, cups_read(2, 1), marks=marks[-1]) == [{1: "green", 2: "red"}]
            again: list[Marks] = [{}, {}]
            await at_once(other, cups_read(1), cups_read(2), marks=again)
        assert {**again[0], **again[1]} == marks[-1][0]
    assert marks[0] == marks[1]
    assert len(set(marks[0][0].values())) == 2
