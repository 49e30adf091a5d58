"""A claim in line, and who asked for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from livestall.base import trace
from livestall.orders.model import LineTicket
from livestall.orders.model.mold import Placed
from livestall.orders.model.wishes import Draft


class Queue(Protocol):
    """What a claim knows of the lane it stands in."""

    begun: int
    done: int
    per_second: float


class Asker(Protocol):
    """Who asked for an order. `tell` hears the place in line, any number of times; `end` what became of it, once: the
    order, the refusal, or what went wrong."""

    def tell(self, ticket: LineTicket, /) -> None: ...
    def end(self, said: Placed | Exception, /) -> None: ...


class Entry:
    """A claim in line. `answer` (await it) is the order, or raises the refusal that stands against the claim; `ask`
    calls instead, which costs less. `place`, `shown`, `is_shown` and `same` are the line's: the best place so far, the
    last one told, whether it is to be told, and what claims have in common of which only so many may wait."""

    __slots__ = (
        "_answer", "_asker", "_lane", "_number", "_others", "at", "draft", "is_shown", "place", "said", "same", "shown",
        "trace",
    )  # fmt: skip

    def __init__(self, lane: Queue, number: int, draft: Draft) -> None:
        self._lane, self._number, self.draft = lane, number, draft
        self.at = time.monotonic()
        self.said: Placed | Exception | None = None
        self._asker: Asker | None = None  # mostly the only one, so thousands of tuples are not made in a rush
        self._others: tuple[Asker, ...] = ()
        self._answer: asyncio.Future[Placed] | None = None
        self.place = number - lane.done + 1
        self.shown, self.is_shown = 0, False
        self.same: tuple[int, int] = (0, 0)
        self.trace = trace.here() if trace.on() else None

    def told(self, said: Placed | Exception) -> None:
        """The answer. Whatever comes after the first is not heard."""
        if self.said is not None:
            return
        self.said = said
        asker, others, self._asker, self._others = self._asker, self._others, None, ()  # else each would hold the other
        if asker is not None:
            asker.end(said)
        for other in others:
            other.end(said)

    def ask(self, asker: Asker) -> None:
        """Tell `asker` the answer: once, at once if it is there."""
        if self.said is not None:
            asker.end(self.said)
        elif self._asker is None:
            self._asker = asker
        else:
            self._others += (asker,)

    def show(self, ticket: LineTicket) -> None:
        """Tell everyone who asked the place."""
        self.shown = ticket.place
        for asker in (self._asker, *self._others):
            if asker is not None:
                asker.tell(ticket)

    @property
    def answer(self) -> asyncio.Future[Placed]:
        """Made when it is asked for. Cancelling it hangs up: the order stands, and the same id will find it."""
        if self._answer is None:
            self._answer = asyncio.get_running_loop().create_future()
            self.ask(Awaiting(self._answer))
        return self._answer

    @property
    def ahead(self) -> int:
        """Claims before this one that are not answered yet; 0 as soon as its own batch is being decided."""
        lane = self._lane
        return 0 if self._number < lane.begun else self._number - lane.done

    @property
    def seconds(self) -> float:
        """About how long until the answer, at the rate of the last batch."""
        return (self.ahead + 1) / self._lane.per_second


class Awaiting:
    """Asks by waiting for a future."""

    __slots__ = ("_answer", "_tell")

    def __init__(self, answer: asyncio.Future[Placed], tell: Callable[[LineTicket], None] | None = None) -> None:
        self._answer, self._tell = answer, tell

    def tell(self, ticket: LineTicket) -> None:
        if self._tell is not None:
            self._tell(ticket)

    def end(self, said: Placed | Exception) -> None:
        if self._answer.done():
            return
        if isinstance(said, Exception):
            self._answer.set_exception(said)
        else:
            self._answer.set_result(said)
