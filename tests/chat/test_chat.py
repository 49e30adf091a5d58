"""Chat: who may say what how fast, and what moderators do about it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livestall.base import clock, config, ids, outbox
from livestall.base.errors import NotFound, Refusal, SameIdOtherContents
from livestall.chat import ChatMessage, ChatMode, Message, Settings, actions, last, say, store
from livestall.chat.model import (
    JOINERS,
    BannedWord,
    EmptyMessage,
    MessageTooLong,
    Muted,
    MutedAll,
    NoSuchMessage,
    SlowMode,
    StaffStays,
    TooQuick,
    banned_in,
    clean,
)
from livestall.rooms import Role, ShowOver
from livestall.rooms import actions as rooms_actions
from livestall.rooms.model import NotStaff


def line(show_id: Any, who: Any, text: str = "hello", message_id: Any = None) -> Message:
    return Message(message_id or ids.new(), show_id, who.user_id, who.name, text)


async def speak(db: Any, *messages: Message) -> list[Any]:
    answers = await db.run(lambda tx: say(tx, messages))
    return [type(one) if isinstance(one, Refusal) else one for one in answers]


@pytest.mark.parametrize(
    ("raw", "kept"),
    [
        ("  two   words \n", "two words"),
        ("a\u0000b\u202ec\u200bd", "abcd"),
        ("你好\u3000世界", "你好 世界"),
        ("👩‍👩‍👧 ❤️", "👩‍👩‍👧 ❤️"),
        ("x" * 200, "x" * 200),
    ],
)
def test_what_is_kept_of_a_message(raw: str, kept: str) -> None:
    assert clean(raw) == kept


@pytest.mark.parametrize("raw", ["", "   ", "\u200b\u200d", "\u0007\n"])
def test_nothing_is_no_message(raw: str) -> None:
    with pytest.raises(EmptyMessage):
        clean(raw)


def test_two_hundred_characters_and_no_more() -> None:
    with pytest.raises(MessageTooLong):
        clean("x" * 201)


@given(st.text(max_size=250))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    try:
        kept = clean(text)
    except (EmptyMessage, MessageTooLong):
        return
    assert clean(kept) == kept
    assert not [one for one in kept if ord(one) < 32 and one not in JOINERS]


@pytest.mark.parametrize("text", ["fake", "FAKE goods", "ｆａｋｅ", "f a k e", "f.a.k.e!", "Fäke", "so𝐟𝐚𝐤𝐞"])
def test_a_banned_word_is_found_however_it_is_written(text: str) -> None:
    assert banned_in(text, ["other", "fake"]) == "fake"


def test_chinese_words_and_words_of_nothing() -> None:
    assert banned_in("这是假 货吧", ["假货"]) == "假货"
    assert banned_in("anything", ["!!", " "]) is None
    assert banned_in("fall kept", ["fake"]) is None


async def test_three_at_once_then_one_every_two_seconds(db, stage, monkeypatch) -> None:
    show_id, who = await stage.show(await stage.host()), await stage.person()
    stopped = clock.now()
    monkeypatch.setattr(clock, "now", lambda: stopped + clock.travelled())
    said = await speak(db, *[line(show_id, who, f"{n}") for n in range(5)])
    assert [isinstance(one, ChatMessage) for one in said] == [True, True, True, False, False]
    assert said[3] is TooQuick
    with clock.travel(2.1):
        assert isinstance((await speak(db, line(show_id, who)))[0], ChatMessage)
        assert (await speak(db, line(show_id, who)))[0] is TooQuick
    with clock.travel(60):
        said = await speak(db, *[line(show_id, who) for n in range(4)])
        assert [isinstance(one, ChatMessage) for one in said] == [True, True, True, False], "no allowance is hoarded"


async def test_the_limit_holds_over_all_doors_at_once(db, stage) -> None:
    """Ten transactions, as from several gateways and HTTP: three get through."""
    show_id, who = await stage.show(await stage.host()), await stage.person()
    with config.override(Settings(seconds_per_message=60)):  # nobody earns a fourth while the ten are under way
        answers = await asyncio.gather(*[speak(db, line(show_id, who)) for _ in range(10)])
    assert sum(isinstance(one, ChatMessage) for (one,) in answers) == 3


async def test_without_the_lock_more_get_through(db, stage, monkeypatch) -> None:
    """The twin: when paces are read without locking them, the limit does not hold."""
    show_id, who = await stage.show(await stage.host()), await stage.person()
    together = asyncio.Barrier(10)

    async def unlocked(tx: Any, people: Any) -> dict[Any, Any]:
        await together.wait()
        return {}

    monkeypatch.setattr(store, "lock_paces", unlocked)
    answers = await asyncio.gather(*[speak(db, line(show_id, who)) for _ in range(10)])
    assert sum(isinstance(one, ChatMessage) for (one,) in answers) > 3


async def test_one_refused_spoils_no_other(db, stage) -> None:
    show_id = await stage.show(await stage.host())
    people = [await stage.person(f"P{n}") for n in range(4)]
    said = await speak(
        db, line(show_id, people[0], "one"), line(show_id, people[1], " "), line(ids.new(), people[2], "nowhere"),
        line(show_id, people[3], "four"),
    )  # fmt: skip
    assert said[1:3] == [EmptyMessage, NotFound]
    async with db.read() as read:
        assert [one.text for one in await last(read, show_id, 10)] == ["one", "four"]
        assert await outbox.head(read) > 0


async def test_the_same_message_again_gets_the_first_answer(db, stage) -> None:
    show_id, who = await stage.show(await stage.host()), await stage.person()
    one = line(show_id, who, "once")
    first = await speak(db, one, one)
    assert first[0] == first[1] == (await speak(db, one))[0]
    assert (await speak(db, line(show_id, who, "twice", one.id)))[0] is SameIdOtherContents
    assert (await speak(db, line(show_id, await stage.person(), "once", one.id)))[0] is SameIdOtherContents
    async with db.read() as read:
        assert len(await last(read, show_id, 10)) == 1


async def test_slow_mode_holds_back_viewers_but_not_the_host(db, stage) -> None:
    host, who = await stage.host(), await stage.person()
    show_id = await stage.show(host)
    await db.run(lambda tx: actions.set_mode(tx, host, show_id, ChatMode(slow_seconds=30)))
    assert [type(one) is ChatMessage for one in await speak(db, line(show_id, who))] == [True]
    with clock.travel(20):
        assert (await speak(db, line(show_id, who)))[0] is SlowMode
        assert all(isinstance(one, ChatMessage) for one in await speak(db, line(show_id, host), line(show_id, host)))
    with clock.travel(31):
        assert isinstance((await speak(db, line(show_id, who)))[0], ChatMessage)


async def test_mute_for_a_while_for_good_and_not_any_more(db, stage) -> None:
    host, who = await stage.host(), await stage.person()
    show_id = await stage.show(host)

    async def mute(seconds: int | None) -> None:
        await db.run(
            lambda tx: actions.mute(
                tx, host, show_id, act_id=ids.new(), user_id=who.user_id, seconds=seconds, reason="spam"
            )
        )

    await mute(60)
    assert (await speak(db, line(show_id, who)))[0] is Muted
    with clock.travel(61):
        assert isinstance((await speak(db, line(show_id, who)))[0], ChatMessage)
    await mute(None)
    with clock.travel(1_000_000):
        assert (await speak(db, line(show_id, who)))[0] is Muted
        await db.run(lambda tx: actions.unmute(tx, host, show_id, who.user_id))
        assert isinstance((await speak(db, line(show_id, who)))[0], ChatMessage)
    async with db.read() as read:
        acts = await read.fetch("select by_id, act, reason from chat_act where show_id = $1 order by at", show_id)
    assert [(row["act"], row["reason"]) for row in acts] == [("mute", "spam"), ("mute", "spam"), ("unmute", "")]
    assert {row["by_id"] for row in acts} == {host.user_id}


async def test_mute_all_and_banned_words(db, stage) -> None:
    host, moderator, who = await stage.host(), await stage.person("Mo"), await stage.person()
    show_id = await stage.show(host)
    await db.run(lambda tx: rooms_actions.appoint(tx, host, show_id, moderator.user_id, Role.moderator))
    mode = await db.run(
        lambda tx: actions.set_mode(
            tx, moderator, show_id, ChatMode(0, muted_all=True, banned_words=["Fake", "ＦＡＫＥ"])
        )
    )
    assert len(mode.banned_words) == 1
    assert (await speak(db, line(show_id, who)))[0] is MutedAll
    assert (await speak(db, line(show_id, moderator)))[0].role == "moderator"
    await db.run(lambda tx: actions.set_mode(tx, moderator, show_id, ChatMode(banned_words=["fake"])))
    assert (await speak(db, line(show_id, who, "F A K E")))[0] is BannedWord
    assert isinstance((await speak(db, line(show_id, host, "not fake!")))[0], ChatMessage)


async def test_who_may_moderate(db, stage) -> None:
    host, clerk, who = await stage.host(), await stage.person("Cl"), await stage.person()
    show_id = await stage.show(host)
    await db.run(lambda tx: rooms_actions.appoint(tx, host, show_id, clerk.user_id, Role.stock_clerk))
    (said,) = await speak(db, line(show_id, host))
    for nobody in (clerk, who):
        with pytest.raises(NotStaff):
            await db.run(lambda tx, n=nobody: actions.delete(tx, n, show_id, said.id))
        with pytest.raises(NotStaff):
            await db.run(lambda tx, n=nobody: actions.set_mode(tx, n, show_id, ChatMode(5)))
        with pytest.raises(NotStaff):
            await db.run(
                lambda tx, n=nobody: actions.mute(tx, n, show_id, act_id=ids.new(), user_id=who.user_id, seconds=5)
            )
    with pytest.raises(StaffStays):
        await db.run(lambda tx: actions.mute(tx, host, show_id, act_id=ids.new(), user_id=clerk.user_id, seconds=5))


async def test_a_deleted_message_is_gone_once_and_noted(db, stage) -> None:
    host, who = await stage.host(), await stage.person()
    show_id, other = await stage.show(host), await stage.show(await stage.host())
    mine, theirs = await speak(db, line(show_id, who), line(show_id, who))
    await db.run(lambda tx: actions.delete(tx, who, show_id, mine.id))
    for _ in range(2):
        await db.run(lambda tx: actions.delete(tx, host, show_id, theirs.id, "rude"))
    with pytest.raises(NoSuchMessage):
        await db.run(lambda tx: actions.delete(tx, host, other, theirs.id))
    async with db.read() as read:
        assert await last(read, show_id, 10) == []
        acts = await read.fetch("select by_id, about_user, reason from chat_act where act = 'delete' order by at")
    assert [(row["by_id"], row["about_user"], row["reason"]) for row in acts] == [
        (who.user_id, who.user_id, ""), (host.user_id, who.user_id, "rude"),
    ]  # fmt: skip


async def test_after_the_show_nobody_talks(db, stage) -> None:
    host, who = await stage.host(), await stage.person()
    over, draft = await stage.show(host, "ended"), await stage.show(host, "draft")
    assert await speak(db, line(over, who), line(draft, who)) == [ShowOver, NotFound]


async def test_settings_change_the_pace(db, stage) -> None:
    show_id, who = await stage.show(await stage.host()), await stage.person()
    with config.override(Settings(burst=1)):
        said = await speak(db, line(show_id, who), line(show_id, who))
    assert said[1] is TooQuick
