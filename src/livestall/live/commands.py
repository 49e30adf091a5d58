"""Swift commands: those that do without a task of their own, and are read once when many say the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

import msgspec

from livestall.live.model import Command

KEPT = 1_024
ID_BEGINS = b'"id":"'
ID_SIZE = 36
LOOK_BYTES = 64
"""How far into a frame its id is looked for."""

_id = msgspec.json.Decoder(UUID).decode


class Swift:
    """A command without a task: how it starts, how its body is read, and how many came."""

    __slots__ = ("_grasp", "_read", "count", "kind", "start")

    def __init__(self, kind: str, command: Command, read: Callable[[bytes], Any]) -> None:
        assert command.start is not None
        self.kind, self.start, self.count = kind, command.start, 0
        self._read, self._grasp = read, command.grasp

    def read(self, payload: bytes) -> Any:
        """What its body says. Raises msgspec.MsgspecError."""
        body = self._read(payload)
        return body if self._grasp is None else self._grasp(body)

    def take_count(self) -> int:
        """How many came since it was last asked."""
        count, self.count = self.count, 0
        return count


class Asker(Protocol):
    """Who is told of a command (`live.connection`)."""

    def tell(self, command_id: UUID, how_far: Any) -> None: ...
    def ended(self, kind: str, command_id: UUID, result: Any) -> None: ...


class Asked:
    """A command under way without a task: who is to be told of it. Small, as thousands wait in a rush."""

    __slots__ = ("_asker", "_id", "_kind")

    def __init__(self, asker: Asker, kind: str, command_id: UUID) -> None:
        self._asker, self._kind, self._id = asker, kind, command_id

    def tell(self, how_far: Any) -> None:
        self._asker.tell(self._id, how_far)

    def end(self, result: Any) -> None:
        self._asker.ended(self._kind, self._id, result)


Said = tuple[Swift, UUID, Any]
"""A command, its id and its body."""


class Heard:
    """What was said lately. In a rush thousands say the same but for the id of their command: then only that is read,
    and they share one body."""

    def __init__(self) -> None:
        self._said: dict[bytes, tuple[bytes, Swift, Any]] = {}
        """By what stands behind the id: what stands before it, and what both say."""

    def find(self, payload: bytes) -> Said | None:
        """What a frame says, if another said the same before."""
        at = payload.find(ID_BEGINS, 0, LOOK_BYTES) + len(ID_BEGINS)
        known = self._said.get(payload[at + ID_SIZE :])
        if known is None or payload[:at] != known[0]:
            return None
        try:
            command_id = _id(payload[at - 1 : at + ID_SIZE + 1])
        except msgspec.MsgspecError:
            return None
        return known[1], command_id, known[2]

    def keep(self, payload: bytes, said: Said) -> None:
        """Remember a frame that was read in full; not one that could be read in two ways, and not a traced one, which
        nobody says again."""
        swift, command_id, body = said
        at = payload.find(ID_BEGINS, 0, LOOK_BYTES) + len(ID_BEGINS)
        if payload[at : at + ID_SIZE] != str(command_id).encode() or payload.count(b'"id"') > 1 or b"\\" in payload:
            return
        if b'"traceparent"' in payload:
            return
        if len(self._said) >= KEPT:
            self._said.clear()
        self._said[payload[at + ID_SIZE :]] = payload[:at], swift, body
