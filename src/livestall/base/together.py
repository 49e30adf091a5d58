"""Several reads in one round trip: each feature says its own, and the database is asked once.

    offers, sellers = await at_once(read, lambda r: catalog.offers(r, ids), lambda r: accounts.sellers(r, owners))

Each reader runs until it asks something; what they ask is sent as one statement, so that all of them see the same
moment; then they go on with their rows. A round trip costs more than what is read when a rush has 1,000 a second.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Iterable, Sequence
from functools import lru_cache, reduce
from operator import xor
from typing import Any

from livestall.base.db import PARAMETER, Read, Row, Tx

Ask = Callable[[Read], Awaitable[Any]]
"""Reads by the handle given, and waits for nothing else. No column is an array, no two are called the same."""

Marks = dict[Any, int]
"""A number for each row, by what stands first in it. Another number: something in the row is another."""

_MARK = "hashtextextended(t::text, 0)"

_columns: dict[str, tuple[str, ...]] = {}
"""The names of the columns of each statement; there are as many statements as lines of our SQL that are asked so."""


class _Question:
    __slots__ = ("args", "sql")

    def __init__(self, sql: str, args: tuple[object, ...]) -> None:
        self.sql, self.args = sql, args

    def __await__(self) -> Generator[_Question, Sequence[Row], Sequence[Row]]:
        return (yield self)


class _Asking(Read):
    """What a reader holds: its questions come out of its coroutine."""

    def __init__(self) -> None:
        super().__init__(None)

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        return await _Question(sql, args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        rows = await _Question(sql, args)
        return rows[0] if rows else None

    async def fetchval(self, sql: str, *args: object) -> Any:
        rows = await _Question(sql, args)
        return next(iter(rows[0].values())) if rows else None


async def at_once(read: Read, *asks: Ask, marks: Sequence[Marks] | None = None) -> list[Any]:
    """The answers of `asks`, in their order. A reader that asks twice, asks its second question in a second round.
    Into `marks`, one for each of `asks`, goes what `still` needs."""
    answers: list[Any] = [None] * len(asks)
    waiting: dict[int, tuple[Generator[Any, Any, Any], _Question]] = {}

    def go_on(place: int, reader: Generator[Any, Any, Any], rows: Sequence[Row] | None) -> None:
        try:
            waiting[place] = reader, reader.send(rows)
        except StopIteration as end:
            answers[place] = end.value

    try:
        for place, ask in enumerate(asks):
            go_on(place, ask(_Asking()).__await__(), None)
        while waiting:
            asked = dict(waiting)
            found = await _fetch(read, [question for _, question in waiting.values()], is_marked=marks is not None)
            waiting.clear()
            for (place, (reader, _)), (rows, marked) in zip(asked.items(), found, strict=True):
                if marks is not None:
                    marks[place].update(marked)
                go_on(place, reader, rows)
    finally:
        for reader, _ in waiting.values():
            reader.close()
    return answers


async def still(tx: Tx, ask: Ask, marks: Iterable[int]) -> None:
    """What `tx` writes depends on this: `ask`, which asks once at the most, would be answered by rows with just these
    marks. See `Tx.must`."""
    reader = ask(_Asking()).__await__()
    try:
        question: _Question = next(reader)
    except StopIteration:
        return
    finally:
        reader.close()
    number = len(question.args) + 1
    await tx.must(
        f"(select coalesce(bit_xor({_MARK}), 0) from ({question.sql}) t) = ${number}",
        *question.args, reduce(xor, marks, 0),
    )  # fmt: skip


async def _fetch(
    read: Read, questions: Sequence[_Question], *, is_marked: bool
) -> list[tuple[Sequence[Row], Marks]]:  # fmt: skip
    if len(questions) == 1 and not is_marked:
        return [(await read.fetch(questions[0].sql, *questions[0].args), {})]
    for one in questions:
        if one.sql not in _columns:
            _columns[one.sql] = await read.columns(one.sql)
    statement = _one_statement(tuple(one.sql for one in questions), is_marked)
    row = await read.fetchrow(statement, *(arg for one in questions for arg in one.args))
    assert row is not None  # aggregates have always a row
    values = list(row.values())
    found: list[tuple[Sequence[Row], Marks]] = []
    for one in questions:
        names = _columns[one.sql]
        mine, values = values[: len(names)], values[len(names) :]
        marks: Marks = {}
        if is_marked:
            marked, *values = values
            marks = dict(zip(mine[0] or (), marked or (), strict=True))
        rows = zip(*mine, strict=True) if mine[0] is not None else ()
        found.append(([dict(zip(names, row, strict=True)) for row in rows], marks))
    return found


@lru_cache(256)
def _one_statement(statements: tuple[str, ...], is_marked: bool) -> str:
    parts: list[str] = []
    taken = 0
    for number, sql in enumerate(statements):
        columns = ", ".join(f'array_agg("{name}")' for name in _columns[sql])
        if is_marked:
            columns += f", array_agg({_MARK}) as marks{number}"
        numbered = PARAMETER.sub(lambda n, taken=taken: f"${int(n[1]) + taken}", sql)
        parts.append(f"(select {columns} from ({numbered}) t) q{number}")
        taken += max((int(n) for n in PARAMETER.findall(sql)), default=0)
    return f"select * from {', '.join(parts)}"
