"""The counter: where claims wait for the commit before theirs and are then decided together, lane by lane.

A pool always maps to the same lane of a process, but nothing depends on that: rows are locked, so any number of lanes
and processes may sell from one pool.
"""

from __future__ import annotations

from collections.abc import Callable

from livestall.base import config
from livestall.base.db import Database
from livestall.orders import actions
from livestall.orders.entry import Entry
from livestall.orders.lane import Lane, Left, Verb
from livestall.orders.model import Settings
from livestall.orders.model.mold import Placed
from livestall.orders.model.wishes import Draft


class Counter:
    """Places orders for one process. `close` when the process ends; claims not answered by then get Unavailable."""

    def __init__(
        self, db: Database, *, lanes: int | None = None, batch_max: int | None = None, verb: Verb = actions.place,
        committed: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """`committed` is called after each batch, before its buyers are told."""
        settings = config.of(Settings)
        size = batch_max or settings.batch_max
        self._lanes = [Lane(db, size, verb, committed) for _ in range(lanes or settings.lanes)]

    def tell_who_leaves(self, left: Left) -> None:
        """Call `left` with everyone who leaves the line, many at a time."""
        for lane in self._lanes:
            lane.left = left

    async def place(self, draft: Draft) -> Placed:
        """The answer to `draft`, once, after its batch was committed. Raises the refusal that stands against it,
        LineFull, or Unavailable while the database is away: then the same draft may be sent again and again."""
        return await self.enter(draft).answer

    def enter(self, draft: Draft) -> Entry:
        """Stand in line, behind everyone who came before. Raises LineFull, Unavailable when closing."""
        return self._lane(draft).add(draft)

    def ahead(self, draft: Draft) -> int:
        """How many claims `draft` would stand behind if it came now."""
        lane = self._lane(draft)
        return lane.entered - lane.done

    def _lane(self, draft: Draft) -> Lane:
        many = len(self._lanes)
        return self._lanes[0 if many == 1 else draft.lines[0].pool_id.int % many]

    async def close(self) -> None:
        for lane in self._lanes:
            await lane.close()
