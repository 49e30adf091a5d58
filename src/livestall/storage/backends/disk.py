"""Files in a folder."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import IO

from livestall.storage.model import NoSuchFile


class Disk:
    """Keeps files under `folder`, two levels deep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        path = self._folder / key
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def open(self, key: str) -> IO[bytes]:
        try:
            return (self._folder / key).open("rb")
        except FileNotFoundError as error:
            raise NoSuchFile from error

    def drop(self, key: str) -> None:
        (self._folder / key).unlink(missing_ok=True)
