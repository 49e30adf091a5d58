"""The place in line: who waits at this process's counter, how far they are, and what became of them.

Everyone is decided in the order of arrival, once. Who waits long is told their place, by one timer for all. Pacing is
checked at the end of the line: so much for each account and for each device, whatever sockets they come by.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from math import ceil
from uuid import UUID

from prometheus_client import Counter as Total
from prometheus_client import Gauge

from livestall.base import config, pace
from livestall.base.errors import Refusal
from livestall.live import TooFast
from livestall.orders.counter import Counter, Entry, Told
from livestall.orders.model import Draft, LineTicket, Settings
from livestall.orders.model.mold import Placed
from livestall.orders.model.refusals import DeviceTooFast, InLineAlready

TELL_SECONDS = 0.8
REFUSALS_KEPT = 20_000
REFUSALS_SECONDS = 300

TOLD = Total("livestall_orders_places_told_total", "Places in line told to waiting buyers")
PACED = Total("livestall_orders_paced_total", "Claims refused because they came too fast", ["by"])
TICKETED = Gauge("livestall_orders_ticketed_claims", "Claims in line at this process that are told their place")

Tell = Callable[[LineTicket], None]
Same = tuple[int, int]
"""A buyer and a pool. Ids are kept as integers here, which are found and forgotten at half the cost."""


class Waiting:
    """One claim in line, and those who want to hear how far it is."""

    __slots__ = ("draft", "entry", "key", "listeners", "place", "said", "since")

    def __init__(self, draft: Draft, entry: Entry, key: Same) -> None:
        self.draft, self.entry, self.key = draft, entry, key
        self.listeners: list[Tell] = []
        self.place = entry.ahead + 1
        self.said: int | None = None
        self.since = time.monotonic()


class Line:
    """In front of one counter."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._waiting: dict[int, Waiting] = {}
        self._same: dict[Same, int] = {}
        self._heard: dict[Waiting, None] = {}
        self._refused: OrderedDict[UUID, tuple[UUID, float, Refusal]] = OrderedDict()
        self._teller: asyncio.Task[None] | None = None

    def enter(self, draft: Draft, device: UUID | None = None) -> Waiting:
        """Stand in line; the same order again finds the place it has. Raises TooFast, DeviceTooFast, InLineAlready,
        LineFull, Unavailable."""
        known = self._waiting.get(draft.order_id.int)
        if known is not None and known.draft.fingerprint == draft.fingerprint:
            return known
        _check_pace(draft.buyer_id, device)
        key = (draft.buyer_id.int, draft.lines[0].pool_id.int)
        if self._same.get(key, 0) >= config.of(Settings).same_waiting_max:
            raise InLineAlready(retry_after_seconds=1)
        waiting = Waiting(draft, self._counter.enter(draft), key)
        self._same[key] = self._same.get(key, 0) + 1
        if known is None:
            self._waiting[draft.order_id.int] = waiting
        waiting.entry.then(partial(self._left, waiting))
        return waiting

    def _left(self, waiting: Waiting, said: Placed | Exception) -> None:
        draft, key = waiting.draft, waiting.key
        if self._same[key] == 1:
            del self._same[key]
        else:
            self._same[key] -= 1
        if self._waiting.get(draft.order_id.int) is waiting:
            del self._waiting[draft.order_id.int]
        if isinstance(said, Refusal):
            self._keep(draft, said)

    def _keep(self, draft: Draft, refusal: Refusal) -> None:
        """Remember a refusal for who comes to ask; orders are found in the database."""
        self._refused[draft.order_id] = (draft.buyer_id, time.monotonic(), refusal)
        while self._refused:
            _, at, _ = next(iter(self._refused.values()))
            if len(self._refused) <= REFUSALS_KEPT and time.monotonic() - at < REFUSALS_SECONDS:
                return
            self._refused.popitem(last=False)

    async def answer(self, waiting: Waiting, tell: Tell | None = None) -> Placed:
        """The answer to the claim, or the refusal raised; `tell` hears the place while it is a long one or the wait is,
        each time a better one than before. Who stops waiting for the answer does not leave the line."""
        answer: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()

        def told(said: Placed | Exception) -> None:
            if answer.done():
                return
            if isinstance(said, Exception):
                answer.set_exception(said)
            else:
                answer.set_result(said)

        self.hear(waiting, tell, told)
        return await answer

    def hear(self, waiting: Waiting, tell: Tell | None, told: Told) -> None:
        """`answer` without a task: `told` is called once with the order, the refusal or what went wrong."""
        if tell is None or waiting.entry.said is not None:
            waiting.entry.then(told)
            return
        self._listen(waiting, tell)
        waiting.entry.then(partial(self._heard_all, waiting, tell, told))

    def _heard_all(self, waiting: Waiting, tell: Tell, told: Told, said: Placed | Exception) -> None:
        waiting.listeners.remove(tell)
        if not waiting.listeners:
            self._heard.pop(waiting, None)
        told(said)

    def _listen(self, waiting: Waiting, tell: Tell) -> None:
        waiting.listeners.append(tell)
        self._heard[waiting] = None
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell_all(), name="orders.line")
        if waiting.said is not None or waiting.place > config.of(Settings).line_after:
            ticket = self.ticket(waiting)
            waiting.said = ticket.place
            tell(ticket)

    async def _tell_all(self) -> None:
        """Tell everyone whose place is better than the last one they heard, until nobody waits."""
        while self._heard:
            await asyncio.sleep(TELL_SECONDS)
            long_ago = time.monotonic() - TELL_SECONDS
            TICKETED.set(len(self._heard))
            for waiting in list(self._heard):
                ticket = self.ticket(waiting)
                if waiting.since < long_ago if waiting.said is None else ticket.place < waiting.said:
                    waiting.said = ticket.place
                    TOLD.inc(len(waiting.listeners))
                    for tell in list(waiting.listeners):
                        tell(ticket)
        TICKETED.set(0)

    def ticket(self, waiting: Waiting) -> LineTicket:
        """How far the claim is now. A place only ever gets better."""
        entry = waiting.entry
        waiting.place = min(waiting.place, entry.ahead + 1)
        everyone = max(self._counter.ahead(waiting.draft), waiting.place)
        return LineTicket(waiting.draft.order_id, waiting.place, everyone, max(1, ceil(entry.seconds)))

    def find(self, order_id: UUID, buyer_id: UUID) -> Waiting | Refusal | None:
        """The buyer's claim if it waits here, or why it was refused some minutes ago."""
        waiting = self._waiting.get(order_id.int)
        if waiting is not None and waiting.draft.buyer_id == buyer_id:
            return waiting
        refused = self._refused.get(order_id)
        return refused[2] if refused is not None and refused[0] == buyer_id else None


def _check_pace(account: UUID, device: UUID | None) -> None:
    settings = config.of(Settings)
    if wait := pace.take("account", account, settings.claims_per_second, settings.claims_burst):
        PACED.labels("account").inc()
        raise TooFast(retry_after_seconds=ceil(wait))
    if device is None:
        return
    if wait := pace.take("device", device, settings.device_claims_per_second, settings.device_claims_burst):
        PACED.labels("device").inc()
        raise DeviceTooFast(retry_after_seconds=ceil(wait))
