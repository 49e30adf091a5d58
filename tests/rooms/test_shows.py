"""The life of a show: every move there is, none that there is not, and the grace when the picture drops."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import product

import pytest

from livestall.base import clock, config, ids
from livestall.base.errors import NotFound, SameIdOtherContents, Unauthenticated
from livestall.base.outbox import Relay
from livestall.rooms import Role, Settings, ShowState, actions, jobs, need_role, role_in, store
from livestall.rooms.model import (
    HOSTS,
    MODERATING,
    MOVES,
    SELLING,
    AlreadyOnAir,
    HostStays,
    NoStream,
    NotStaff,
    WrongState,
    move,
)

DOMAIN = """
draft scheduled, scheduled preview, preview live, live interrupted, interrupted live, live ended, interrupted ended,
ended replay, replay purged, ended purged
"""


@pytest.mark.parametrize(("current", "wanted"), list(product(ShowState, ShowState)))
def test_the_table_of_moves(current: ShowState, wanted: ShowState) -> None:
    pairs = {tuple(pair.split()) for pair in DOMAIN.replace("\n", " ").split(",")}
    allowed = (current.value, wanted.value) in pairs
    assert (wanted in MOVES[current]) is allowed
    if allowed:
        move(ids.new(), current, wanted)
    else:
        with pytest.raises(WrongState):
            move(ids.new(), current, wanted)


async def state_of(db, show_id) -> str:
    async with db.read() as read:
        return (await actions.show(read, show_id)).state.value


async def test_a_show_from_the_plan_to_the_replay(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host, "replay")
    async with db.read() as read:
        moves = [(a.value, b.value) for a, b in await store.moves(read, show_id)]
        record = await actions.show(read, show_id)
    assert moves == [
        ("draft", "scheduled"), ("scheduled", "preview"), ("preview", "live"), ("live", "ended"), ("ended", "replay"),
    ]  # fmt: skip
    assert record.started_at is not None
    assert record.ended_at is not None
    assert record.recording_ms == 60_000


async def test_going_live_needs_a_picture(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host, "draft")
    with pytest.raises(NoStream):
        await db.run(lambda tx: actions.go_live(tx, host, show_id))
    assert await state_of(db, show_id) == "draft"
    await stage.picture(show_id)
    record = await db.run(lambda tx: actions.go_live(tx, host, show_id))
    assert record.state == "live"
    assert (await db.run(lambda tx: actions.go_live(tx, host, show_id))).started_at == record.started_at


async def test_a_channel_has_one_show_on_air(db, stage) -> None:
    host = await stage.host()
    await stage.show(host, "live")
    second = await stage.show(host, "preview")
    with pytest.raises(AlreadyOnAir):
        await db.run(lambda tx: actions.go_live(tx, host, second))


async def test_of_two_shows_going_live_at_once_one_does(db, stage) -> None:
    host = await stage.host()
    shows = [await stage.show(host, "preview") for _ in range(2)]
    results = await asyncio.gather(
        *[db.run(lambda tx, s=show_id: actions.go_live(tx, host, s)) for show_id in shows], return_exceptions=True
    )
    states = sorted([await state_of(db, show_id) for show_id in shows])
    assert states == ["live", "preview"]
    assert sum(isinstance(one, Exception) for one in results) == 1


async def test_the_picture_drops_and_comes_back_within_the_grace(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host, "interrupted")
    async with db.read() as read:
        record = await actions.show(read, show_id)
    left = record.grace_until - clock.now()
    assert timedelta(seconds=170) < left <= timedelta(seconds=180)
    with clock.travel(170):
        assert await jobs.end_past_grace(db) == 0
        await stage.picture(show_id)
    assert await state_of(db, show_id) == "live"
    with clock.travel(400):
        assert await jobs.end_past_grace(db) == 0
    assert await state_of(db, show_id) == "live"


async def test_after_the_grace_the_show_is_over(db, stage) -> None:
    with config.override(Settings(grace_seconds=30)):
        show_id = await stage.show(await stage.host(), "interrupted")
    with clock.travel(31):
        assert await jobs.end_past_grace(db) == 1
        assert await jobs.end_past_grace(db) == 0
    assert await state_of(db, show_id) == "ended"


async def test_a_recording_that_comes_before_the_end_makes_a_replay_at_the_end(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host, "interrupted")
    async with db.write() as tx:
        record = await actions.show(tx, show_id)
        await actions.stream_recorded(tx, show_id, record.stream_id, clock.now(), 1000)
    with clock.travel(181):
        await jobs.end_past_grace(db)
    assert await state_of(db, show_id) == "replay"


async def test_the_same_plan_again_is_the_same_show_another_one_is_refused(db, stage) -> None:
    host, show_id = await stage.host(), ids.new()

    async def plan(title: str):
        async with db.write() as tx:
            return await actions.plan_show(
                tx, host, show_id, title=title, description="", planned_at=None, mode="default"
            )

    assert (await plan("One")).id == (await plan("One")).id
    with pytest.raises(SameIdOtherContents):
        await plan("Two")


async def test_a_draft_that_gets_a_time_is_announced(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host, "draft")
    async with db.write() as tx:
        record = await actions.edit_show(tx, host, show_id, {"planned_at": clock.now(), "title": "New"})
    assert (record.state, record.title) == ("scheduled", "New")
    await stage.picture(show_id)
    async with db.write() as tx:
        await actions.go_live(tx, host, show_id)
        with pytest.raises(WrongState):
            await actions.edit_show(tx, host, show_id, {"mode": "interactive"})


async def test_the_stream_of_another_show_changes_nothing(db, stage) -> None:
    host = await stage.host()
    show_id = await stage.show(host, "live")
    async with db.write() as tx:
        await actions.stream_stopped(tx, show_id, ids.new())
    assert await state_of(db, show_id) == "live"


async def test_roles(db, stage) -> None:
    host, helper, stranger = await stage.host(), await stage.person("Bo"), await stage.person("Cy")
    show_id = await stage.show(host, "draft")
    async with db.write() as tx:
        assert await role_in(tx, show_id, helper) is Role.viewer
        with pytest.raises(NotFound):
            await actions.visible_show(tx, show_id, stranger)
        await actions.appoint(tx, host, show_id, helper.user_id, Role.stock_clerk)
        assert await need_role(tx, show_id, helper, SELLING) is Role.stock_clerk
        assert (await actions.visible_show(tx, show_id, helper))[1] is Role.stock_clerk
        for roles, who in [(HOSTS, helper), (MODERATING, helper), (SELLING, stranger)]:
            with pytest.raises(NotStaff):
                await need_role(tx, show_id, who, roles)
        with pytest.raises(NotStaff):
            await actions.appoint(tx, helper, show_id, stranger.user_id, Role.moderator)
        with pytest.raises(HostStays):
            await actions.appoint(tx, host, show_id, host.user_id, Role.observer)
        with pytest.raises(HostStays):
            await actions.dismiss(tx, host, show_id, host.user_id)
        await actions.dismiss(tx, host, show_id, helper.user_id)
        with pytest.raises(NotStaff):
            await need_role(tx, show_id, helper, SELLING)
        from livestall.accounts import ANONYMOUS

        with pytest.raises(Unauthenticated):
            await need_role(tx, show_id, ANONYMOUS, SELLING)


async def test_what_gateways_count_is_kept(db, stage) -> None:
    from livestall.rooms import Audience, Like, add_likes, count_audience, minutes

    show_id = await stage.show(await stage.host(), "live")
    for viewers, peak, likes in [(10, 12, 5), (3, 11, 2)]:
        async with db.write() as tx:
            await count_audience(tx, [Audience(show_id, viewers, peak)])
            await add_likes(tx, [Like(ids.new(), show_id, likes)])
    async with db.read() as read:
        record = await actions.show(read, show_id)
        rows = await minutes(read, show_id)
    assert (record.viewers, record.viewers_peak, record.likes) == (3, 12, 7)
    assert sum(row.likes for row in rows) == 7
    assert max(row.viewers for row in rows) == 12


async def test_relay_twice_is_relay_once(db, stage) -> None:
    show_id = await stage.show(await stage.host(), "live")
    await Relay(db, [jobs.LISTENER]).drain()
    async with db.read() as read:
        assert len(await store.moves(read, show_id)) == 3
