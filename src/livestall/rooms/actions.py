"""The verbs of rooms. Each locks the show's row first, so what happens in one show happens in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from livestall import video
from livestall.accounts import Actor
from livestall.base import clock, config, ids, outbox
from livestall.base.db import Read, Tx
from livestall.base.errors import NotFound, SameIdOtherContents, Unauthenticated
from livestall.rooms import store
from livestall.rooms.model import (
    BEFORE,
    HOSTS,
    MODERATING,
    ON_AIR,
    OPEN,
    SECONDARY_PINS_MAX,
    SELLING,
    SHOWS_PLANNED_MAX,
    STAFF_MAX,
    AlreadyOnAir,
    HostStays,
    Listing,
    NoStream,
    NotInTray,
    NotStaff,
    Pin,
    PinEnded,
    PinStarted,
    Role,
    Settings,
    ShowMoved,
    ShowRecord,
    ShowState,
    TooManyPins,
    TooManyShows,
    TooManyStaff,
    TrayChanged,
    WrongState,
    move,
)

Mode = Literal["default", "interactive"]
ROLE_WORDS = {HOSTS: "host", SELLING: "host or stock clerk", MODERATING: "host or moderator"}


async def show(read: Read, show_id: UUID) -> ShowRecord:
    """The show. Raises NotFound."""
    found = await store.show(read, show_id)
    if found is None:
        raise NotFound
    return found


async def role_in(read: Read, show_id: UUID, actor: Actor) -> Role:
    """The actor's role in the show; whoever has none, signed in or not, is a viewer."""
    if actor.user_id is None:
        return Role.viewer
    found = await store.role(read, show_id, actor.user_id)
    if found is None and actor.is_operator:
        return Role.observer
    return found or Role.viewer


async def need_role(read: Read, show_id: UUID, actor: Actor, roles: frozenset[Role]) -> Role:
    """The actor's role, one of `roles`. Raises NotFound, Unauthenticated, NotStaff."""
    if actor.user_id is None:
        raise Unauthenticated
    role = await role_in(read, show_id, actor)
    if role not in roles:
        await show(read, show_id)
        raise NotStaff(roles=ROLE_WORDS.get(roles, "staff"))
    return role


async def visible_show(read: Read, show_id: UUID, actor: Actor) -> tuple[ShowRecord, Role]:
    """The show if the actor may know of it: drafts are their staff's. Raises NotFound."""
    record = await show(read, show_id)
    role = await role_in(read, show_id, actor)
    if record.state is ShowState.draft and role is Role.viewer:
        raise NotFound
    return record, role


async def stream_now(read: Read, show_id: UUID) -> datetime:
    """The stream time of what the host does right now: server time plus the show's ingest delay. Raises NotFound."""
    return clock.now() + (await show(read, show_id)).ingest_delay


async def _lock(tx: Tx, show_id: UUID) -> ShowRecord:
    record = await store.lock_show(tx, show_id)
    if record is None:
        raise NotFound
    return record


async def plan_show(
    tx: Tx, actor: Actor, show_id: UUID, *, title: str, description: str, planned_at: datetime | None, mode: Mode
) -> ShowRecord:  # fmt: skip
    """Make a show of the actor's channel; with a planned time it is announced at once. Safe to repeat with the same id.

    Raises ChannelNeeded, TooManyShows, SameIdOtherContents.
    """
    creator_id, host_id = actor.need_creator(), actor.need_user()
    existing = await store.show(tx, show_id)
    if existing is None and await store.planned_count(tx, creator_id) >= SHOWS_PLANNED_MAX:
        raise TooManyShows
    room_id = await store.open_room(tx, ids.new(), creator_id)
    state = ShowState.scheduled if planned_at else ShowState.draft
    now = clock.now()
    stream_id = ids.new()
    fields = {
        "id": show_id, "room_id": room_id, "creator_id": creator_id, "host_id": host_id, "title": title,
        "description": description, "state": state.value, "mode": mode, "planned_at": planned_at,
        "stream_id": stream_id, "ingest_delay_ms": config.of(Settings).ingest_delay_ms, "created_at": now,
    }  # fmt: skip
    is_new = await store.insert_show(tx, fields)
    record = await show(tx, show_id)
    if not is_new:
        if (record.creator_id, record.title, record.description) != (creator_id, title, description):
            raise SameIdOtherContents
        return record
    await video.open_streams(tx, [video.NewStream(stream_id, show_id, mode)])
    if state is ShowState.scheduled:
        await store.write_move(tx, show_id, ShowState.draft, state, now, host_id, "announced")
        await _tell_moved(tx, record, ShowState.draft)
    return record


async def edit_show(tx: Tx, actor: Actor, show_id: UUID, changes: Mapping[str, Any]) -> ShowRecord:
    """Change title, description, planned_at, mode or ingest_delay_ms. A draft that gets a time is announced.

    Raises NotStaff, WrongState (mode and time are fixed once the show is on air).
    """
    await need_role(tx, show_id, actor, HOSTS)
    record = await _lock(tx, show_id)
    if not changes:
        return record
    if {"planned_at", "mode"} & set(changes) and record.state not in BEFORE:
        raise WrongState(state=record.state.value)
    after = await store.update_show(tx, show_id, changes)
    if after.mode != record.mode and after.stream_id is not None:
        await video.set_mode(tx, after.stream_id, after.mode)
    if after.state is ShowState.draft and after.planned_at is not None:
        return await _move(tx, after, ShowState.scheduled, actor.user_id, "announced")
    await _tell_moved(tx, after, after.state)
    return after


async def preview(tx: Tx, actor: Actor, show_id: UUID) -> ShowRecord:
    """Let the staff look at the picture before the audience does. Repeating it changes nothing. Raises WrongState."""
    await need_role(tx, show_id, actor, HOSTS)
    return await _advance(tx, await _lock(tx, show_id), ShowState.preview, actor.user_id)


async def go_live(tx: Tx, actor: Actor, show_id: UUID) -> ShowRecord:
    """Put the show on air. Repeating it changes nothing. Raises NoStream, AlreadyOnAir, WrongState, NotStaff."""
    await need_role(tx, show_id, actor, HOSTS)
    record = await _lock(tx, show_id)
    if record.state in ON_AIR:
        return record
    if record.state not in BEFORE:
        raise WrongState(state=record.state.value)
    if record.stream_id is None or not (await video.stream(tx, record.stream_id)).online:
        raise NoStream
    if await tx.fetchval(
        "select 1 from show where room_id = $1 and state in ('live', 'interrupted') and id <> $2",
        record.room_id, show_id,
    ):  # fmt: skip
        raise AlreadyOnAir
    record = await _advance(tx, record, ShowState.preview, actor.user_id)
    return await _move(tx, record, ShowState.live, actor.user_id, "went live")


async def end(tx: Tx, actor: Actor, show_id: UUID) -> ShowRecord:
    """End the broadcast and every open pin. Repeating it changes nothing. Raises WrongState, NotStaff."""
    await need_role(tx, show_id, actor, HOSTS)
    record = await _lock(tx, show_id)
    if record.state in {ShowState.ended, ShowState.replay}:
        return record
    return await _end(tx, record, actor.user_id, "ended by the host")


async def _advance(tx: Tx, record: ShowRecord, wanted: ShowState, by_id: UUID | None) -> ShowRecord:
    """Walk the states before the broadcast one by one up to `wanted`."""
    if record.state not in BEFORE:
        raise WrongState(state=record.state.value)
    for state in BEFORE[BEFORE.index(record.state) + 1 : BEFORE.index(wanted) + 1]:
        record = await _move(tx, record, state, by_id, "on the way to the broadcast")
    return record


async def _end(tx: Tx, record: ShowRecord, by_id: UUID | None, reason: str) -> ShowRecord:
    after = await _move(tx, record, ShowState.ended, by_id, reason)
    open_pins = [pin.id for pin in await store.pins(tx, record.id) if pin.ended_stream_at is None]
    await _end_pins(tx, record, open_pins)
    if record.stream_id is not None:
        await video.close_streams(tx, [record.stream_id])
    return after


async def _move(tx: Tx, record: ShowRecord, wanted: ShowState, by_id: UUID | None, reason: str) -> ShowRecord:
    """The one function that moves a show: checks the table, writes the history, says so. The row is locked."""
    move(record.id, record.state, wanted)
    now = clock.now()
    fields: dict[str, Any] = {"state": wanted.value, "grace_until": None}
    if wanted is ShowState.live and record.started_at is None:
        fields["started_at"] = now
    if wanted is ShowState.interrupted:
        fields["grace_until"] = now + timedelta(seconds=config.of(Settings).grace_seconds)
    if wanted is ShowState.ended:
        fields["ended_at"] = now
    after = await store.update_show(tx, record.id, fields)
    await store.write_move(tx, record.id, record.state, wanted, now, by_id, reason)
    await _tell_moved(tx, after, record.state)
    return after


async def _tell_moved(tx: Tx, record: ShowRecord, was: ShowState) -> None:
    await outbox.emit(tx, [ShowMoved(subject=record.id, state=record.state, from_state=was, at=clock.now())])


async def stream_started(tx: Tx, show_id: UUID, stream_id: UUID, protocol: str, at: datetime) -> None:
    """A picture arrives: the studio's light turns green, and an interrupted show goes on. Safe to repeat."""
    record = await store.lock_show(tx, show_id)
    if record is None or record.stream_id != stream_id:
        return
    after = await store.update_show(
        tx, show_id, {"stream_online": True, "stream_protocol": protocol, "stream_since": at}
    )
    if after.state is ShowState.interrupted:
        await _move(tx, after, ShowState.live, None, "the picture is back")
    else:
        await _tell_moved(tx, after, after.state)


async def stream_stopped(tx: Tx, show_id: UUID, stream_id: UUID) -> None:
    """The picture stopped: a live show is interrupted and keeps its place for the grace. Safe to repeat."""
    record = await store.lock_show(tx, show_id)
    if record is None or record.stream_id != stream_id or not record.stream_online:
        return
    after = await store.update_show(tx, show_id, {"stream_online": False, "stream_since": None})
    if after.state is ShowState.live:
        await _move(tx, after, ShowState.interrupted, None, "the picture stopped")
    else:
        await _tell_moved(tx, after, after.state)


async def stream_recorded(tx: Tx, show_id: UUID, stream_id: UUID, started_at: datetime, duration_ms: int) -> None:
    """The recording is ready: an ended show becomes a replay; one still on air remembers it. Safe to repeat."""
    record = await store.lock_show(tx, show_id)
    if record is None or record.stream_id != stream_id:
        return
    after = await store.update_show(
        tx, show_id, {"recording_id": stream_id, "recording_at": started_at, "recording_ms": duration_ms}
    )
    if after.state is ShowState.ended:
        await _move(tx, after, ShowState.replay, None, "the recording is ready")


async def end_past_grace(tx: Tx, limit: int) -> int:
    """End the shows whose stream did not come back in time; returns how many."""
    shows = await store.shows(tx, await store.past_grace(tx, clock.now(), limit))
    for record in shows.values():
        await _end(tx, record, None, "the picture did not come back")
        if record.recording_id is not None:
            await _move(tx, await show(tx, record.id), ShowState.replay, None, "the recording is ready")
    return len(shows)


async def set_tray(tx: Tx, actor: Actor, show_id: UUID, tray: Sequence[Listing]) -> None:
    """Make `tray` the whole tray, in this order. What is pinned and no longer offered is unpinned.

    Raises NotStaff, ShowOver, SameIdOtherContents (a listing id that belongs elsewhere).
    """
    await need_role(tx, show_id, actor, SELLING)
    record = await _lock(tx, show_id)
    if record.state not in OPEN | {ShowState.draft}:
        raise WrongState(state=record.state.value)
    known = await store.listings(tx, [one.id for one in tray])
    for one in tray:
        old = known.get(one.id)
        if old is not None and (old.show_id, old.product_id) != (show_id, one.product_id):
            raise SameIdOtherContents
    await store.write_tray(tx, show_id, tray)
    offered = {one.id for one in tray}
    gone = [
        pin.id for pin in await store.pins(tx, show_id) if pin.ended_stream_at is None and pin.listing_id not in offered
    ]
    await _end_pins(tx, record, gone)
    await outbox.emit(tx, [TrayChanged(subject=show_id)])


async def pin(tx: Tx, actor: Actor, show_id: UUID, *, pin_id: UUID, listing_id: UUID, primary: bool = True) -> Pin:
    """Start explaining a listing, from now in stream time. A primary pin ends the primary pin before it: of two hosts
    at once the last wins, and both are answered. Safe to repeat with the same id.

    Raises NotStaff, WrongState, NotInTray, TooManyPins, SameIdOtherContents.
    """
    await need_role(tx, show_id, actor, SELLING)
    record = await _lock(tx, show_id)
    if (found := await store.pin(tx, pin_id)) is not None:
        if (found[0], found[1].listing_id, found[1].primary) != (show_id, listing_id, primary):
            raise SameIdOtherContents
        return found[1]
    if record.state not in OPEN:
        raise WrongState(state=record.state.value)
    listing = (await store.listings(tx, [listing_id])).get(listing_id)
    if listing is None or listing.show_id != show_id or listing.slot is None:
        raise NotInTray
    open_pins = [one for one in await store.pins(tx, show_id) if one.ended_stream_at is None]
    if not primary and sum(not one.primary for one in open_pins) >= SECONDARY_PINS_MAX:
        raise TooManyPins
    await _end_pins(
        tx, record, [one.id for one in open_pins if primary and (one.primary or one.listing_id == listing_id)]
    )
    now = clock.now()
    new = Pin(pin_id, listing_id, now + record.ingest_delay, None, primary)
    await store.insert_pin(tx, show_id, new, actor.need_user(), now)
    await outbox.emit(tx, [PinStarted(subject=show_id, pin=new, at=now)])
    return new


async def unpin(tx: Tx, actor: Actor, show_id: UUID, pin_id: UUID) -> None:
    """End a pin. Repeating it changes nothing. Raises NotStaff, NotFound."""
    await need_role(tx, show_id, actor, SELLING)
    record = await _lock(tx, show_id)
    found = await store.pin(tx, pin_id)
    if found is None or found[0] != show_id:
        raise NotFound
    await _end_pins(tx, record, [pin_id])


async def _end_pins(tx: Tx, record: ShowRecord, pin_ids: Sequence[UUID]) -> None:
    if not pin_ids:
        return
    now = clock.now()
    ended = await store.end_pins(tx, pin_ids, now, now + record.ingest_delay)
    await outbox.emit(
        tx,
        [
            PinEnded(
                subject=record.id, pin_id=one.id, listing_id=one.listing_id, at=now,
                ended_stream_at=one.ended_stream_at or now,
            )
            for one in ended
        ],
    )  # fmt: skip


async def appoint(tx: Tx, actor: Actor, show_id: UUID, user_id: UUID, role: Role) -> None:
    """Give a person a role in the show, in place of any they had. Raises NotStaff, HostStays, TooManyStaff."""
    await need_role(tx, show_id, actor, HOSTS)
    record = await _lock(tx, show_id)
    if user_id == record.host_id:
        raise HostStays
    staff = await store.staff(tx, show_id)
    if user_id not in staff and len(staff) >= STAFF_MAX:
        raise TooManyStaff
    await store.put_staff(tx, show_id, user_id, role, actor.need_user())


async def dismiss(tx: Tx, actor: Actor, show_id: UUID, user_id: UUID) -> None:
    """Take a person's role away. Repeating it changes nothing. Raises NotStaff, HostStays."""
    await need_role(tx, show_id, actor, HOSTS)
    record = await _lock(tx, show_id)
    if user_id == record.host_id:
        raise HostStays
    await store.drop_staff(tx, show_id, user_id)
