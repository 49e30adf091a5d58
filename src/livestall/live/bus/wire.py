"""Messages between gateways: signed, numbered by their sender, and nothing in them believed before that is checked."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from livestall.base import keys
from livestall.live.bus import Nudge, Present, Said
from livestall.live.model import LiveEvent, Total

PURPOSE = "bus between gateways"
SIGNATURE_BYTES = 64
SENDERS_MAX = 1000
"""Gateways whose last number is remembered; the one heard longest ago is forgotten first."""


class _Event(msgspec.Struct, frozen=True, array_like=True):
    """As LiveEvent; the body stays the bytes it came as, so that it is passed on without being read."""

    channel: UUID
    seq: int
    kind: str
    at: datetime
    stream_at: datetime | None
    body: msgspec.Raw


class _Total(msgspec.Struct, frozen=True, array_like=True):
    channel: UUID
    slot: str
    value: Any
    key: str | None = None


class _Said(msgspec.Struct, frozen=True, tag="said"):
    events: list[_Event] = []
    totals: list[_Total] = []
    marks: dict[UUID, int] = {}


class _Message(msgspec.Struct, frozen=True):
    sender: UUID
    number: int
    body: _Said | Present | Nudge


class NotOurs(ValueError):
    """Bytes on the bus that no gateway of this market sent, or sent before."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Message).decode


class Wire:
    """Writes this gateway's messages and reads the others'."""

    def __init__(self, own: UUID) -> None:
        self._own = own
        self._number = 0
        self._heard: OrderedDict[UUID, int] = OrderedDict()

    @staticmethod
    def topic() -> str:
        """The name under which the gateways of this market find each other; another market's is another."""
        return f"livestall:{keys.sign(PURPOSE, 'topic')[:16]}"

    def write(self, message: Said | Present | Nudge) -> bytes:
        self._number += 1
        body = _packed(message) if isinstance(message, Said) else message
        payload = _encode(_Message(self._own, self._number, body))
        return keys.sign(PURPOSE, payload).encode() + payload

    def read(self, data: bytes) -> Said | Present | Nudge | None:
        """What was said; None for this gateway's own messages. Raises NotOurs."""
        signature, payload = data[:SIGNATURE_BYTES], data[SIGNATURE_BYTES:]
        if not keys.same(signature.decode("latin-1"), keys.sign(PURPOSE, payload)):
            raise NotOurs("not signed with this market's secret")
        try:
            message = _decode(payload)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise NotOurs(str(error)) from error
        if message.sender == self._own:
            return None
        if message.number <= self._heard.get(message.sender, 0):
            raise NotOurs("heard before")
        self._heard[message.sender] = message.number
        self._heard.move_to_end(message.sender)
        if len(self._heard) > SENDERS_MAX:
            self._heard.popitem(last=False)
        return _unpacked(message.body) if isinstance(message.body, _Said) else message.body


def _packed(said: Said) -> _Said:
    return _Said(
        [
            _Event(channel, one.seq, one.kind, one.at, one.stream_at, msgspec.Raw(_encode(one.body)))
            for channel, one in said.events
        ],
        [_Total(one.channel, one.slot, one.value, one.key) for one in said.totals],
        dict(said.marks),
    )


def _unpacked(said: _Said) -> Said:
    events = [
        (one.channel, LiveEvent(one.seq, one.kind, one.at, one.stream_at, one.body.copy())) for one in said.events
    ]
    return Said(events, [Total(one.channel, one.slot, one.value, one.key) for one in said.totals], said.marks)
