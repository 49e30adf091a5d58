"""The gate: in front of the line, for what is gone.

In a rush nearly everyone comes for what was just found gone, and hears just that. Who does so needs no place in line:
whoever came meanwhile is answered by one look at the stock, taken after they came. For whom something may be left after
all, all who wait here go on into the line, in the order of arrival.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

import structlog
from prometheus_client import Gauge

from livestall.base import trace
from livestall.base.columns import of_uuid
from livestall.base.db import Database
from livestall.orders import desk
from livestall.orders.entry import Asker
from livestall.orders.lane import EARLY, WAIT_SECONDS
from livestall.orders.model.wishes import Draft

log = structlog.get_logger()
LOOK_SECONDS = 0.5
"""Who waits longer for a look goes on into the line, where waiting is told."""

LOOK_CLAIMS_MAX = 500
POOLS_MAX = 10_000

GATED = Gauge("livestall_orders_gate_claims", "Claims at this process's gate: they wait for a look whether all is gone")

LetIn = Callable[[Draft, Asker], None]


class Gate:
    """In front of one line. `let_in` is the way into it; it raises nothing."""

    def __init__(self, db: Database, let_in: LetIn) -> None:
        self._db, self._let_in = db, let_in
        self.gone: set[int] = set()
        """Pools that had nothing for somebody when they were looked at last, by the numbers of their ids."""
        self._waiting: deque[tuple[Draft, Asker]] = deque()
        self._since = 0.0
        self._desk = desk.Desk()
        self._task: asyncio.Task[None] | None = None

    def found_gone(self, draft: Draft) -> None:
        """Somebody was just told that nothing is left. Of several pools it is not known which one was meant."""
        if len(draft.lines) == 1 and len(self.gone) < POOLS_MAX:
            self.gone.add(draft.lines[0].pool_id.int)

    def stops(self, draft: Draft, asker: Asker) -> bool:
        """Whether the claim has to wait here: for a look, or because somebody waits who came before it. Then `asker`
        hears what comes of it, here or in line. Where clicks are traced everyone stands in line, which is followed to
        its end."""
        gone, lines, waiting = self.gone, draft.lines, self._waiting
        if lines[0].pool_id.int not in gone and (len(lines) == 1 or all(one.pool_id.int not in gone for one in lines)):
            return False
        if trace.on():
            return False
        if not waiting:
            self._since = time.monotonic()
            if self._task is None or self._task.done():
                self._task = asyncio.create_task(self._run(), name="orders.gate")
        waiting.append((draft, asker))
        return True

    async def close(self) -> None:
        """Let everyone in, who then shares what becomes of the line."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._open()

    async def _run(self) -> None:
        while self._waiting:
            await asyncio.sleep(0)  # everything that is ready in this turn of the loop belongs to the look
            size, since = min(len(self._waiting), LOOK_CLAIMS_MAX), self._since
            here = deque([self._waiting.popleft() for _ in range(size)])
            self._since = time.monotonic()
            GATED.set(size + len(self._waiting))
            try:
                await self._answer(here)
            except Exception as error:
                log.info("the gate could not look", error=repr(error))
            finally:
                if here:
                    self._waiting.extendleft(reversed(here))
                    self._open()
            WAIT_SECONDS.observe(time.monotonic() - since)
        GATED.set(0)

    async def _answer(self, here: deque[tuple[Draft, Asker]]) -> None:
        """Answer those for whom nothing is left; the others stay in `here`, in their order."""
        order_ids = [of_uuid(draft.order_id) for draft, _ in here]
        wishes = {draft.wish: draft for draft, _ in here}
        async with asyncio.timeout(LOOK_SECONDS), self._db.read() as read:
            verdicts, known = await desk.nothing_left(read, wishes, order_ids, self._desk)
        if len(verdicts) < len(wishes) and len(set(order_ids)) < len(order_ids):
            return  # of a double click the first counts, and that may yet be sold to
        size = len(here)
        for _ in range(size):
            draft, asker = here.popleft()
            verdict = verdicts.get(draft.wish)
            if verdict is None or (known and draft.order_id in known):
                here.append((draft, asker))
            else:
                asker.end(verdict)
        EARLY.inc(size - len(here))

    def _open(self) -> None:
        """Let everyone in; whoever comes from now on goes straight into the line, behind them, until something is found
        gone again."""
        self.gone.clear()
        while self._waiting:
            self._let_in(*self._waiting.popleft())
