"""PostgreSQL: a pool, and two kinds of handle. `Read` may look; `Tx` is an open transaction and may write.

Actions take `tx: Tx` first: having one is the proof that the caller owns the transaction and will commit it.
Store functions take the weakest handle that does; a `Tx` is also a `Read`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
import msgspec

from livestall.base.errors import Unavailable

T = TypeVar("T")

RETRIES = 3
LOST = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.InternalClientError)  # fmt: skip
"""Errors that mean: the connection is gone, and the outcome of what was under way is unknown.

(InternalClientError: asyncpg trips over a server that falls silent halfway.)
"""

AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Errors that mean: nothing was committed, run the transaction again."""

Row = Any
"""A row of an answer: a mapping by column name."""


class Read:
    """A handle that may look. Outside a transaction each statement sees its own snapshot."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._connection.fetchval(sql, *args)


class Tx(Read):
    """An open transaction. Whoever opened it commits it; inner code never does."""

    async def execute(self, sql: str, *args: object) -> int:
        """Run one statement; returns the number of rows it changed."""
        status: str = await self._connection.execute(sql, *args)
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Insert many rows by COPY: half the cost of an INSERT from arrays, on both sides."""
        await self._connection.copy_records_to_table(table, columns=columns, records=rows)

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await self._connection.executemany(sql, rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """A part that may fail alone: on an exception only what happened inside is undone."""
        async with self._connection.transaction():
            yield


def _jsonb_encode(value: object) -> bytes:
    return b"\x01" + msgspec.json.encode(value)


def _jsonb_decode(value: bytes) -> object:
    return msgspec.json.decode(value[1:])


async def _set_up(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_jsonb_encode, decoder=_jsonb_decode, format="binary"
    )


class Database:
    """A pool of connections to one PostgreSQL.

    `dsn` is a URL; `minimum`/`maximum` are connections. Opening does not fail when the database is down: handles then
    raise Unavailable until it is back.
    """

    def __init__(self, dsn: str, *, minimum: int = 1, maximum: int = 10) -> None:
        self.dsn = dsn
        self._minimum, self._maximum = minimum, maximum
        self._pool: Any = None
        self._opening = asyncio.Lock()

    async def _ready_pool(self) -> Any:
        if self._pool is None:
            async with self._opening:
                if self._pool is None:
                    self._pool = await asyncpg.create_pool(
                        self.dsn, min_size=self._minimum, max_size=self._maximum, init=_set_up, timeout=5,
                        command_timeout=30, server_settings={"timezone": "UTC", "lock_timeout": "10s"},
                    )  # fmt: skip
        return self._pool

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Any]:
        try:
            pool = await self._ready_pool()
            connection = await pool.acquire(timeout=5)
        except (*LOST, asyncpg.PostgresError, TimeoutError) as error:  # it cannot, or will not, let us in
            raise Unavailable from error
        try:
            yield connection
        except LOST as error:
            raise Unavailable from error
        finally:
            try:
                await pool.release(connection, timeout=5)
            except (*LOST, TimeoutError):
                connection.terminate()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Read]:
        """A handle to look with. Raises Unavailable when the database is away."""
        async with self._connection() as connection:
            yield Read(connection)

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Tx]:
        """A transaction, committed when the block ends without an exception. Raises Unavailable if the connection
        is lost: then the outcome is unknown, and the caller may repeat with the same ids."""
        async with self._connection() as connection, connection.transaction():
            yield Tx(connection)

    async def run(self, verb: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `verb` in a transaction of its own, again (at most 3 times) after a deadlock or serialization failure."""
        for _ in range(RETRIES - 1):
            try:
                async with self.write() as tx:
                    return await verb(tx)
            except AGAIN:
                continue
        async with self.write() as tx:
            return await verb(tx)

    async def connect(self) -> Any:
        """A connection outside the pool, set up the same way; for lanes that keep one. The caller closes it."""
        connection = await asyncpg.connect(self.dsn, timeout=5, server_settings={"timezone": "UTC"})
        await _set_up(connection)
        return connection

    async def close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), 5)
            except (*LOST, TimeoutError):
                self._pool.terminate()
            self._pool = None
