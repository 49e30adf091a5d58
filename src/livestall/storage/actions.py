"""The verbs of storage. Blocking work runs in threads."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import IO

from livestall.storage.backends.disk import Disk
from livestall.storage.model import KEY, TYPES, Backend, NoSuchFile

_backend: list[Backend] = [Disk(Path("var/livestall/files"))]


def use(backend: Backend) -> None:
    """Keep files there from now on; called once at start."""
    _backend[0] = backend


async def put(data: bytes, ending: str) -> str:
    """Store `data` and return its key. `ending` is one of TYPES, without a dot."""
    if ending not in TYPES:
        raise ValueError(f"{ending!r} is no ending that we keep")
    digest = hashlib.sha256(data).hexdigest()
    key = f"{digest[:2]}/{digest}.{ending}"
    await asyncio.to_thread(_backend[0].put, key, data)
    return key


def link(key: str) -> str:
    """The address of a file, relative to the market's."""
    return f"/files/{key}"


def open(key: str) -> IO[bytes]:  # noqa: A001 - the word for it
    """The file, for reading; blocking, so call it in a thread. Raises NoSuchFile, also for what is no key of ours."""
    if not KEY.fullmatch(key):
        raise NoSuchFile
    return _backend[0].open(key)


async def drop(key: str) -> None:
    """Remove a file; nothing happens if it is not there."""
    if KEY.fullmatch(key):
        await asyncio.to_thread(_backend[0].drop, key)


async def clean(
    endings: Collection[str], before: datetime, needed: Callable[[Sequence[str]], Awaitable[set[str]]], batch: int = 500
) -> int:
    """Drop files with these endings that nobody stored since `before` and nobody needs; returns how many.

    `needed` says which of some keys still are in use: those become young, and are asked about again when they are old.
    Whoever stores the same contents meanwhile keeps the file: it is young from then on.
    """
    backend = _backend[0]
    keys = backend.older(endings, before)
    dropped = 0
    while old := await asyncio.to_thread(lambda: list(islice(keys, batch))):
        used = await needed(old)
        dropped += await asyncio.to_thread(_sort_out, backend, old, used, before)
    return dropped


def _sort_out(backend: Backend, old: Sequence[str], used: set[str], before: datetime) -> int:
    for key in used:
        backend.keep(key)
    return sum(backend.drop_older(key, before) for key in old if key not in used)
