"""Migrations run while people buy: none may lock a large table for as long as it takes to build an index."""

from __future__ import annotations

import ast
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from helpers.patience import PATIENCE_SECONDS
from helpers.repository import ROOT
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres
from livestall.base import ids

FOLDER = ROOT / "migrations" / "versions"
FIRST_UNDER_THE_RULE = "0018"
"""Those before were written when nobody had run a market: every table was empty."""

INDEX = re.compile(
    r"create\s+(?:unique\s+)?index\s+(concurrently\s+)?(?:if\s+not\s+exists\s+)?\w+\s+on\s+(\w+)", re.IGNORECASE
)
TABLE = re.compile(r"create\s+table\s+(?:if\s+not\s+exists\s+)?(\w+)", re.IGNORECASE)
SLOW = re.compile(
    r"add\s+constraint\s+(?![^;]*not\s+valid)[^;,]*\b(?:check|foreign\s+key)\b|alter\s+column\s+\w+\s+type\b",
    re.IGNORECASE,
)
"""A constraint that reads the whole table under a lock (`not valid`, then `validate constraint`, does not), and a
column that is written anew."""


def wrong_in(source: str) -> list[str]:
    """What a migration does that would make a running market wait."""
    tree = ast.parse(source)
    apart = {id(one) for block in ast.walk(tree) if _is_autocommit(block) for one in ast.walk(block)}
    said = [(one.value, id(one) in apart) for one in ast.walk(tree) if isinstance(one, ast.Constant)
            and isinstance(one.value, str)]  # fmt: skip
    made = {name for text, _ in said for name in TABLE.findall(text)}
    found: list[str] = []
    for text, outside in said:
        for concurrently, table in INDEX.findall(text):
            if not concurrently and table not in made:
                found.append(f"an index on {table} locks it: create index concurrently, in an autocommit_block")
            if concurrently and not outside:
                found.append(f"the concurrent index on {table} needs op.get_context().autocommit_block()")
        found += [f"this locks its table for long: {match[0]!r}" for match in SLOW.finditer(text)]
    return found


def _is_autocommit(node: ast.AST) -> bool:
    return isinstance(node, ast.With) and any("autocommit_block" in ast.unparse(one) for one in node.items)


def under_the_rule() -> list[Path]:
    return [path for path in sorted(FOLDER.glob("*.py")) if path.name >= FIRST_UNDER_THE_RULE]


@pytest.mark.parametrize("path", under_the_rule(), ids=lambda path: path.stem)
def test_no_migration_makes_a_running_market_wait(path: Path):
    assert wrong_in(path.read_text()) == []


def test_the_rule_tells_good_from_bad():
    locking = 'op.execute("create index a on orders (id)")'
    assert wrong_in(locking) != []
    assert wrong_in('op.execute("create table fresh (id int); create index a on fresh (id)")') == []
    assert wrong_in('op.execute("create unique index concurrently a on orders (id)")') != [], "not in a transaction"
    apart = "with op.get_context().autocommit_block():\n    "
    assert wrong_in(apart + 'op.execute("create index concurrently a on orders (id)")') == []
    assert wrong_in(apart + locking) != []
    assert wrong_in('op.execute("alter table orders add constraint c check (a > 0)")') != []
    assert wrong_in('op.execute("alter table orders add constraint c check (a > 0) not valid")') == []
    assert wrong_in('op.execute("alter table orders alter column a type bigint")') != []


@pytest.fixture
def before(postgres: Postgres) -> Iterator[str]:
    """A database as it was before migration 0018."""
    name = f"test_{ids.new().hex}"
    with psycopg.connect(postgres.dsn("postgres"), autocommit=True) as connection:
        connection.execute(f'create database "{name}"')  # type: ignore[arg-type]
        migrate(postgres.dsn(name), "0017")
        yield postgres.dsn(name)
        connection.execute(f'drop database "{name}" with (force)')  # type: ignore[arg-type]


def hold(connection: psycopg.Connection) -> None:
    """A hold as a sale writes it; a lock on the table fails it soon."""
    connection.execute("set lock_timeout = '2s'")
    connection.execute(
        """insert into stock_hold (order_id, line_no, seller_id, pool_id, variant_id, holder_id, quantity)
            select id, 1, id, id, id, id, 1 from gen_random_uuid() id"""
    )


def is_building(dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        row = connection.execute("select count(*) from pg_stat_progress_create_index").fetchone()
    return bool(row and row[0])


def index_of(dsn: str) -> tuple[bool, bool] | None:
    """(valid, ready) of the index of the proof."""
    with psycopg.connect(dsn) as connection:
        return connection.execute(
            "select indisvalid, indisready from pg_index where indexrelid = to_regclass('stock_hold_of_pool')"
        ).fetchone()


def test_holds_are_written_while_the_index_of_the_proof_is_built(before: str):
    with psycopg.connect(before) as seller:
        hold(seller)  # not committed: the index waits for it
        failed: list[BaseException] = []
        builders = [threading.Thread(target=upgraded, args=(before, failed)) for _ in range(2)]
        for one in builders:
            one.start()
        wait_until(lambda: is_building(before), "the index being built")
        with psycopg.connect(before) as other:
            hold(other)
        assert is_building(before), "the sale beside it was not what it waited for"
        seller.commit()
        for one in builders:
            one.join(PATIENCE_SECONDS)
    assert failed == []
    assert index_of(before) == (True, True)


def test_an_index_that_was_broken_off_is_built_anew(before: str):
    with psycopg.connect(before, autocommit=True) as connection:
        connection.execute("create index stock_hold_of_pool on stock_hold (pool_id)")
        connection.execute("update pg_index set indisvalid = false where indexrelid = 'stock_hold_of_pool'::regclass")
    migrate(before)
    assert index_of(before) == (True, True)


def upgraded(dsn: str, failed: list[BaseException]) -> None:
    try:
        migrate(dsn)
    except BaseException as error:
        failed.append(error)


def wait_until(check: object, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not check():  # type: ignore[operator]
        assert time.monotonic() < deadline, what
        time.sleep(0.02)
