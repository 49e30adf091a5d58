"""Reading files: a sweep takes an import and reads it to its end, a chunk a transaction. Another drops files that were
read."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import IO

import msgspec

from livestall import storage
from livestall.base import clock, config
from livestall.base.db import Database, Tx
from livestall.base.jobs import Sweep
from livestall.catalog import pictures
from livestall.catalog.imports import actions, store
from livestall.catalog.imports.goods import Goods, Shaper
from livestall.catalog.imports.model import BadFile, Fault
from livestall.catalog.imports.reader import Contents, Group, Table
from livestall.catalog.imports.store import Claim
from livestall.catalog.model import Settings

LEASE = timedelta(seconds=60)
"""A reader that moved nothing for so long is taken for dead, and its import is continued by another."""

TRIES = 5
CHUNK_ROWS = 500
CLEAN_EVERY_SECONDS = 3600


class Chunk(msgspec.Struct):
    """Products of the file that are written together; `groups` and `rows` count bad ones too."""

    goods: list[Goods] = []
    faults: list[Fault] = []
    groups: int = 0
    rows: int = 0
    last: bool = False


class LostClaim(Exception):
    """Another worker reads this import now."""


async def read_next(db: Database) -> int:
    """Read one import to its end; 0 if none is waiting."""
    now = clock.now()
    async with db.write() as tx:
        claim = await store.claim(tx, now, now + LEASE)
        if claim is not None and claim.tries > TRIES:
            await store.fail(tx, claim.id, Fault("stopped"))
            return 1
    if claim is None:
        return 0
    try:
        file = await asyncio.to_thread(storage.open, claim.file)
        with file, contextlib.suppress(LostClaim):
            await _read(db, claim, file)
    except storage.NoSuchFile:
        await _fail(db, claim, Fault("file-gone"))
    except BadFile as error:
        await _fail(db, claim, error.fault)
    return 1


async def _fail(db: Database, claim: Claim, fault: Fault) -> None:
    async with db.write() as tx:
        await store.fail(tx, claim.id, fault)


async def _read(db: Database, claim: Claim, file: IO[bytes]) -> None:
    table = await asyncio.to_thread(Table, file)
    contents = await asyncio.to_thread(table.look)
    async with db.write() as tx:
        await store.set_lines(tx, claim.id, contents.rows)
    chunks = _chunks(table, contents, claim)
    done = claim.groups_done
    while True:
        chunk = await asyncio.to_thread(next, chunks)
        await db.run(_Write(claim, chunk, done))
        done += chunk.groups
        if chunk.last:
            return


class _Write:
    """A chunk on its way into the catalog, in one transaction with the import's progress."""

    def __init__(self, claim: Claim, chunk: Chunk, done: int) -> None:
        self._claim, self._chunk, self._done = claim, chunk, done

    async def __call__(self, tx: Tx) -> None:
        claim, chunk = self._claim, self._chunk
        kept = await store.hold(tx, claim.id, self._done)
        if kept is None:
            raise LostClaim
        outcome = await actions.save(tx, claim, chunk.goods)
        faults = sorted([*chunk.faults, *outcome.faults], key=lambda one: one.line)
        await store.advance(
            tx, claim.id, groups=chunk.groups, lines=chunk.rows, created=outcome.created, updated=outcome.updated,
            faults=faults, kept=kept, until=clock.now() + LEASE, done=chunk.last,
        )  # fmt: skip


def _chunks(table: Table, contents: Contents, claim: Claim) -> Iterator[Chunk]:
    """The file in chunks, behind the products that are done; the last one, maybe empty, says so."""
    shaper = Shaper(contents.heading, claim.currency, is_picture)
    chunk = Chunk()
    for at, group in enumerate(table.groups(contents.scattered)):
        if at < claim.groups_done:
            continue
        if chunk.rows and chunk.rows + group.count > CHUNK_ROWS:
            yield chunk
            chunk = Chunk()
        _add(chunk, shaper, group)
    chunk.last = True
    yield chunk


def _add(chunk: Chunk, shaper: Shaper, group: Group) -> None:
    goods, faults = shaper.shape(group)
    chunk.goods += [goods] if goods else []
    chunk.faults += faults
    chunk.groups += 1
    chunk.rows += group.count


def is_picture(url: str) -> bool:
    try:
        pictures.check_url(url)
    except pictures.BadAddress:
        return False
    return True


async def drop_read(db: Database) -> int:
    """Drop files whose imports ended some days ago; returns how many. The reports stay."""
    before = clock.now() - timedelta(days=config.of(Settings).import_file_days)

    async def needed(files: Sequence[str]) -> set[str]:
        async with db.read() as read:
            return await store.files_in_use(read, files, before)

    return await storage.clean({"csv"}, before, needed)


SWEEPS = [
    Sweep("catalog.imports", 1, read_next, batch=1),
    Sweep("catalog.drop_imports", CLEAN_EVERY_SECONDS, drop_read),
]
