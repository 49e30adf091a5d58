"""Files in a folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO

from livestall.storage.model import NoSuchFile


class Disk:
    """Keeps files under `folder`, two levels deep."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, data: bytes) -> None:
        path = self._folder / key
        if self.keep(key):
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

    def keep(self, key: str) -> bool:
        try:
            os.utime(self._folder / key)
        except FileNotFoundError:
            return False
        return True

    def older(self, endings: Collection[str], before: datetime) -> Iterator[str]:
        for shelf in sorted(self._folder.glob("??")):
            for path in sorted(shelf.iterdir()):
                if path.suffix[1:] in endings and not path.name.startswith(".") and _is_older(path, before):
                    yield f"{shelf.name}/{path.name}"

    def drop_older(self, key: str, before: datetime) -> bool:
        path = self._folder / key
        aside = path.with_name(f".{path.name}")
        try:
            path.replace(aside)  # whoever stores the same contents from now on writes them anew
        except FileNotFoundError:
            return False
        if _is_older(aside, before):
            aside.unlink(missing_ok=True)
            return True
        aside.replace(path)
        return False


def _is_older(path: Path, before: datetime) -> bool:
    try:
        return path.stat().st_mtime < before.timestamp()
    except FileNotFoundError:
        return False
