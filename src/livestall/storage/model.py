"""What a place for files can do."""

from __future__ import annotations

import re
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
        """Store `data`, whole or not at all; the same key again changes nothing."""
        ...

    def open(self, key: str) -> IO[bytes]:
        """The file, to be read and closed by the caller. Raises NoSuchFile."""
        ...

    def drop(self, key: str) -> None:
        """Remove the file if it is there."""
        ...


class NoSuchFile(NotFound):
    code = "no-such-file"
    en = "There is no such file."
    zh = "文件不存在。"
