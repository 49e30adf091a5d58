"""A real PostgreSQL for every run: one server per worker, one fresh database per test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest

from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres
from livestall.base import ids
from livestall.base.db import Database


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server with a migrated template database named `template`."""
    folder = tmp_path_factory.mktemp("postgres")
    for parent in [folder, *list(folder.parents)[:3]]:  # when root runs the tests, PostgreSQL's own user must get in
        if parent != Path("/tmp"):
            parent.chmod(0o755)
    server = Postgres(folder, settings="synchronous_commit = on\nmax_connections = 200\n")
    server.start()
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute("create database template")
    migrate(server.dsn("template"))
    yield server
    server.stop()


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
