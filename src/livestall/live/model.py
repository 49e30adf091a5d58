"""The wire: numbered events on channels, the frames that carry them, and the limits of a connection.

A channel is an opaque id. Durable events on it are numbered 1, 2, 3 … without a gap; totals are not numbered, the last
value wins. Nothing here knows what the events say.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from livestall.base import config
from livestall.base.errors import Invalid, TooLarge, TooMany, Unauthenticated

MISSED_MAX = 1000
"""Events kept in memory per channel for readers who come back; whoever missed more gets a snapshot."""


class Settings(config.Section, frozen=True, kw_only=True):
    """The section `live`: the gateway and its limits."""

    port: Annotated[int, Meta(ge=0, le=65535, description="port of the live gateway")] = 8001
    processes: Annotated[
        int, Meta(ge=1, le=16, description="gateways on this machine, sharing the port; more than one need a bus")
    ] = 1
    tick_ms: Annotated[int, Meta(ge=10, le=5000, description="events are sent together, at most this late")] = 100
    totals_ms: Annotated[
        int, Meta(ge=100, le=60_000, description="likes and viewer counts are sent at most this often")
    ] = 1000
    lines_per_second: Annotated[
        int, Meta(ge=2, le=1000, description="chat lines a viewer is sent per second; the rest is only counted")
    ] = 30
    deliveries_per_second: Annotated[
        int, Meta(ge=1000, description="frames a gateway may send per second before its tick grows longer")
    ] = 100_000
    buffer_bytes: Annotated[
        int, Meta(ge=4096, description="bytes that may wait for a slow viewer before it is cut off")
    ] = 65_536
    send_buffer_bytes: Annotated[int, Meta(ge=4096, description="SO_SNDBUF per viewer")] = 65_536
    stalled_seconds: Annotated[
        float, Meta(gt=0, le=600, description="a viewer who reads nothing for so long is cut off")
    ] = 10.0
    frame_bytes: Annotated[int, Meta(ge=1024, le=2**20, description="largest message a viewer may send")] = 16_384
    commands_per_second: Annotated[float, Meta(gt=0, description="commands a connection may send, sustained")] = 10.0
    commands_burst: Annotated[int, Meta(ge=1, description="commands a connection may send at once")] = 30
    commands_waiting: Annotated[int, Meta(ge=1, description="commands of a connection under way at once")] = 16
    refusals_max: Annotated[
        int, Meta(ge=1, description="refused commands in a row after which a connection is closed")
    ] = 100
    upgrade_seconds: Annotated[
        float, Meta(gt=0, le=60, description="time a new connection has to send its request")
    ] = 5.0
    upgrades_waiting: Annotated[
        int, Meta(ge=1, description="connections that have not sent their request yet; the oldest makes room")
    ] = 2000
    hello_seconds: Annotated[float, Meta(gt=0, description="time a new connection has to say hello")] = 10.0
    ping_seconds: Annotated[float, Meta(gt=0, description="a silent connection is asked for a sign of life")] = 20.0
    ticket_seconds: Annotated[int, Meta(ge=10, le=3600, description="a ticket opens the socket for so long")] = 60
    connections: Annotated[int, Meta(ge=1, description="connections one gateway accepts")] = 15_000


class NewEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be said on `channel`. `stream_at` is when it happened in the picture, if it did."""

    channel: UUID
    kind: str
    at: datetime
    body: Any
    stream_at: datetime | None = None


class LiveEvent(msgspec.Struct, frozen=True):
    """A numbered event as it is stored and sent."""

    seq: int
    kind: str
    at: datetime
    stream_at: datetime | None
    body: Any


class Total(msgspec.Struct, frozen=True):
    """A last-value-wins number on `channel`: `value` of a plain slot such as "viewers", or by `key` within it."""

    channel: UUID
    slot: str
    value: Any
    key: str | None = None


class Caller(msgspec.Struct, frozen=True):
    """Who is behind a connection, as their ticket said: `person` is None for someone who is not signed in, `device` for
    a program."""

    channel: UUID
    person: UUID | None
    name: str
    locale: str
    role: str
    device: UUID | None = None


class Command(msgspec.Struct, frozen=True):
    """A socket command: the form of its message (besides `type` and `id`), and what it does.

    `run(caller, id, body)` returns the result of the answer or raises a Refusal. For what comes in rushes there is
    `start(caller, id, body, asked)`, which returns at once: it calls `asked.tell` any number of times with how far it
    is, and `asked.end` once with the result, which may have its JSON ready as `json`, or with the exception that stands
    against it; `body` is then what `grasp` made of it, once for all who said the same. `close` is awaited when the
    process ends.
    """

    form: type[Any]
    run: Callable[..., Awaitable[Any]] | None = None
    start: Callable[..., None] | None = None
    grasp: Callable[[Any], Any] | None = None
    close: Callable[[], Awaitable[None]] | None = None


class Bucket:
    """`rate` a second, `burst` at once."""

    __slots__ = ("_at", "_burst", "_left", "_rate")

    def __init__(self, rate: float, burst: int) -> None:
        self._rate, self._burst = rate, burst
        self._left, self._at = float(burst), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class WrongTicket(Unauthenticated):
    code = "wrong-ticket"
    en = "This ticket is not valid here. Ask for a new one."
    zh = "入场凭证无效，请重新获取。"


class TicketExpired(Unauthenticated):
    code = "ticket-expired"
    en = "This ticket has expired. Ask for a new one."
    zh = "入场凭证已过期，请重新获取。"


class NotUnderstood(Invalid):
    code = "not-understood"
    en = "This message could not be understood: {reason}"
    zh = "无法识别该消息：{reason}"


class MessageTooLarge(TooLarge):
    code = "message-too-large"
    en = "A message may have at most {bytes} bytes."
    zh = "单条消息最多 {bytes} 字节。"


class TooFast(TooMany):
    code = "too-fast"
    en = "That was too quick. Wait {retry_after_seconds} s and try again."
    zh = "操作太快了，请等待 {retry_after_seconds} 秒后重试。"
