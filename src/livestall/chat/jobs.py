"""What the room hears of chat."""

from __future__ import annotations

from collections.abc import Sequence

from livestall.base.db import Read
from livestall.base.outbox import Delivered
from livestall.chat.model import ChatDeleted, ChatModeChanged, ChatMuted, ChatSaid
from livestall.live import NewEvent


async def said(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    return [
        NewEvent(
            channel=event.subject, kind="chat.said", at=event.message.at, stream_at=event.message.stream_at,
            body=event.message,
        )
        for one in batch
        if isinstance(event := one.event, ChatSaid)
    ]  # fmt: skip


async def deleted(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    return [
        NewEvent(channel=event.subject, kind="chat.deleted", at=event.at, body={"id": event.message_id})
        for one in batch
        if isinstance(event := one.event, ChatDeleted)
    ]


async def muted(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    return [
        NewEvent(
            channel=event.subject, kind="chat.muted", at=event.at,
            body={"user_id": event.user_id, "seconds": event.seconds},
        )
        for one in batch
        if isinstance(event := one.event, ChatMuted)
    ]  # fmt: skip


async def mode_changed(_read: Read, batch: Sequence[Delivered]) -> list[NewEvent]:
    return [
        NewEvent(channel=event.subject, kind="chat.mode", at=event.at, body=event.mode)
        for one in batch
        if isinstance(event := one.event, ChatModeChanged)
    ]


LIVE_EVENTS = {ChatSaid: said, ChatDeleted: deleted, ChatMuted: muted, ChatModeChanged: mode_changed}
