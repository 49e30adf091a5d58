"""Strangers' pictures are opened in a process of their own, which may do nothing else, and come back small."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from livestall.catalog.pictures.model import (
    BYTES_MAX,
    PIXELS_MAX,
    SAID,
    SIDE_MAX,
    BrokenPicture,
    NotAPicture,
    PictureTooLarge,
    PressBusy,
    Shrunk,
    too_large,
)

PRESS = Path(__file__).with_name("press.py")
AT_ONCE, QUEUE_MAX = 2, 32
MEMORY_BYTES = 1024 * 1024 * 1024
CPU_SECONDS, WALL_SECONDS = 15, 30
ANSWER_BYTES = 16 * 1024 * 1024

_presses = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="press")


class _Head(msgspec.Struct, frozen=True):
    refused: str = ""
    width: int = 0
    height: int = 0
    large: int = 0
    small: int = 0


async def shrink(data: bytes) -> Shrunk:
    """Our picture of `data`, of whatever its contents say they are. One takes 0.2 to 2 s of one core.

    Raises NotAPicture, BrokenPicture, TooWide, TooHigh, TooManyPixels, PictureTooLarge; PressBusy when too many wait.
    """
    if not data:
        raise NotAPicture
    if len(data) > BYTES_MAX:
        raise PictureTooLarge
    if _presses._work_queue.qsize() >= QUEUE_MAX:  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        raise PressBusy
    return _read(await asyncio.get_running_loop().run_in_executor(_presses, _press, data))


def _press(data: bytes) -> bytes:
    """What the child answers; nothing if it was ended for using too much."""
    limits = (SIDE_MAX, PIXELS_MAX, MEMORY_BYTES, CPU_SECONDS, ANSWER_BYTES)
    with tempfile.TemporaryFile() as answer:  # a file, so that the limit on its size bounds the answer
        try:
            subprocess.run(
                [sys.executable, "-I", str(PRESS), *map(str, limits)],
                input=data, stdout=answer, stderr=subprocess.DEVNULL, timeout=WALL_SECONDS, check=False,
                env={"MALLOC_ARENA_MAX": "2"},
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return b""
        answer.seek(0)
        return answer.read(ANSWER_BYTES)


def _read(answer: bytes) -> Shrunk:
    line, _, body = answer.partition(b"\n")
    try:
        head = msgspec.json.decode(line, type=_Head)
    except msgspec.MsgspecError as error:
        raise BrokenPicture from error
    if head.refused == "too-many-pixels":
        raise too_large(head.width, head.height)
    if head.refused:
        raise SAID.get(head.refused, BrokenPicture)
    if len(body) != head.large + head.small:
        raise BrokenPicture
    return Shrunk(body[: head.large], body[head.large :], head.width, head.height)
