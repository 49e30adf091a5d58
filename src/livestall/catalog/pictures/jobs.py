"""What time starts in pictures: those that wait for their address are fetched, and files that nothing shows any more
are dropped."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from livestall import storage
from livestall.base import clock, config
from livestall.base.db import Database, Read, Tx
from livestall.base.errors import Refusal, Unavailable
from livestall.base.jobs import Sweep
from livestall.base.outbox import emit
from livestall.catalog.model import ProductChanged, Settings
from livestall.catalog.pictures import store
from livestall.catalog.pictures.fetch import fetch
from livestall.catalog.pictures.model import BrokenPicture, Shrunk, Waiting
from livestall.catalog.pictures.shrink import shrink
from livestall.catalog.store import seller_of

log = structlog.get_logger()
BATCH = 8
LEASE_SPARE = timedelta(seconds=180)
CLEAN_EVERY_SECONDS = 3600
PAUSES = (10, 60, 300, 900)
"""Seconds before the second try, the third…"""


async def fetch_pictures(db: Database) -> int:
    """Fetch pictures whose turn it is; returns how many were tried."""
    lease = timedelta(seconds=config.of(Settings).picture_fetch_seconds) + LEASE_SPARE
    claimed = await db.run(lambda tx: store.claim(tx, clock.now(), lease, BATCH))
    await asyncio.gather(*(_one(db, waiting) for waiting in claimed))
    return len(claimed)


async def _one(db: Database, waiting: Waiting) -> None:
    tries = config.of(Settings).picture_tries
    try:
        data = await _fetched(waiting, tries)
        ours = await shrink(data)
        keys = await storage.put(ours.large, "webp"), await storage.put(ours.small, "webp")
        await db.run(lambda tx: _ready(tx, waiting, data, ours, keys))
    except Refusal as no:
        await _not_now(db, waiting, no, final=not isinstance(no, Unavailable) or waiting.attempts >= tries)
    except Exception:  # the lease ends, and it is tried again
        log.exception("fetching a picture failed", picture_id=str(waiting.id))


async def _fetched(waiting: Waiting, tries: int) -> bytes:
    if waiting.attempts > tries:  # whoever tried it last did not live to say what became of it
        raise BrokenPicture
    return await fetch(waiting.url)


async def _ready(tx: Tx, waiting: Waiting, data: bytes, ours: Shrunk, keys: tuple[str, str]) -> None:
    done = await store.ready(
        tx, waiting.id, digest=hashlib.sha256(data).digest(), large=keys[0], small=keys[1], width=ours.width,
        height=ours.height,
    )  # fmt: skip
    if done:
        await _tell(tx, waiting)


async def _not_now(db: Database, waiting: Waiting, no: Refusal, *, final: bool) -> None:
    async def note(tx: Tx) -> None:
        if not final:
            pause = PAUSES[min(waiting.attempts, len(PAUSES)) - 1]
            await store.again(tx, waiting.id, clock.now() + timedelta(seconds=pause))
        elif await store.failed(tx, waiting.id, f"{no.sentence('en')}\n{no.sentence('zh')}"):
            await _tell(tx, waiting)

    await db.run(note)


async def _tell(tx: Tx, waiting: Waiting) -> None:
    seller_id = await seller_of(tx, waiting.product_id)
    if seller_id is not None:
        await emit(tx, [ProductChanged(subject=waiting.product_id, seller_id=seller_id)])


Shown = Callable[[Read, Sequence[str]], Awaitable[set[str]]]
"""Which of some addresses are shown elsewhere, as order lines show what was bought as it was then."""


async def drop_unused(db: Database, shown_elsewhere: Shown) -> int:
    """Drop the files of pictures that for some days no product has had and nothing else shows; returns how many."""

    async def needed(keys: Sequence[str]) -> set[str]:
        async with db.read() as read:
            used = await store.files_in_use(read, keys)
            others = {storage.link(key): key for key in keys if key not in used}
            return used | {others[address] for address in await shown_elsewhere(read, list(others))}

    before = clock.now() - timedelta(days=config.of(Settings).picture_file_days)
    return await storage.clean({"webp"}, before, needed)


def sweeps(shown_elsewhere: Shown) -> list[Sweep]:
    return [
        Sweep("catalog.fetch_pictures", 1, fetch_pictures, BATCH),
        Sweep("catalog.drop_pictures", CLEAN_EVERY_SECONDS, lambda db: drop_unused(db, shown_elsewhere)),
    ]
