"""Brings the database to the newest schema. Migrations are SQL files, forward only, safe while the old code runs."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, exc, text
from sqlalchemy.pool import NullPool

LOCK = 0x11_FE_57_A1
"""Key of the advisory lock that makes several starting processes migrate one after another."""

TRY_SECONDS = 0.1


class NoDatabase(Exception):
    """There is no database at the URL, or it does not let us in; the text is a sentence for the operator."""


def folder() -> Path:
    """`migrations/` beside the sources, or inside the installed package."""
    inside = Path(__file__).parent.parent / "migrations"
    return inside if inside.exists() else Path(__file__).parents[3] / "migrations"


def migrate(dsn: str, to: str = "head") -> None:
    """Run every migration up to `to` that `dsn` has not seen yet. Each commits by itself: one that fails leaves those
    before it done. Raises NoDatabase."""
    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.set_main_option("path_separator", "os")
    # Connected by the driver: SQLAlchemy understands no URL with several hosts that have ports.
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(dsn), poolclass=NullPool)
    with _alone(engine), engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, to)


@contextmanager
def _alone(engine: Engine) -> Generator[None]:
    """Let no two migrate at once. Whoever waits asks again and again instead of waiting in one statement: its open
    snapshot would hold up an index that is built concurrently, for ever."""
    try:
        first = engine.connect()
    except exc.DBAPIError as error:
        why = str(error.orig).strip().splitlines()[0]
        raise NoDatabase(f"no database: {why}; check LIVESTALL_DATABASE_URL") from error
    with first.execution_options(isolation_level="AUTOCOMMIT") as connection:
        while not connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": LOCK}).scalar():
            time.sleep(TRY_SECONDS)
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": LOCK})
