"""The place in line: who waits at this process's counter, how far they are, and what became of them.

Everyone is decided in the order of arrival, once. Who waits long is told their place, by one timer for all. Pacing is
checked at the end of the line: so much for each account and for each device, whatever sockets they come by.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from math import ceil
from uuid import UUID

from prometheus_client import Counter as Total
from prometheus_client import Gauge

from livestall.base import config, pace
from livestall.base.db import Database
from livestall.base.errors import Refusal
from livestall.live import TooFast
from livestall.orders.counter import Counter
from livestall.orders.entry import Asker, Awaiting, Entry
from livestall.orders.gate import Gate
from livestall.orders.model import LineTicket, Settings
from livestall.orders.model.mold import Placed
from livestall.orders.model.refusals import DeviceTooFast, InLineAlready
from livestall.orders.model.wishes import Draft
from livestall.stock import SoldOut

TELL_SECONDS = 0.8
REFUSALS_KEPT = 20_000
REFUSALS_SECONDS = 300

TOLD = Total("livestall_orders_places_told_total", "Places in line told to waiting buyers")
PACED = Total("livestall_orders_paced_total", "Claims refused because they came too fast", ["by"])
TICKETED = Gauge("livestall_orders_ticketed_claims", "Claims in line at this process that are told their place")

Tell = Callable[[LineTicket], None]
Same = tuple[int, int]
"""A buyer and a pool. Ids are kept as integers here, which are found and forgotten at half the cost."""


class Refused:
    """Why claims were refused, for who comes to ask: the last REFUSALS_KEPT at most, for REFUSALS_SECONDS at least
    unless so many come. Two generations are kept, so that nobody has to look for the oldest."""

    def __init__(self) -> None:
        self._new: dict[UUID, tuple[UUID, Refusal]] = {}
        self._old: dict[UUID, tuple[UUID, Refusal]] = {}
        self._since = time.monotonic()

    def keep(self, draft: Draft, refusal: Refusal) -> None:
        self._new[draft.order_id] = draft.buyer_id, refusal

    def forget(self) -> None:
        """Called now and then: lets the older generation go when its time is over."""
        now = time.monotonic()
        if 2 * len(self._new) >= REFUSALS_KEPT or now - self._since > REFUSALS_SECONDS:
            self._old, self._new, self._since = self._new, {}, now

    def find(self, order_id: UUID, buyer_id: UUID) -> Refusal | None:
        found = self._new.get(order_id) or self._old.get(order_id)
        return found[1] if found is not None and found[0] == buyer_id else None


class Line:
    """In front of one counter. Where answers come by themselves, a gate may stand in front of it, which looks into
    `gate_db` (see `ask`). Where they do not, people come to ask what became of a claim (`find`), so refusals are kept
    for a while."""

    def __init__(self, counter: Counter, gate_db: Database | None = None) -> None:
        self._counter = counter
        self._gate = None if gate_db is None else Gate(gate_db, self._let_in)
        self._waiting: dict[int, Entry] = {}
        self._same: dict[Same, int] = {}
        self._refused = Refused()
        self._teller: asyncio.Task[None] | None = None
        counter.tell_who_leaves(self._left)

    def ask(self, draft: Draft, asker: Asker, device: UUID | None = None) -> None:
        """`enter` and `hear`; who wants what was just found gone waits at the gate first. Raises as `enter` does."""
        gate, is_paced = self._gate, False
        if gate is not None and gate.gone and draft.order_id.int not in self._waiting:
            _check_pace(draft.buyer_id, device)
            if gate.stops(draft, asker):
                return
            is_paced = True
        self.hear(self.enter(draft, device, is_paced=is_paced), asker)

    def _let_in(self, draft: Draft, asker: Asker) -> None:
        """From the gate into the line."""
        try:
            self.hear(self.enter(draft, is_paced=True), asker)
        except Exception as error:  # whoever is behind must come in
            asker.end(error)

    def enter(self, draft: Draft, device: UUID | None = None, *, is_paced: bool = False) -> Entry:
        """Stand in line; the same order again finds the place it has. `is_paced`: it was counted already. Raises
        TooFast, DeviceTooFast, InLineAlready, LineFull, Unavailable."""
        number = draft.order_id.int
        known = self._waiting.get(number)
        if known is not None and known.draft.fingerprint == draft.fingerprint:
            return known
        if not is_paced:
            _check_pace(draft.buyer_id, device)
        key = (draft.buyer_id.int, draft.lines[0].pool_id.int)
        same = self._same.get(key, 0)
        if same >= config.of(Settings).same_waiting_max:
            raise InLineAlready(retry_after_seconds=1)
        entry = self._counter.enter(draft)
        entry.same = key
        self._same[key] = same + 1
        if known is None:
            self._waiting[number] = entry
        return entry

    def _left(self, entries: Sequence[Entry], answers: Sequence[Placed | Exception]) -> None:
        waiting, same, refused, gate = self._waiting, self._same, self._refused, self._gate
        for entry, answer in zip(entries, answers, strict=True):
            left = same.pop(entry.same) - 1
            if left:
                same[entry.same] = left
            number = entry.draft.order_id.int
            other = waiting.pop(number, entry)
            if other is not entry:
                waiting[number] = other
            if type(answer) is Placed:
                continue
            if gate is not None and isinstance(answer, SoldOut):
                gate.found_gone(entry.draft)
            elif gate is None and isinstance(answer, Refusal):
                refused.keep(entry.draft, answer)
        refused.forget()

    async def answer(self, entry: Entry, tell: Tell | None = None) -> Placed:
        """The answer to the claim, or the refusal raised; `tell` hears the place while it is a long one or the wait is,
        each time a better one than before. Who stops waiting for the answer does not leave the line."""
        answer: asyncio.Future[Placed] = asyncio.get_running_loop().create_future()
        asker = Awaiting(answer, tell)
        if tell is None:
            entry.ask(asker)
        else:
            self.hear(entry, asker)
        return await answer

    def hear(self, entry: Entry, asker: Asker) -> None:
        """`answer` without a task: `asker` is told the place, and once the order, the refusal or what went wrong."""
        entry.ask(asker)
        if entry.said is not None:
            return
        entry.is_shown = True
        if self._teller is None or self._teller.done():
            self._teller = asyncio.create_task(self._tell_all(), name="orders.line")
        if entry.shown or entry.place > config.of(Settings).line_after:
            ticket = self.ticket(entry)
            entry.shown = ticket.place
            asker.tell(ticket)

    async def _tell_all(self) -> None:
        """Tell everyone whose place is better than the last one they heard, until nobody waits."""
        while self._waiting:
            await asyncio.sleep(TELL_SECONDS)
            long_ago = time.monotonic() - TELL_SECONDS
            heard = [one for one in self._waiting.values() if one.is_shown]
            TICKETED.set(len(heard))
            for entry in heard:
                if entry.said is not None:
                    continue
                ticket = self.ticket(entry)
                if ticket.place < entry.shown if entry.shown else entry.at < long_ago:
                    TOLD.inc()
                    entry.show(ticket)
        TICKETED.set(0)

    def ticket(self, entry: Entry) -> LineTicket:
        """How far the claim is now. A place only ever gets better."""
        entry.place = min(entry.place, entry.ahead + 1)
        everyone = max(self._counter.ahead(entry.draft), entry.place)
        return LineTicket(entry.draft.order_id, entry.place, everyone, max(1, ceil(entry.seconds)))

    async def close(self) -> None:
        """When the process ends: those who still wait are answered, with the order or Unavailable."""
        if self._gate is not None:
            await self._gate.close()
        await self._counter.close()

    def find(self, order_id: UUID, buyer_id: UUID) -> Entry | Refusal | None:
        """The buyer's claim if it waits here, or why it was refused some minutes ago."""
        entry = self._waiting.get(order_id.int)
        if entry is not None and entry.draft.buyer_id == buyer_id:
            return entry
        return self._refused.find(order_id, buyer_id)


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
