"""What time and the outbox start in rooms: streams that come and go, the end of the grace, what the room hears."""

from __future__ import annotations

from collections.abc import Sequence

from livestall import video
from livestall.base.db import Database, Read, Tx
from livestall.base.jobs import Sweep
from livestall.base.outbox import Delivered, Listener
from livestall.live import NewEvent
from livestall.rooms import actions, store
from livestall.rooms.audience.actions import forget_likes as forget_old_likes
from livestall.rooms.model import PORTABLE, PinEnded, PinStarted, ShowMoved, TrayChanged
from livestall.rooms.web import views

GRACE_BATCH = 50
LIKES_BATCH = 5000


async def _on_started(tx: Tx, batch: Sequence[Delivered]) -> None:
    for one in batch:
        if isinstance(event := one.event, video.StreamStarted):
            await actions.stream_started(tx, event.subject, event.stream_id, event.protocol, event.at)


async def _on_stopped(tx: Tx, batch: Sequence[Delivered]) -> None:
    for one in batch:
        if isinstance(event := one.event, video.StreamStopped):
            await actions.stream_stopped(tx, event.subject, event.stream_id)


async def _on_recorded(tx: Tx, batch: Sequence[Delivered]) -> None:
    for one in batch:
        if isinstance(event := one.event, video.StreamRecorded):
            await actions.stream_recorded(tx, event.subject, event.stream_id, event.started_at, event.duration_ms)


LISTENER = Listener(
    "rooms.streams",
    {video.StreamStarted: _on_started, video.StreamStopped: _on_stopped, video.StreamRecorded: _on_recorded},
)


async def end_past_grace(db: Database) -> int:
    return await db.run(lambda tx: actions.end_past_grace(tx, GRACE_BATCH))


async def forget_likes(db: Database) -> int:
    return await db.run(lambda tx: forget_old_likes(tx, LIKES_BATCH))


SWEEPS = [
    Sweep("rooms.grace", 2.0, end_past_grace, GRACE_BATCH),
    Sweep("rooms.likes", 20.0, forget_likes, LIKES_BATCH),
]


async def show_moved(read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    """The state in each event, with everything else as it stands now: repeating it does no harm."""
    records = await store.shows(read, [one.event.subject for one in batch])
    told: list[NewEvent] = []
    for one in batch:
        record = records.get(one.event.subject)
        if record is not None and isinstance(event := one.event, ShowMoved):
            body = await views.change(read, record, PORTABLE)
            told.append(NewEvent(channel=record.id, kind="show.moved", at=event.at, body=body))
    return told


async def tray_changed(read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    last = {one.event.subject: one for one in batch}
    return [
        NewEvent(
            channel=show_id, kind="tray.changed", at=one.at, body={"tray": await views.tray(read, show_id)}
        )
        for show_id, one in last.items()
    ]  # fmt: skip


async def pin_started(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    return [
        NewEvent(
            channel=event.subject, kind="pin.started", at=event.at, stream_at=event.pin.stream_at, body=event.pin
        )
        for one in batch
        if isinstance(event := one.event, PinStarted)
    ]  # fmt: skip


async def pin_ended(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    return [
        NewEvent(
            channel=event.subject, kind="pin.ended", at=event.at, stream_at=event.ended_stream_at,
            body={"id": event.pin_id, "ended_stream_at": event.ended_stream_at},
        )
        for one in batch
        if isinstance(event := one.event, PinEnded)
    ]  # fmt: skip


LIVE_EVENTS = {
    ShowMoved: show_moved, TrayChanged: tray_changed, PinStarted: pin_started, PinEnded: pin_ended
}  # fmt: skip
