"""PostgreSQL: a pool, and two kinds of handle. `Read` may look; `Tx` is an open transaction and may write.

Actions take `tx: Tx` first: having one is the proof that the caller owns the transaction and will commit it.
Store functions take the weakest handle that does; a `Tx` is also a `Read`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from functools import lru_cache
from typing import Any, TypeVar

import asyncpg
import msgspec

from livestall.base import columns, trace
from livestall.base.errors import Unavailable
from livestall.base.metrics import SECONDS, Counter, Gauge, Histogram

T = TypeVar("T")

TRANSACTION = Histogram("livestall_db_transaction_seconds", "From begin to commit", buckets=SECONDS)
IN_USE = Gauge("livestall_db_connections_in_use", "Connections of the pool that are at work")
WAITING = Gauge("livestall_db_waiting", "Who waits for a connection of the pool")
AWAY = Counter("livestall_db_away_total", "Times that the database could not be reached, or was lost on the way")

RETRIES = 3
LOST = (OSError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError, asyncpg.CrashShutdownError, asyncpg.InternalClientError)  # fmt: skip
"""Errors that mean: the connection is gone, and the outcome of what was under way is unknown.

(InternalClientError: asyncpg trips over a server that falls silent halfway.)
"""

MUST = "LS001"
"""What PostgreSQL says (SQLSTATE) when a condition given to `Tx.must` is not true."""

AGAIN = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
"""Errors that mean: nothing was committed, run the transaction again."""

SESSION = {
    "timezone": "UTC", "tcp_keepalives_idle": "10", "tcp_keepalives_interval": "3", "tcp_keepalives_count": "3",
    "tcp_user_timeout": "15000",
}  # fmt: skip
"""Settings of every connection. The server notices within 20 s that a machine is gone, and frees what it had locked."""

PARAMETER = re.compile(r"\$(\d+)")
"""A parameter of a statement."""

Row = Any
"""A row of an answer: a mapping by column name."""


class Changed(Exception):
    """A condition given to `Tx.must` was not true, so nothing of what was sent with it is written."""


class Read:
    """A handle that may look. Outside a transaction each statement sees its own snapshot."""

    def __init__(self, connection: Any) -> None:
        self._connection = trace.Watched(connection) if trace.on() else connection

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        return await self._connection.fetchval(sql, *args)

    async def columns(self, sql: str) -> tuple[str, ...]:
        """The names of what a statement answers with."""
        statement = await self._connection.prepare(sql)
        return tuple(one.name for one in statement.get_attributes())


class Tx(Read):
    """An open transaction. Whoever opened it commits it; inner code never does."""

    def __init__(self, connection: Any) -> None:
        super().__init__(connection)
        self._later: dict[tuple[str, str], Sequence[Any]] = {}
        self._musts: list[tuple[str, Sequence[Any]]] = []

    async def later(self, sql: str, *args: Any, extend: bool = False, name: str = "") -> None:
        """Send this INSERT, UPDATE or DELETE together with others in one round trip: before the transaction's next
        statement, at the latest before its commit. Errors come then.

        Statements sent together see nothing of each other, so none may need what another writes; but by `name` they
        may read what this one returns. The same one again is sent after the first; with `extend`, when every argument
        is a column of new rows, its rows join the first's.
        """
        key = name, sql
        known = self._later.get(key)
        if known is not None and extend:
            self._later[key] = [[*before, *more] for before, more in zip(known, args, strict=True)]
            return
        if known is not None:
            await self.flush()
        self._later[key] = args

    async def must(self, condition: str, *args: Any) -> None:
        """Send this condition with the statements of `later`, and look at it before any of them: unless it is true,
        nothing of them is written and the flush raises Changed. What it locks stays locked until the commit."""
        self._musts.append((condition, args))

    async def flush(self) -> None:
        """Send what waits. Whoever makes a `Tx` calls this before the commit."""
        if not self._later and not self._musts:
            return
        later, musts = self._later, self._musts
        self._later, self._musts = {}, []
        statement = _together(tuple(later), tuple(condition for condition, _ in musts))
        args = [*later.values(), *(args for _, args in musts)]
        try:
            await self._connection.execute(statement, *(arg for one in args for arg in one))
        except asyncpg.PostgresError as error:
            if error.sqlstate == MUST:
                raise Changed from error
            raise

    async def fetch(self, sql: str, *args: object) -> Sequence[Row]:
        await self.flush()
        return await self._connection.fetch(sql, *args)

    async def fetchrow(self, sql: str, *args: object) -> Row | None:
        await self.flush()
        return await self._connection.fetchrow(sql, *args)

    async def fetchval(self, sql: str, *args: object) -> Any:
        await self.flush()
        return await self._connection.fetchval(sql, *args)

    async def execute(self, sql: str, *args: object) -> int:
        """Run one statement; returns the number of rows it changed."""
        await self.flush()
        status: str = await self._connection.execute(sql, *args)
        last = status.rpartition(" ")[2]
        return int(last) if last.isdigit() else 0

    async def copy(self, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Insert many rows by COPY."""
        await self.flush()
        await self._connection.copy_records_to_table(table, columns=columns, records=rows)

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        await self.flush()
        await self._connection.executemany(sql, rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """A part that may fail alone: on an exception only what happened inside is undone."""
        await self.flush()
        try:
            async with self._connection.transaction():
                yield
                await self.flush()
        except BaseException:
            self._later, self._musts = {}, []
            raise


class OneStatement(Tx):
    """A transaction of a single statement: what `later` and `must` gather. There is nothing to begin or to commit, and
    what it locks is held only while PostgreSQL works on it. Nothing can be asked."""

    async def flush(self) -> None:
        raise RuntimeError("a transaction of one statement asks nothing, and says nothing twice")

    async def send(self) -> None:
        """Write it all, or nothing. Raises Changed."""
        await super().flush()


@asynccontextmanager
async def one_statement(connection: Any) -> AsyncGenerator[Tx]:
    """A transaction that is sent, and committed, when the block ends without an exception."""
    begin = time.perf_counter()
    tx = OneStatement(connection)
    yield tx
    if trace.on():
        with trace.span("postgresql commit", kind="client"):
            await tx.send()
    else:
        await tx.send()
    TRANSACTION.observe(time.perf_counter() - begin)


@asynccontextmanager
async def begun(connection: Any) -> AsyncGenerator[Tx]:
    """A transaction on `connection`, committed when the block ends without an exception."""
    begin = time.perf_counter()
    transaction = connection.transaction()
    await transaction.start()
    try:
        tx = Tx(connection)
        yield tx
        await tx.flush()
    except BaseException:
        await transaction.rollback()
        raise
    if trace.on():
        with trace.span("postgresql commit", kind="client"):
            await transaction.commit()
    else:
        await transaction.commit()
    TRANSACTION.observe(time.perf_counter() - begin)


@lru_cache(256)
def _together(statements: tuple[tuple[str, str], ...], conditions: tuple[str, ...]) -> str:
    """The statements (name, SQL) and the conditions as one, the parameters of each numbered after those before."""
    if len(statements) == 1 and not conditions:
        return statements[0][1]
    taken = 0

    def numbered(sql: str) -> str:
        nonlocal taken
        before, numbers = taken, [int(n) for n in PARAMETER.findall(sql)]
        taken += max(numbers, default=0)
        return PARAMETER.sub(lambda n: f"${int(n[1]) + before}", sql)

    parts = [f"{name or f'w{place}'} as ({numbered(sql)})" for place, (name, sql) in enumerate(statements)]
    first = f"with {', '.join(parts)} " if parts else ""
    return first + "select " + ", ".join(f"must({numbered(one)})" for one in conditions)


def _jsonb_encode(value: object) -> bytes:
    return b"\x01" + msgspec.json.encode(value)


def _jsonb_decode(value: bytes) -> object:
    return msgspec.json.decode(value[1:])


async def _set_up(connection: Any) -> None:
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_jsonb_encode, decoder=_jsonb_decode, format="binary"
    )
    await columns.teach(connection)


async def _keep(_connection: Any) -> None:
    """Between two users of a connection nothing has to be undone: no verb leaves settings, session locks, cursors or
    listeners behind, and an open transaction is rolled back before this. It saves a round trip with every read."""


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
                        self.dsn, min_size=self._minimum, max_size=self._maximum, init=_set_up, reset=_keep, timeout=5,
                        command_timeout=30, server_settings={**SESSION, "lock_timeout": "10s"},
                    )  # fmt: skip
        return self._pool

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[Any]:
        WAITING.inc()
        try:
            pool = await self._ready_pool()
            connection = await pool.acquire(timeout=5)
        except (*LOST, asyncpg.PostgresError, TimeoutError) as error:  # it cannot, or will not, let us in
            AWAY.inc()
            raise Unavailable from error
        finally:
            WAITING.dec()
        IN_USE.inc()
        try:
            yield connection
        except LOST as error:
            AWAY.inc()
            raise Unavailable from error
        finally:
            IN_USE.dec()
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
        async with self._connection() as connection, begun(connection) as tx:
            yield tx

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
        connection = await asyncpg.connect(self.dsn, timeout=5, server_settings=SESSION)
        await _set_up(connection)
        return connection

    async def close(self) -> None:
        if self._pool is not None:
            try:
                await asyncio.wait_for(self._pool.close(), 5)
            except (*LOST, TimeoutError):
                self._pool.terminate()
            self._pool = None
