"""The transactional outbox: an event exists if and only if the row it speaks of does (invariant 3).

A verb calls `emit(tx, events)`. Each listener has a cursor and is handed the events after it, in commit order, inside a
transaction that also moves the cursor: what a listener writes to this database happens exactly once.

Order: rows are numbered when inserted but seen when committed, so a plain "id > last" would skip slow transactions.
Each row keeps its transaction id, and readers stop before the oldest transaction still running
(`pg_snapshot_xmin`), so nothing can appear behind a cursor.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from typing import Any, ClassVar
from uuid import UUID

import msgspec
import structlog

from livestall.base import ids, trace
from livestall.base.db import Database, Read, Row, Tx
from livestall.base.errors import Unavailable
from livestall.base.metrics import SIZES, Counter, Gauge, Histogram

log = structlog.get_logger()
BATCH = 500
TRACE = "_trace"
RETRY_SECONDS = (5, 30, 120, 600, 3600)
LAG_MAX = 10_000

BATCH_EVENTS = Histogram(
    "livestall_outbox_batch_events", "Events of one turn of a listener", ["listener"], buckets=SIZES
)
PARKED = Counter(
    "livestall_outbox_parked_total", "Events that a listener could not handle and keeps for later", ["listener"]
)
WAITING = Gauge(
    "livestall_outbox_waiting_events", "Events that a listener has not seen yet, at most 10000", ["listener"]
)
AGE = Gauge("livestall_outbox_age_seconds", "Age of the oldest event that a listener has not seen yet", ["listener"])
PARKED_NOW = Gauge("livestall_outbox_parked_events", "Events kept for later", ["listener"])


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all events. `topic` names the kind ("order.paid"); `subject` is the id whose events keep their order."""

    topic: ClassVar[str] = ""
    subject: UUID

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__dict__.get("topic"):
            _topics[cls.topic] = cls


_topics: dict[str, type[Event]] = {}


class Delivered(msgspec.Struct, frozen=True):
    """An event with its number, its id (the key for "seen before") and the time it was emitted."""

    position: tuple[int, int]
    event_id: UUID
    at: datetime
    event: Event
    trace: str | None = None
    """The traceparent of what emitted it, if that was traced."""


Handler = Callable[[Tx, Sequence[Delivered]], Awaitable[None]]


class Listener(msgspec.Struct, frozen=True):
    """`name` keys the cursor: never rename one. `handlers` maps event types to verbs that take batches."""

    name: str
    handlers: Mapping[type[Event], Handler]

    @property
    def topics(self) -> list[str]:
        return [event.topic for event in self.handlers]


async def emit(tx: Tx, events: Sequence[Event]) -> None:
    """Store `events` with the transaction `tx`, in this order."""
    if not events:
        return
    await tx.later(
        """insert into outbox (event_id, topic, subject, payload)
           select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::jsonb[])""",
        [ids.new() for _ in events],
        [event.topic for event in events],
        [event.subject for event in events],
        _traced(events) if trace.on() else list(events),
        extend=True,
    )


async def emit_read(tx: Tx, event: type[Event], sql: str, *args: object) -> None:
    """Store the event that a query makes, a row of subject and payload, of what statements sent together return (see
    `Tx.later`)."""
    more = {TRACE: trace.here()} if trace.on() else {}
    number = len(args)
    await tx.later(
        f"""insert into outbox (event_id, topic, subject, payload)
           select ${number + 1}::uuid, ${number + 2}::text, e.subject, e.payload || ${number + 3}::jsonb
             from ({sql}) e""",
        *args, ids.new(), event.topic, {key: value for key, value in more.items() if value},
    )  # fmt: skip


async def claim(tx: Tx, listener: str, topics: Sequence[str], limit: int = BATCH) -> list[Delivered] | None:
    """Take the listener's cursor (locked until `tx` ends) and read what follows it; None if another process has it.

    Moves the cursor at once, past events of other topics too: the caller handles the events in `tx` or rolls it back.
    """
    cursor = await _lock_cursor(tx, listener)
    if cursor is None and await tx.execute(_NEW_CURSOR, listener):
        cursor = await _lock_cursor(tx, listener)
    if cursor is None:
        return None
    rows = await tx.fetch(
        """select xid::text as xid, id, event_id, topic, at, case when topic = any($3) then payload end as payload
             from outbox
            where (xid, id) > ($1::text::xid8, $2) and xid < pg_snapshot_xmin(pg_current_snapshot())
            order by xid, id limit $4""",
        cursor["xid"], cursor["id"], list(topics), limit,
    )  # fmt: skip
    if rows:
        last = rows[-1]
        await tx.execute(
            "update outbox_cursor set xid = $2::text::xid8, id = $3, at = now() where listener = $1",
            listener, last["xid"], last["id"],
        )  # fmt: skip
    return [_delivered(row) for row in rows if row["payload"] is not None]


_NEW_CURSOR = """insert into outbox_cursor (listener)
                 select $1 where not exists (select from outbox_cursor where listener = $1) on conflict do nothing"""
"""Asked for only where there is none: an INSERT would wait for whoever is moving the cursor at this moment."""


async def _lock_cursor(tx: Tx, listener: str) -> Row | None:
    return await tx.fetchrow(
        "select xid::text as xid, id from outbox_cursor where listener = $1 for update skip locked", listener
    )


async def waiting(read: Read, listeners: Sequence[str]) -> set[str]:
    """The listeners with something to do. Reads only, so that polling an idle outbox writes nothing."""
    rows = await read.fetch(
        """select name from unnest($1::text[]) as l(name) left join outbox_cursor c on c.listener = name
            where exists (select 1 from outbox o where (o.xid, o.id) > (coalesce(c.xid, '0'::xid8), coalesce(c.id, 0))
                             and o.xid < pg_snapshot_xmin(pg_current_snapshot()))
               or exists (select 1 from outbox_parked p where p.listener = name and p.next_try_at <= now())""",
        list(listeners),
    )
    return {row["name"] for row in rows}


def _delivered(row: Any) -> Delivered:
    payload = row["payload"]
    event = msgspec.convert(payload, _topics[row["topic"]])
    return Delivered((int(row["xid"]), row["id"]), row["event_id"], row["at"], event, payload.get(TRACE))


def _traced(events: Sequence[Event]) -> list[Any]:
    """The events with the trace in which they were emitted, if there is one, as one more field."""
    parent = trace.here()
    return list(events) if parent is None else [{**msgspec.to_builtins(one), TRACE: parent} for one in events]


async def measure(read: Read) -> None:
    """Bring the numbers of every listener's backlog up to date."""
    rows = await read.fetch(
        """select c.listener, late.events, late.age, parked.events as parked
             from outbox_cursor c
             cross join lateral (
                 select count(*) as events, coalesce(extract(epoch from now() - min(at)), 0)::float as age
                   from (select at from outbox where (xid, id) > (c.xid, c.id) order by xid, id limit $1) o) late
             cross join lateral (
                 select count(*) as events from outbox_parked p where p.listener = c.listener) parked""",
        LAG_MAX,
    )
    for row in rows:
        WAITING.labels(row["listener"]).set(row["events"])
        AGE.labels(row["listener"]).set(row["age"])
        PARKED_NOW.labels(row["listener"]).set(row["parked"])


async def head(read: Read) -> int:
    """How many events the outbox holds; for tests and health pages."""
    return await read.fetchval("select count(*) from outbox")


class Relay:
    """Hands events to listeners. Any number of processes may run one: the cursor's lock makes them take turns."""

    def __init__(self, db: Database, listeners: Sequence[Listener]) -> None:
        self._db = db
        self.listeners = listeners

    async def step(self) -> int:
        """Let every listener handle one batch; returns how many events were handled."""
        async with self._db.read() as read:
            busy = await waiting(read, [listener.name for listener in self.listeners])
        moved = 0
        for listener in self.listeners:
            if listener.name in busy:
                moved += await self._retry_parked(listener)
                moved += await self._step(listener)
        return moved

    async def drain(self) -> int:
        """Step until nothing is left; for tests and shut-down."""
        total = 0
        while handled := await self.step():
            total += handled
        return total

    async def _step(self, listener: Listener) -> int:
        try:
            async with self._db.write() as tx:
                batch = await claim(tx, listener.name, listener.topics)
                if not batch:
                    return 0
                held_back = await _parked_subjects(tx, listener.name)
                ready = [one for one in batch if one.event.subject not in held_back]
                await _park(
                    tx, listener.name, [one for one in batch if one.event.subject in held_back], "waits its turn"
                )
                await _handle(tx, listener, ready)
                BATCH_EVENTS.labels(listener.name).observe(len(batch))
                return len(batch)
        except Unavailable:
            raise
        except Exception as error:  # one bad event must not stop its neighbours: find it by handling them one by one
            log.warning("listener failed on a batch", listener=listener.name, error=repr(error))
            return await self._one_by_one(listener)

    async def _one_by_one(self, listener: Listener) -> int:
        async with self._db.write() as tx:
            batch = await claim(tx, listener.name, listener.topics)
            held_back = await _parked_subjects(tx, listener.name)
            for one in batch or ():
                if one.event.subject in held_back:
                    await _park(tx, listener.name, [one], "waits its turn")
                    continue
                try:
                    async with tx.savepoint():
                        await _handle(tx, listener, [one])
                except Unavailable:
                    raise
                except Exception as error:
                    log.error(
                        "event parked",
                        listener=listener.name,
                        kind=one.event.topic,
                        event_id=str(one.event_id),
                        error=repr(error),
                    )
                    await _park(tx, listener.name, [one], repr(error))
                    held_back.add(one.event.subject)
            return len(batch or ())

    async def _retry_parked(self, listener: Listener) -> int:
        async with self._db.write() as tx:
            rows = await tx.fetch(
                """select distinct on (o.subject) o.xid::text as xid, o.id, o.event_id, o.topic, o.payload, o.at,
                          p.attempts, p.next_try_at <= now() as due
                     from outbox_parked p join outbox o using (event_id)
                    where p.listener = $1 order by o.subject, o.xid, o.id limit $2""",
                listener.name, BATCH,
            )  # fmt: skip
            handled = 0
            for row in rows:
                if not row["due"]:
                    continue
                one = _delivered(row)
                taken = await tx.fetchval(
                    "select 1 from outbox_parked where listener = $1 and event_id = $2 for update skip locked",
                    listener.name, one.event_id,
                )  # fmt: skip
                if not taken:
                    continue
                try:
                    async with tx.savepoint():
                        await _handle(tx, listener, [one])
                except Unavailable:
                    raise
                except Exception as error:
                    delay = RETRY_SECONDS[min(row["attempts"], len(RETRY_SECONDS) - 1)]
                    await tx.execute(
                        """update outbox_parked set attempts = attempts + 1, error = $3,
                                  next_try_at = now() + make_interval(secs => $4)
                            where listener = $1 and event_id = $2""",
                        listener.name, one.event_id, repr(error), float(delay),
                    )  # fmt: skip
                else:
                    await tx.execute(
                        "delete from outbox_parked where listener = $1 and event_id = $2", listener.name, one.event_id
                    )
                    handled += 1
            return handled


async def _handle(tx: Tx, listener: Listener, batch: Sequence[Delivered]) -> None:
    if trace.on():
        with trace.batch(f"listener {listener.name}", (one.trace for one in batch), {"events": len(batch)}):
            await _hand_over(tx, listener, batch)
    else:
        await _hand_over(tx, listener, batch)


async def _hand_over(tx: Tx, listener: Listener, batch: Sequence[Delivered]) -> None:
    for kind, run in groupby(batch, key=lambda one: type(one.event)):
        await listener.handlers[kind](tx, list(run))


async def _parked_subjects(tx: Tx, listener: str) -> set[UUID]:
    rows = await tx.fetch("select subject from outbox_parked where listener = $1", listener)
    return {row["subject"] for row in rows}


async def _park(tx: Tx, listener: str, batch: Sequence[Delivered], error: str) -> None:
    PARKED.labels(listener).inc(len(batch))
    await tx.executemany(
        """insert into outbox_parked (listener, event_id, subject, error, next_try_at)
           values ($1, $2, $3, $4, now() + make_interval(secs => 5)) on conflict do nothing""",
        [(listener, one.event_id, one.event.subject, error) for one in batch],
    )
