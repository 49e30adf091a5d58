"""Brings the database to the newest schema. Migrations are SQL files, forward only, safe while the old code runs."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

LOCK = 0x11_FE_57_A1
"""Key of the advisory lock that makes several starting processes migrate one after another."""


def folder() -> Path:
    """`migrations/` beside the sources, or inside the installed package."""
    inside = Path(__file__).parent.parent / "migrations"
    return inside if inside.exists() else Path(__file__).parents[3] / "migrations"


def migrate(dsn: str) -> None:
    """Run every migration that `dsn` has not seen yet."""
    config = Config()
    config.set_main_option("script_location", str(folder()))
    config.set_main_option("path_separator", "os")
    engine = create_engine(dsn.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=NullPool)
    with engine.connect() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
