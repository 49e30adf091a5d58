"""Columns of many rows, ready for the wire.

asyncpg asks of every element of an array whether it is an array itself, which costs more than writing it, and writes
what many rows share once for each of them. Here a value is written once (`of_uuid` and its like), kept where it is
used again, and a column is its values joined.

    kinds = "uuids", "texts"
    await tx.later(f"insert into t (id, title) select {each(kinds)}", *columns(kinds, rows))

The database knows the columns as domains over arrays (migration 0021), so that arrays in every other statement are
written and read as ever.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

KINDS = {"uuids": 2950, "texts": 25, "bigints": 20, "byteas": 17}
"""The domains, each with PostgreSQL's number of the type of its elements."""

NULL = b"\xff\xff\xff\xff"
_head = struct.Struct(">iiiii").pack
_length = struct.Struct(">i").pack
_bigint = struct.Struct(">iq").pack
_SIXTEEN_BYTES = 16 << 128

Value = bytes
"""A value as it stands in an array on the wire: its length in bytes, then the bytes."""


def of_uuid(value: UUID | None) -> Value:
    return NULL if value is None else (_SIXTEEN_BYTES | value.int).to_bytes(20, "big")


def of_text(value: str | None) -> Value:
    if value is None:
        return NULL
    text = value.encode()
    return _length(len(text)) + text


def of_bytes(value: bytes) -> Value:
    return _length(len(value)) + value


def of_int(value: int) -> Value:
    return _bigint(8, value)


def columns(kinds: Sequence[str], rows: Sequence[Sequence[Value]]) -> list[bytes]:
    """The columns of `rows`, each of the kind at its place. Raises KeyError for a kind that there is no domain for."""
    return [column(kind, values) for kind, values in zip(kinds, zip(*rows, strict=True), strict=True)]


def column(kind: str, values: Sequence[Value]) -> bytes:
    """A column of values of one kind. Raises KeyError for a kind that there is no domain for."""
    return _head(1, 0, KINDS[kind], len(values), 1) + b"".join(values)


@lru_cache(64)
def each(kinds: tuple[str, ...], *, first: int = 1, alike: bool = False) -> str:
    """SQL for the value of every column, for a select without a table that makes all the rows at once. The columns are
    the parameters from number `first` on. `alike`: they have one row, which stands for as many as the others have."""
    said = "(${0}::{1})[1]" if alike else "unnest(${0}::{1})"
    return ", ".join(said.format(number, kind) for number, kind in enumerate(kinds, first))


async def teach(connection: Any) -> None:
    """Let an asyncpg connection take columns as they are. Its public `set_type_codec` does not take domains, because
    answers never name them; parameters do. A database without the domains has not been migrated yet."""
    rows = await connection.fetch("select typname, oid from pg_type where typname = any($1::text[])", list(KINDS))
    settings = connection._protocol.get_settings()  # noqa: SLF001
    for row in rows:
        settings.add_python_codec(row["oid"], row["typname"], "public", [], "scalar", bytes, bytes, "binary")
