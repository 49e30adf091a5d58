"""The verbs of pictures."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from urllib.parse import urlsplit
from uuid import UUID

from livestall import storage
from livestall.base import clock
from livestall.base.db import Database, Read, Tx
from livestall.base.errors import SameIdOtherContents
from livestall.base.outbox import emit
from livestall.catalog.model import NoSuchProduct, Picture, ProductChanged
from livestall.catalog.pictures import store
from livestall.catalog.pictures.model import (
    ALT_MAX,
    PICTURES_MAX,
    URL_MAX,
    BadAddress,
    TooManyPictures,
)
from livestall.catalog.pictures.shrink import shrink
from livestall.catalog.store import lock_product, picture_of, seller_of

PictureAt = tuple[UUID, UUID, str, str, int]
"""A picture to be fetched: its id, its product's id, address, words for those who cannot see it, place."""


async def upload(db: Database, seller_id: UUID, product_id: UUID, picture_id: UUID, data: bytes, alt: str) -> Picture:
    """Take a picture behind the product's others. The same id with the same file again gives the picture.

    Opens transactions of its own, since making the picture small takes a while. Raises NoSuchProduct, TooManyPictures,
    SameIdOtherContents, and what `shrink` raises.
    """
    digest = hashlib.sha256(data).digest()
    async with db.read() as read:
        if await seller_of(read, product_id) != seller_id:
            raise NoSuchProduct
        if known := await _known(read, product_id, picture_id, digest):
            return known
        _need_room(await store.count(read, [product_id]), product_id)
    ours = await shrink(data)
    large, small = await storage.put(ours.large, "webp"), await storage.put(ours.small, "webp")

    async def add(tx: Tx) -> Picture:
        if await lock_product(tx, product_id) != seller_id:
            raise NoSuchProduct
        if known := await _known(tx, product_id, picture_id, digest):
            return known
        _need_room(await store.count(tx, [product_id]), product_id)
        added = await store.insert_ready(
            tx, picture_id, product_id, alt=alt, digest=digest, large=large, small=small, width=ours.width,
            height=ours.height, now=clock.now(),
        )  # fmt: skip
        if not added:  # another product's picture took the id just now
            raise SameIdOtherContents
        await emit(tx, [ProductChanged(subject=product_id, seller_id=seller_id)])
        return picture_of(await store.picture(tx, picture_id))

    return await db.run(add)


async def _known(read: Read, product_id: UUID, picture_id: UUID, digest: bytes) -> Picture | None:
    row = await store.picture(read, picture_id)
    if row is None:
        return None
    if row["product_id"] != product_id or row["digest"] != digest:
        raise SameIdOtherContents
    return picture_of(row)


def _need_room(counts: dict[UUID, int], product_id: UUID) -> None:
    if counts.get(product_id, 0) >= PICTURES_MAX:
        raise TooManyPictures


async def delete(tx: Tx, seller_id: UUID, product_id: UUID, picture_id: UUID) -> None:
    """Take the picture off its product; nothing happens if it is not there. Raises NoSuchProduct.

    The files stay: orders that were placed show them, and another picture with the same contents has the same files.
    """
    if await lock_product(tx, product_id) != seller_id:
        raise NoSuchProduct
    if await store.delete(tx, product_id, picture_id):
        await emit(tx, [ProductChanged(subject=product_id, seller_id=seller_id)])


def check_url(url: str) -> None:
    """Raises BadAddress if no picture can be fetched from there, whatever the network says."""
    try:
        parts = urlsplit(url)
        good = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # a port that is none, a bracket that stays open
        good = False
    if not good or len(url) > URL_MAX or any(sign.isspace() or not sign.isprintable() for sign in url):
        raise BadAddress


async def add_from_urls(
    tx: Tx, wanted: Sequence[PictureAt], import_id: UUID | None = None
) -> dict[tuple[UUID, str], UUID]:
    """Have pictures fetched: (picture_id, product_id, url, alt, position) each. Returns (product_id, url) → picture_id
    of those that are now the products'.

    An address that its product knows already keeps its picture, at the place named now; if that failed, it is tried
    again. Pictures beyond the twentieth of a product are left out of the answer. Raises BadAddress (see `check_url`).
    """
    for _, _, url, _, _ in wanted:
        check_url(url)
    products = list({one[1] for one in wanted})
    known = await store.known_addresses(tx, products)
    counts = Counter(await store.count(tx, products))
    new: dict[tuple[UUID, str], PictureAt] = {}
    old: dict[UUID, PictureAt] = {}
    for picture_id, product_id, url, alt, position in wanted:
        place = (product_id, url)
        if place in known:
            old.setdefault(known[place], (known[place], product_id, url, alt[:ALT_MAX], position))
        elif place not in new and counts[product_id] < PICTURES_MAX:
            new[place] = (picture_id, product_id, url, alt[:ALT_MAX], position)
            counts[product_id] += 1
    now = clock.now()
    await store.insert_pending(tx, list(new.values()), import_id, now)
    await store.renew(tx, list(old.values()), import_id, now)
    asked = {(one[1], one[2]) for one in wanted}
    return {
        place: picture_id for place, picture_id in (await store.known_addresses(tx, products)).items() if place in asked
    }
