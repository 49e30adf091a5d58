"""Frames: what is sent over a socket, encoded once for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from livestall.base import clock
from livestall.live.model import LiveEvent

_encode = msgspec.json.Encoder().encode


def encode(value: Any) -> bytes:
    return _encode(value)


def websocket_text(payload: bytes) -> bytes:
    """`payload` as one unmasked WebSocket text frame (RFC 6455, 5.2)."""
    size = len(payload)
    if size < 126:
        return bytes((0x81, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def event(one: LiveEvent) -> bytes:
    return _encode(one)


def events(
    first: int | None, last: int | None, encoded: Sequence[bytes], totals: Mapping[str, Any], more_lines: int = 0
) -> bytes:
    """One message of numbered events `first` to `last` and of the totals that changed. `more_lines` were left out."""
    parts = [b'{"type":"events"']
    if first is not None and last is not None:
        parts.append(b',"from":%d,"to":%d' % (first, last))
    parts += [b',"events":[', b",".join(encoded), b"]"]
    if more_lines:
        parts.append(b',"more_chat":%d' % more_lines)
    if totals:
        parts += [b',"totals":', _encode(totals)]
    parts.append(b"}")
    return b"".join(parts)


def snapshot(body: bytes) -> bytes:
    """`body` is a JSON object, encoded once; the server's time is put in afresh for each reader."""
    return b'{"type":"snapshot","server_time":%b,%b' % (_encode(clock.now()), body[1:])


def answer(command_id: UUID, result: Any) -> bytes:
    """`result` may have its JSON ready, as `json`."""
    ready = getattr(result, "json", None)
    if isinstance(ready, bytes):
        return b'{"type":"answer","id":%b,"ok":true,"result":%b}' % (_encode(command_id), ready)
    return _encode({"type": "answer", "id": command_id, "ok": True, "result": result})


def refusal(command_id: UUID, problem_json: bytes) -> bytes:
    """`problem_json` is encoded already: in a rush many are refused in the same words."""
    return b'{"type":"answer","id":%b,"ok":false,"error":%b}' % (_encode(command_id), problem_json)


def progress(command_id: UUID, how_far: Any) -> bytes:
    """How far a command is that takes a while; its answer still comes."""
    return _encode({"type": "progress", "id": command_id, "progress": how_far})


def pong(at: float | None = None) -> bytes:
    """`at` is what the ping said, so that its sender knows how long both took."""
    return _encode({"type": "pong", "server_time": clock.now(), "at": at})


def bye(code: str, reason: str, retry_seconds: float) -> bytes:
    """`retry_seconds` is when to come back; a negative number means: not with this ticket."""
    return _encode({"type": "bye", "code": code, "reason": reason, "retry_seconds": retry_seconds})
