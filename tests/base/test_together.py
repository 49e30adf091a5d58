"""Reads that share a round trip."""

from __future__ import annotations

from typing import Any

import pytest

from livestall.base.db import Database, Read
from livestall.base.together import at_once


class Counting(Read):
    """Counts what is sent."""

    def __init__(self, read: Read) -> None:
        self.read, self.sent = read, 0

    async def fetch(self, sql: str, *args: object) -> Any:
        self.sent += 1
        return await self.read.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Any:
        self.sent += 1
        return await self.read.fetchrow(sql, *args)

    async def columns(self, sql: str) -> tuple[str, ...]:
        return await self.read.columns(sql)


async def numbers(read: Read, up_to: int) -> list[int]:
    rows = await read.fetch("select n, n * n as square from generate_series(1, $1::int) n order by n desc", up_to)
    return [row["square"] for row in rows]


async def word(read: Read, said: str | None) -> dict[str, Any]:
    row = await read.fetchrow("select $1::text as said, jsonb_build_object('said', $1::text) as kept", said)
    assert row is not None
    return {**row}


async def twice(read: Read) -> int:
    first = await read.fetchval("select 20")
    return first + await read.fetchval("select $1::int + 2", first)


async def nobody(_read: Read) -> str:
    return "asked nothing"


async def wrong(read: Read) -> None:
    await read.fetchval("select 1")
    raise LookupError


async def test_all_ask_in_one_statement_and_each_gets_its_own_rows(db: Database) -> None:
    async with db.read() as handle:
        read = Counting(handle)
        found = await at_once(
            read, lambda r: numbers(r, 3), lambda r: word(r, "tea"), nobody, lambda r: numbers(r, 0),
            lambda r: word(r, None),
        )  # fmt: skip
        assert read.sent == 1
    assert found == [
        [9, 4, 1], {"said": "tea", "kept": {"said": "tea"}}, "asked nothing", [],
        {"said": None, "kept": {"said": None}},
    ]  # fmt: skip


async def test_a_second_question_is_a_second_round_for_who_has_one(db: Database) -> None:
    async with db.read() as handle:
        read = Counting(handle)
        assert await at_once(read, twice, lambda r: numbers(r, 2), twice) == [42, [4, 1], 42]
        assert read.sent == 2
        assert await at_once(read, lambda r: numbers(r, 1)) == [[1]]
        assert await at_once(read) == []


async def test_what_goes_wrong_in_one_goes_wrong_for_all_and_the_handle_lives(db: Database) -> None:
    async with db.read() as read:
        with pytest.raises(LookupError):
            await at_once(read, wrong, lambda r: numbers(r, 2), twice)
        assert await at_once(read, lambda r: numbers(r, 2)) == [[4, 1]]
