"""A real PostgreSQL for every run: one server per worker, one fresh database per test."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from livestall.accounts import Actor
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres
from livestall.base import clock, ids
from livestall.base import log as logs
from livestall.base.db import Database
from livestall.base.outbox import Relay

logs.set_up("tests", as_json=False, level="error")
settings.register_profile("random", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("steady", settings.get_profile("random"), derandomize=True)
settings.load_profile("steady")  # the same examples in every run; others: `pytest --hypothesis-profile=random`
SETTINGS = """
synchronous_commit = on
max_connections = 200
fsync = off
full_page_writes = off
autovacuum = off
"""
"""As in production, but that nothing here survives a power cut, and nobody waits for the disk. Nor does anybody tidy up
at moments of their own: a transaction anywhere in the server, however short, holds back what the outbox hands on."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A PostgreSQL server with a migrated template database named `template`.

    In a folder of its own: pytest's are swept when many runs go on at the same time.
    """
    folder = Path(tempfile.mkdtemp(prefix="livestall-tests-"))
    folder.chmod(0o755)
    server = Postgres(folder / "postgres", settings=SETTINGS)
    server.start()
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("create database template")
    migrate(server.dsn("template"))
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def dsn(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh, migrated, empty database."""
    name = f"test_{ids.new().hex}"
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(f'create database "{name}" template template')
        yield postgres.dsn(name)
        connection.execute(f'drop database "{name}" with (force)')


@pytest.fixture
async def db(dsn: str) -> AsyncIterator[Database]:
    database = Database(dsn, maximum=20)
    yield database
    await database.close()


class Stage:
    """People and shows for a test, made by the shortest way."""

    def __init__(self, db: Database) -> None:
        self.db = db

    async def person(self, name: str = "Wei", *, with_channel: bool = False) -> Actor:
        """Somebody signed in; with a channel if they are to host."""
        user_id, creator_id = ids.new(), ids.new() if with_channel else None
        async with self.db.write() as tx:
            await tx.execute(
                "insert into user_account (id, login, password_hash, name, created_at) values ($1, $2, '-', $3, now())",
                user_id, f"{user_id}@example.test", name,
            )  # fmt: skip
            if creator_id is not None:
                await tx.execute(
                    "insert into creator (id, user_id, name, created_at) values ($1, $2, $3, now())",
                    creator_id, user_id, name,
                )  # fmt: skip
        return Actor(user_id, name, is_operator=False, creator_id=creator_id, seller_ids=frozenset(), scopes=None)

    async def host(self, name: str = "Mei") -> Actor:
        return await self.person(name, with_channel=True)

    async def show(self, host: Actor, state: str = "live", title: str = "Teapots tonight") -> UUID:
        """A show of that host, brought to `state` by its verbs."""
        from livestall.rooms import actions

        show_id = ids.new()
        async with self.db.write() as tx:
            planned_at = None if state == "draft" else clock.now()
            await actions.plan_show(
                tx, host, show_id, title=title, description="", planned_at=planned_at, mode="default"
            )
        if state in {"preview", "live", "interrupted", "ended", "replay"}:
            await self.picture(show_id)
            async with self.db.write() as tx:
                await actions.preview(tx, host, show_id)
                if state != "preview":
                    await actions.go_live(tx, host, show_id)
        if state == "interrupted":
            await self.no_picture(show_id)
        if state in {"ended", "replay"}:
            async with self.db.write() as tx:
                await actions.end(tx, host, show_id)
        if state == "replay":
            async with self.db.write() as tx:
                stream_id = await tx.fetchval("select stream_id from show where id = $1", show_id)
                await actions.stream_recorded(tx, show_id, stream_id, clock.now(), 60_000)
        return show_id

    async def picture(self, show_id: UUID) -> None:
        """A picture arrives from the host's encoder."""
        from livestall.rooms import jobs
        from livestall.video.actions import published
        from livestall.video.model import Publishing

        async with self.db.write() as tx:
            stream_id = await tx.fetchval("select stream_id from show where id = $1", show_id)
            await published(tx, [Publishing(stream_id, ids.new(), "rtmp", clock.now())])
        await Relay(self.db, [jobs.LISTENER]).drain()

    async def no_picture(self, show_id: UUID) -> None:
        """The encoder is gone."""
        from livestall.rooms import jobs
        from livestall.video.actions import unpublished
        from livestall.video.model import Stopping

        async with self.db.write() as tx:
            row = await tx.fetchrow(
                "select st.id, st.session_id from stream st join show s on s.stream_id = st.id where s.id = $1", show_id
            )
            assert row is not None
            await unpublished(tx, [Stopping(row["id"], row["session_id"], "rtmp", clock.now(), "cable pulled")])
        await Relay(self.db, [jobs.LISTENER]).drain()


@pytest.fixture
def stage(db: Database) -> Stage:
    return Stage(db)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The browser's tests come last (each file in one worker: `--dist loadfile`): Playwright keeps an event loop
    running in its thread, in which no asynchronous test can run afterwards."""
    browser = [item for item in items if "/tests/e2e/" in item.path.as_posix()]
    items[:] = [item for item in items if item not in set(browser)] + browser
