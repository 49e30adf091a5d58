"""The verbs of storage. Blocking work runs in threads."""

from __future__ import annotations

import asyncio
import hashlib
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
