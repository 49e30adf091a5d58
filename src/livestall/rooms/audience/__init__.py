"""The audience of shows: how many watch, and what they like."""

from livestall.rooms.audience.actions import count, like
from livestall.rooms.audience.model import Audience, Like, Minute
from livestall.rooms.audience.store import likes, minutes

__all__ = ["Audience", "Like", "Minute", "count", "like", "likes", "minutes"]
