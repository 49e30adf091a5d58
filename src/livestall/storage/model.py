"""What a place for files can do."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import IO, Protocol

from livestall.base.errors import NotFound

KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{64}\.[a-z0-9]{1,5}")
TYPES = {"webp": "image/webp", "jpg": "image/jpeg", "png": "image/png", "csv": "text/csv; charset=utf-8"}
"""Ending of a file → its content type. Nothing else is ever handed to a browser."""

PUBLIC = frozenset({"webp", "jpg", "png"})
"""Endings of files that anyone may see; the rest only programs of the house open."""


class Backend(Protocol):
    """Files by key. A key is made of the contents' hash, so a file never changes and may be kept for ever."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data`, whole or not at all; the same key again only makes the file young."""
        ...

    def open(self, key: str) -> IO[bytes]:
        """The file, to be read and closed by the caller. Raises NoSuchFile."""
        ...

    def drop(self, key: str) -> None:
        """Remove the file if it is there."""
        ...

    def keep(self, key: str) -> bool:
        """Make the file as young as if it was stored just now; False if it is not there."""
        ...

    def older(self, endings: Collection[str], before: datetime) -> Iterator[str]:
        """Keys of files with these endings that nobody has stored or kept since `before`."""
        ...

    def drop_older(self, key: str, before: datetime) -> bool:
        """Remove the file unless somebody has stored or kept it since `before`; whether it is gone by that."""
        ...


class NoSuchFile(NotFound):
    code = "no-such-file"
    en = "There is no such file."
    zh = "文件不存在。"
