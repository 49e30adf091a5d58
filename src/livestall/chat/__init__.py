"""Chat: what people say in a show, how fast, and what moderators do about it."""

from livestall.chat.actions import say
from livestall.chat.model import (
    LAST,
    ChatDeleted,
    ChatMessage,
    ChatMode,
    ChatModeChanged,
    ChatMuted,
    ChatSaid,
    Message,
    Settings,
)
from livestall.chat.store import last, modes, per_minute

__all__ = [
    "LAST", "ChatDeleted", "ChatMessage", "ChatMode", "ChatModeChanged", "ChatMuted", "ChatSaid", "Message", "Settings",
    "last", "modes", "per_minute", "say",
]  # fmt: skip
