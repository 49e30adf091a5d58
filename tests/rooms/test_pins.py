"""Pins in stream time: at any moment at most one primary pin is open, whoever presses when."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import asyncpg
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from livestall.base import clock, ids
from livestall.base.errors import NotFound, SameIdOtherContents
from livestall.rooms import actions, store
from livestall.rooms.model import Listing, NotInTray, NotStaff, TooManyPins, WrongState


async def fill_tray(db: Any, host: Any, show_id: Any, count: int = 3) -> list[Any]:
    tray = [Listing(ids.new(), show_id, ids.new(), ids.new(), slot, None, {}) for slot in range(1, count + 1)]
    await db.run(lambda tx: actions.set_tray(tx, host, show_id, tray))
    return tray


async def press(db: Any, host: Any, show_id: Any, listing: Any, *, primary: bool = True, pin_id: Any = None) -> Any:
    pin_id = pin_id or ids.new()
    return await db.run(
        lambda tx: actions.pin(tx, host, show_id, pin_id=pin_id, listing_id=listing.id, primary=primary)
    )


async def all_pins(db: Any, show_id: Any) -> list[Any]:
    async with db.read() as read:
        return await store.pins(read, show_id)


async def test_a_new_primary_pin_ends_the_old_at_the_same_stream_time(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    tray = await fill_tray(db, host, show_id)
    before = clock.now()
    first = await press(db, host, show_id, tray[0])
    second = await press(db, host, show_id, tray[1])
    pins = {pin.id: pin for pin in await all_pins(db, show_id)}
    assert (first.stream_at - before).total_seconds() >= 0.1, "the picture is behind the hand by the ingest delay"
    assert pins[first.id].ended_stream_at is not None
    assert pins[first.id].ended_stream_at <= second.stream_at
    assert pins[second.id].ended_stream_at is None


async def test_the_same_pin_again_is_the_same_pin(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    tray = await fill_tray(db, host, show_id)
    pin_id = ids.new()
    assert await press(db, host, show_id, tray[0], pin_id=pin_id) == await press(
        db, host, show_id, tray[0], pin_id=pin_id
    )
    with pytest.raises(SameIdOtherContents):
        await press(db, host, show_id, tray[1], pin_id=pin_id)
    assert len(await all_pins(db, show_id)) == 1


async def test_two_hosts_pin_at_once_both_are_answered_and_the_last_wins(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    tray = await fill_tray(db, host, show_id, 10)
    answers = await asyncio.gather(*[press(db, host, show_id, one) for one in tray])
    pins = await all_pins(db, show_id)
    still_open = [pin for pin in pins if pin.ended_stream_at is None]
    assert len(answers) == len(pins) == 10
    assert len(still_open) == 1
    assert still_open[0].id == max(pins, key=lambda pin: pin.stream_at).id


async def test_without_the_lock_two_hosts_collide(db, stage, monkeypatch) -> None:
    """The twin: when the show's row is not locked, the index is all that stands between two open pins."""
    host = await stage.host()
    show_id = await stage.show(host)
    tray = await fill_tray(db, host, show_id, 10)
    together = asyncio.Barrier(len(tray))

    async def unlocked(tx: Any, wanted: Any) -> Any:
        found = await store.show(tx, wanted)
        await together.wait()
        return found

    monkeypatch.setattr(store, "lock_show", unlocked)
    answers = await asyncio.gather(*[press(db, host, show_id, one) for one in tray], return_exceptions=True)
    assert any(isinstance(one, asyncpg.UniqueViolationError) for one in answers)
    assert sum(pin.ended_stream_at is None for pin in await all_pins(db, show_id)) == 1


async def test_who_may_pin_what_and_when(db, stage) -> None:
    host, stranger = await stage.host(), await stage.person()
    show_id, other_show = await stage.show(host), await stage.show(await stage.host())
    tray = await fill_tray(db, host, show_id)
    with pytest.raises(NotStaff):
        await press(db, stranger, show_id, tray[0])
    with pytest.raises(NotStaff):
        await press(db, host, other_show, tray[0])
    with pytest.raises(NotFound):
        await press(db, host, ids.new(), tray[0])
    with pytest.raises(NotInTray):
        await press(db, host, show_id, Listing(ids.new(), show_id, ids.new(), ids.new(), 1, None, {}))
    for one in tray[1:]:
        await press(db, host, show_id, one, primary=False)
    with pytest.raises(TooManyPins):
        await press(db, host, show_id, tray[0], primary=False)
    await db.run(lambda tx: actions.end(tx, host, show_id))
    assert all(pin.ended_stream_at is not None for pin in await all_pins(db, show_id))
    with pytest.raises(WrongState):
        await press(db, host, show_id, tray[0])


async def test_what_leaves_the_tray_is_unpinned(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    tray = await fill_tray(db, host, show_id)
    await press(db, host, show_id, tray[0])
    await db.run(lambda tx: actions.set_tray(tx, host, show_id, tray[1:]))
    assert [pin.ended_stream_at is None for pin in await all_pins(db, show_id)] == [False]
    with pytest.raises(NotInTray):
        await press(db, host, show_id, tray[0])
    async with db.read() as read:
        assert [one.id for one in await store.tray(read, show_id)] == [one.id for one in tray[1:]]


async def test_a_tray_is_rearranged_and_keeps_its_prices(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    variant = ids.new()
    tray = [Listing(ids.new(), show_id, ids.new(), ids.new(), n, n, {variant: 100 * n}) for n in (1, 2, 3)]
    await db.run(lambda tx: actions.set_tray(tx, host, show_id, tray))
    turned = [msgspec.structs.replace(one, slot=slot) for slot, one in enumerate(reversed(tray), start=1)]
    await db.run(lambda tx: actions.set_tray(tx, host, show_id, turned))
    async with db.read() as read:
        assert await store.tray(read, show_id) == turned
    other = await stage.show(host, "draft")
    with pytest.raises(SameIdOtherContents):
        await db.run(lambda tx: actions.set_tray(tx, host, other, [tray[0]]))


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pin"), st.integers(0, 3), st.booleans()),
        st.tuples(st.just("unpin"), st.integers(0, 10), st.just(False)),
        st.tuples(st.just("take-out"), st.integers(0, 3), st.just(False)),
        st.tuples(st.just("put-back"), st.just(0), st.just(False)),
    ),
    max_size=12,
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(steps=STEPS)
async def test_whatever_hosts_do_the_pins_make_sense(db, stage, steps: list[tuple[str, int, bool]]) -> None:
    host = await stage.host()
    show_id = await stage.show(host)
    tray = await fill_tray(db, host, show_id, 4)
    for what, n, primary in steps:
        pins = await all_pins(db, show_id)
        try:
            if what == "pin":
                await press(db, host, show_id, tray[n], primary=primary)
            elif what == "unpin" and pins:
                pin = pins[n % len(pins)]
                await db.run(lambda tx, p=pin: actions.unpin(tx, host, show_id, p.id))
            elif what == "take-out":
                await db.run(lambda tx, n=n: actions.set_tray(tx, host, show_id, tray[:n] + tray[n + 1 :]))
            elif what == "put-back":
                await db.run(lambda tx: actions.set_tray(tx, host, show_id, tray))
        except (NotInTray, TooManyPins):
            pass
        pins = await all_pins(db, show_id)
        still_open = [pin for pin in pins if pin.ended_stream_at is None]
        async with db.read() as read:
            offered = {one.id for one in await store.tray(read, show_id)}
        assert sum(pin.primary for pin in still_open) <= 1
        assert sum(not pin.primary for pin in still_open) <= 2
        assert {pin.listing_id for pin in still_open} <= offered
        primaries = sorted((pin for pin in pins if pin.primary), key=lambda pin: pin.stream_at)
        for before, after in pairwise(primaries):
            assert before.ended_stream_at is not None
            assert before.stream_at <= before.ended_stream_at <= after.stream_at
