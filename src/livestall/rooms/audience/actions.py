"""The verbs of the audience."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from livestall.base import clock
from livestall.base.db import Tx
from livestall.base.errors import NotFound, Refusal, SameIdOtherContents
from livestall.rooms.audience import store
from livestall.rooms.audience.model import LIKES_REMEMBERED_SECONDS, Audience, Like


async def count(tx: Tx, counts: Sequence[Audience]) -> None:
    """Keep how many watch: viewers replace, peaks grow, in the show and in this minute.

    Locks the shows whose counts changed until `tx` ends.
    """
    await store.count(tx, counts, clock.now().replace(second=0, microsecond=0))


async def like(tx: Tx, likes: Sequence[Like]) -> list[int | Refusal]:
    """Count `likes`, each id once; the answers, in the same places, are the likes of its show as they are then.

    Locks the shows until `tx` ends. A like whose id was used for another show or count is refused, as is one for a
    show that does not exist; neither spoils its neighbours.
    """
    now = clock.now()
    new = await store.insert_likes(tx, likes, now)
    given: Counter[UUID] = Counter()
    for one in {one.id: one for one in reversed(likes)}.values():  # of an id that came twice here, the first
        if one.id in new:
            given[one.show_id] += one.count
    totals = await store.add_likes(tx, given, now.replace(second=0, microsecond=0))
    totals |= await store.likes(tx, list({one.show_id for one in likes} - totals.keys()))
    first = await store.known_likes(tx, [one.id for one in likes])
    return [_answer(one, first.get(one.id, one), totals.get(one.show_id)) for one in likes]


def _answer(one: Like, first: Like, total: int | None) -> int | Refusal:
    if one != first:
        return SameIdOtherContents()
    return NotFound() if total is None else total


async def forget_likes(tx: Tx, limit: int) -> int:
    """Forget the ids of likes that nobody repeats any more, at most `limit`; returns how many."""
    return await store.forget_likes(tx, clock.now() - timedelta(seconds=LIKES_REMEMBERED_SECONDS), limit)
