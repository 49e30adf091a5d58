"""Chat: words and rules. A message is short, nobody talks too fast, and whoever moderates leaves a record."""

from __future__ import annotations

import unicodedata
from datetime import datetime, timedelta
from typing import Annotated
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Forbidden, Invalid, NotFound, TooMany
from livestall.base.outbox import Event
from livestall.rooms import Role

TEXT_MAX = 200
LAST = 100
"""Messages that a newcomer sees."""
WORDS_MAX = 200
MUTE_SECONDS_MAX = 10 * 365 * 24 * 3600


class Settings(config.Section, frozen=True, kw_only=True):
    seconds_per_message: Annotated[float, Meta(gt=0, le=60, description="one person's messages, sustained")] = 2.0
    burst: Annotated[int, Meta(ge=1, le=100, description="one person's messages at once")] = 3


class ChatMessage(msgspec.Struct, frozen=True):
    """A line of chat. `role` is the person's role in the show when they said it."""

    id: UUID
    user_id: UUID
    name: str
    text: str
    at: datetime
    stream_at: datetime
    role: str


class Message(msgspec.Struct, frozen=True):
    """Something that a person wants to say in a show."""

    id: UUID
    show_id: UUID
    user_id: UUID
    name: str
    text: str


Word = Annotated[str, Meta(min_length=1, max_length=40)]


class ChatMode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How people may talk in a show. `slow_seconds`: 0 is off."""

    slow_seconds: Annotated[int, Meta(ge=0, le=60)] = 0
    muted_all: bool = False
    banned_words: Annotated[list[Word], Meta(max_length=WORDS_MAX)] = msgspec.field(default_factory=list)


class Pace(msgspec.Struct, frozen=True):
    """`full_at`: when the person's allowance is whole again; `last_at`: when they last spoke."""

    full_at: datetime
    last_at: datetime


class EmptyMessage(Invalid):
    code = "empty-message"
    en = "Write something first."
    zh = "请输入内容。"


class MessageTooLong(Invalid):
    code = "message-too-long"
    en = "A message may have at most 200 characters."
    zh = "每条消息最多 200 个字符。"


class BannedWord(Invalid):
    code = "banned-word"
    en = "The host does not want the word “{word}” here."
    zh = "主播不希望出现“{word}”一词。"


class TooQuick(TooMany):
    code = "too-quick"
    en = "You write very fast. Wait {retry_after_seconds} s."
    zh = "您发送得太快了，请等待 {retry_after_seconds} 秒。"


class SlowMode(TooMany):
    code = "slow-mode"
    en = "The host has slowed the chat down. Wait {retry_after_seconds} s."
    zh = "主播已开启慢速模式，请等待 {retry_after_seconds} 秒。"


class Muted(Forbidden):
    code = "muted"
    en = "You were muted in this show."
    zh = "您在本场直播中已被禁言。"


class MutedAll(Forbidden):
    code = "muted-all"
    en = "Only the host and the moderators may write at the moment."
    zh = "当前仅主播和房管可以发言。"


class NoSuchMessage(NotFound):
    code = "no-such-message"
    en = "There is no such message in this show."
    zh = "本场直播中没有该消息。"


class StaffStays(Forbidden):
    code = "staff-stays"
    en = "People with a role in the show cannot be muted. Take their role away first."
    zh = "不能禁言本场工作人员，请先取消其角色。"


class ChatSaid(Event, frozen=True, kw_only=True):
    """A message was said in a show (subject)."""

    topic = "chat.said"
    message: ChatMessage


class ChatDeleted(Event, frozen=True, kw_only=True):
    topic = "chat.deleted"
    message_id: UUID
    at: datetime


class ChatMuted(Event, frozen=True, kw_only=True):
    """A person was muted for `seconds`, None: for good, 0: may speak again."""

    topic = "chat.muted"
    user_id: UUID
    seconds: int | None
    at: datetime


class ChatModeChanged(Event, frozen=True, kw_only=True):
    topic = "chat.mode"
    mode: ChatMode
    at: datetime


def clean(text: str) -> str:
    """What is kept of `text`: no control or formatting characters (joiners of emoji stay), no runs of spaces.

    Raises EmptyMessage, MessageTooLong.
    """
    plain = "".join(" " if one.isspace() else one for one in text if one.isspace() or _is_writing(one))
    plain = " ".join(plain.split())
    if not plain.strip(JOINERS):
        raise EmptyMessage
    if len(plain) > TEXT_MAX:
        raise MessageTooLong
    return plain


JOINERS = "\u200c\u200d\ufe0f"


def _is_writing(character: str) -> bool:
    return character in JOINERS or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def plain_form(text: str) -> str:
    """`text` as banned words see it: one width, one case, no spaces, punctuation or marks."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(one for one in folded if unicodedata.category(one)[0] in "LNS")


def banned_in(text: str, words: list[str]) -> str | None:
    """The first of `words` that `text` contains, however it is written."""
    plain = plain_form(text)
    return next((word for word in words if (form := plain_form(word)) and form in plain), None)


def speak(pace: Pace | None, now: datetime, slow_seconds: int, settings: Settings) -> Pace:
    """The person's pace after one more message now. Raises SlowMode, TooQuick."""
    each = timedelta(seconds=settings.seconds_per_message)
    if pace is None:
        return Pace(now + each, now)
    if slow_seconds and (wait := pace.last_at + timedelta(seconds=slow_seconds) - now) > timedelta(0):
        raise SlowMode(retry_after_seconds=_seconds(wait))
    full_at = max(pace.full_at, now) + each
    if (wait := full_at - now - settings.burst * each) > timedelta(0):
        raise TooQuick(retry_after_seconds=_seconds(wait))
    return Pace(full_at, now)


def _seconds(wait: timedelta) -> int:
    return max(1, -int(-wait.total_seconds() // 1))


SPARED = frozenset({Role.host, Role.co_host, Role.moderator})
"""Roles that slow mode and "mute all" do not hold back."""
