"""Columns encoded by the house arrive as PostgreSQL's own values."""

from __future__ import annotations

from uuid import UUID

import asyncpg
import pytest

from livestall.base import ids
from livestall.base.columns import NULL, columns, each, of_bytes, of_int, of_text, of_uuid
from livestall.base.db import Database

ONE, TWO = ids.new(), ids.new()
KINDS = ("uuids", "texts", "bigints", "byteas")


async def test_every_kind_arrives_with_its_nulls_in_its_row(db: Database) -> None:
    rows = [
        (of_uuid(ONE), of_text("绿茶 \N{TEACUP WITHOUT HANDLE}"), of_int(-(2**63)), of_bytes(b"\0\xff")),
        (of_uuid(None), of_text(None), NULL, NULL),
        (of_uuid(TWO), of_text(""), of_int(2**63 - 1), of_bytes(b"")),
    ]
    async with db.read() as read:
        found = await read.fetch(f"select {each(KINDS)}", *columns(KINDS, rows))
    assert [tuple(row.values()) for row in found] == [
        (ONE, "绿茶 \N{TEACUP WITHOUT HANDLE}", -(2**63), b"\0\xff"),
        (None, None, None, None),
        (TWO, "", 2**63 - 1, b""),
    ]


async def test_one_row_stands_for_as_many_as_the_others_have(db: Database) -> None:
    unlike = columns(("uuids",), [(of_uuid(ONE),), (of_uuid(TWO),)])
    alike = columns(("texts", "bigints"), [(of_text("tea"), of_int(7))])
    asked = f"select {each(('uuids',))}, {each(('texts', 'bigints'), first=2, alike=True)}"
    async with db.read() as read:
        found = await read.fetch(asked, *unlike, *alike)
    assert [tuple(row.values()) for row in found] == [(ONE, "tea", 7), (TWO, "tea", 7)]


async def test_arrays_of_other_statements_are_written_and_read_as_ever(db: Database) -> None:
    async with db.read() as read:
        assert await read.fetchval("select $1::uuid[]", [ONE, None]) == [ONE, None]
        assert await read.fetchval("select array['tea', null]") == ["tea", None]


async def test_a_column_cut_short_is_refused_by_the_database(db: Database) -> None:
    (whole,) = columns(("uuids",), [(of_uuid(ONE),), (of_uuid(UUID(int=1)),)])
    with pytest.raises(asyncpg.PostgresError):
        async with db.write() as tx:
            await tx.execute("select unnest($1::uuids)", whole[:-4])
