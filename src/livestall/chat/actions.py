"""The verbs of chat."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from livestall import accounts, rooms
from livestall.accounts import Actor
from livestall.base import clock, config, ids, outbox
from livestall.base.db import Tx
from livestall.base.errors import NotFound, Refusal, SameIdOtherContents
from livestall.chat import store
from livestall.chat.model import (
    SPARED,
    BannedWord,
    ChatDeleted,
    ChatMessage,
    ChatMode,
    ChatModeChanged,
    ChatMuted,
    ChatSaid,
    Message,
    Muted,
    MutedAll,
    NoSuchMessage,
    Pace,
    Settings,
    StaffStays,
    banned_in,
    clean,
    plain_form,
    speak,
)


async def say(tx: Tx, messages: Sequence[Message]) -> list[ChatMessage | Refusal]:
    """Say `messages`, in this order; the answers stand in the same places. A refused one spoils no other.

    Locks the paces of the people in `messages` until `tx` ends. A message that came before gets its first answer.
    """
    people = [(one.show_id, one.user_id) for one in messages]
    paces = await store.lock_paces(tx, people)
    # Only now, behind the lock, is read what the decision stands on.
    said = await store.known(tx, [one.id for one in messages])
    judge = _Judge(
        shows=await rooms.shows(tx, list({one.show_id for one in messages})),
        roles=await rooms.roles(tx, people),
        modes=await store.modes(tx, list({one.show_id for one in messages})),
        muted=await store.muted(tx, people, clock.now()),
        paces=paces,
    )
    answers: list[ChatMessage | Refusal] = []
    new: dict[UUID, tuple[Message, ChatMessage]] = {}
    for one in messages:
        try:
            first = said.get(one.id) or ((new[one.id][0].show_id, new[one.id][1]) if one.id in new else None)
            if first is not None:
                answers.append(_first_answer(one, *first))
                continue
            message = judge.decide(one)
        except Refusal as refusal:
            answers.append(refusal)
        else:
            new[one.id] = (one, message)
            answers.append(message)
    if new:
        await store.write_paces(tx, judge.changed)
        inserted = await store.insert(tx, list(new.values()))
        await outbox.emit(
            tx, [ChatSaid(subject=one.show_id, message=message) for one, message in new.values() if one.id in inserted]
        )
        lost = set(new) - inserted  # somebody else used the id in this very moment
        answers = [SameIdOtherContents() if isinstance(a, ChatMessage) and a.id in lost else a for a in answers]
    return answers


def _first_answer(one: Message, show_id: UUID, message: ChatMessage) -> ChatMessage:
    if (show_id, message.user_id, message.text) != (one.show_id, one.user_id, clean(one.text)):
        raise SameIdOtherContents
    return message


class _Judge:
    """Decides messages one after the other over what was read once for the batch."""

    def __init__(
        self, *, shows: dict[UUID, rooms.ShowRecord], roles: dict[store.Person, rooms.Role],
        modes: dict[UUID, ChatMode], muted: set[store.Person], paces: dict[store.Person, Pace],
    ) -> None:  # fmt: skip
        self._shows, self._roles, self._modes, self._muted, self._paces = shows, roles, modes, muted, paces
        self._settings = config.of(Settings)
        self.changed: dict[store.Person, Pace] = {}

    def decide(self, one: Message) -> ChatMessage:
        """The message as it is said. Raises a Refusal."""
        person = (one.show_id, one.user_id)
        show = self._shows.get(one.show_id)
        if show is None or show.state is rooms.ShowState.draft:
            raise NotFound
        if show.state not in rooms.OPEN:
            raise rooms.ShowOver
        text = clean(one.text)
        role, mode = self._roles.get(person, rooms.Role.viewer), self._modes[one.show_id]
        spared = role in SPARED
        if person in self._muted and not spared:
            raise Muted
        if mode.muted_all and not spared:
            raise MutedAll
        if not spared and (word := banned_in(text, mode.banned_words)) is not None:
            raise BannedWord(word=word)
        now = clock.now()
        pace = self.changed.get(person) or self._paces.get(person)
        self.changed[person] = speak(pace, now, 0 if spared else mode.slow_seconds, self._settings)
        return ChatMessage(one.id, one.user_id, one.name, text, now, now, role.value)


async def delete(tx: Tx, actor: Actor, show_id: UUID, message_id: UUID, reason: str = "") -> None:
    """Hide a message; repeating it changes nothing. People may delete their own. Raises NotStaff, NoSuchMessage."""
    known = (await store.known(tx, [message_id])).get(message_id)
    if known is None or known[0] != show_id:
        raise NoSuchMessage
    if known[1].user_id != actor.need_user():
        await rooms.need_role(tx, show_id, actor, rooms.MODERATING)
    now = clock.now()
    author = await store.delete(tx, show_id, message_id, now)
    if author is None:
        return
    await store.write_act(
        tx, act_id=ids.new(), show_id=show_id, by_id=actor.need_user(), act="delete", user_id=author,
        message_id=message_id, reason=reason, at=now,
    )  # fmt: skip
    await outbox.emit(tx, [ChatDeleted(subject=show_id, message_id=message_id, at=now)])


async def mute(
    tx: Tx, actor: Actor, show_id: UUID, *, act_id: UUID, user_id: UUID, seconds: int | None, reason: str = ""
) -> None:
    """Let a person be silent for `seconds`, None: for good. Safe to repeat with the same id.

    Raises NotStaff, StaffStays, NotFound for a person who does not exist.
    """
    await rooms.need_role(tx, show_id, actor, rooms.MODERATING)
    if user_id not in await accounts.names(tx, [user_id]):
        raise NotFound
    if (show_id, user_id) in await rooms.roles(tx, [(show_id, user_id)]):
        raise StaffStays
    now = clock.now()
    is_new = await store.write_act(
        tx, act_id=act_id, show_id=show_id, by_id=actor.need_user(), act="mute", user_id=user_id, reason=reason,
        detail={"seconds": seconds}, at=now,
    )  # fmt: skip
    if is_new:
        await store.mute(tx, show_id, user_id, None if seconds is None else now + timedelta(seconds=seconds))
        await outbox.emit(tx, [ChatMuted(subject=show_id, user_id=user_id, seconds=seconds, at=now)])


async def unmute(tx: Tx, actor: Actor, show_id: UUID, user_id: UUID) -> None:
    """Let a person speak again. Repeating it changes nothing. Raises NotStaff."""
    await rooms.need_role(tx, show_id, actor, rooms.MODERATING)
    if not await store.unmute(tx, show_id, user_id):
        return
    now = clock.now()
    await store.write_act(
        tx, act_id=ids.new(), show_id=show_id, by_id=actor.need_user(), act="unmute", user_id=user_id, at=now
    )
    await outbox.emit(tx, [ChatMuted(subject=show_id, user_id=user_id, seconds=0, at=now)])


async def set_mode(tx: Tx, actor: Actor, show_id: UUID, mode: ChatMode) -> ChatMode:
    """Set how people may talk; words that differ only in writing are kept once. Raises NotStaff."""
    await rooms.need_role(tx, show_id, actor, rooms.MODERATING)
    words = list({plain_form(word): word.strip() for word in mode.banned_words if plain_form(word)}.values())
    mode = ChatMode(mode.slow_seconds, mode.muted_all, words)
    now = clock.now()
    await store.put_mode(tx, show_id, mode)
    await store.write_act(
        tx, act_id=ids.new(), show_id=show_id, by_id=actor.need_user(), act="mode", at=now,
        detail={"slow_seconds": mode.slow_seconds, "muted_all": mode.muted_all, "banned_words": words},
    )  # fmt: skip
    await outbox.emit(tx, [ChatModeChanged(subject=show_id, mode=mode, at=now)])
    return mode
