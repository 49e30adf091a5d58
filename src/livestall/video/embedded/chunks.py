"""RTMP's chunk stream, without I/O: bytes in, messages out (RTMP 1.0, section 5.3).

Two traps are handled: a type-3 chunk that starts a message adds the last delta again, and the continuation chunks of a
message with an extended timestamp repeat those four bytes with most encoders, but not with all.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

CHUNK_STREAMS_MAX = 32
PENDING_BYTES_MAX = 16 << 20
CHUNK_BYTES_MAX = 0xFFFFFF
SET_CHUNK_SIZE, ABORT = 1, 2
HEADER_BYTES = (11, 7, 3, 0)
EXTENDED = 0xFFFFFF


class ProtocolError(Exception):
    """The peer does not speak RTMP, or not within our bounds."""


class Message(NamedTuple):
    kind: int
    timestamp: int
    """milliseconds, 32 bits, wraps"""
    stream: int
    body: bytearray


class _Stream:
    __slots__ = ("body", "delta", "extended", "kind", "length", "stream", "timestamp")

    def __init__(self) -> None:
        self.timestamp = self.delta = self.length = self.kind = self.stream = 0
        self.extended: bytes | None = None
        self.body: bytearray | None = None


class _Header(NamedTuple):
    end: int
    field: int
    length: int
    kind: int
    stream: int
    extended: bytes | None


class ChunkReader:
    """`message_bytes_max` may be raised once the peer has proven who it is."""

    def __init__(self, message_bytes_max: int) -> None:
        self.message_bytes_max = message_bytes_max
        self._buffer = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._chunk = 128
        self._pending = 0

    def feed(self, data: bytes | bytearray | memoryview) -> list[Message]:
        """The messages that `data` completes. Raises ProtocolError."""
        self._buffer += data
        messages: list[Message] = []
        at = 0
        while (step := self._chunk_at(at, messages)) is not None:
            at = step
        if at:
            del self._buffer[:at]
        return messages

    def _chunk_at(self, at: int, messages: list[Message]) -> int | None:
        """Take the chunk that starts at `at`; returns its end, or None if it is not all there yet."""
        buffer = self._buffer
        if at >= len(buffer):
            return None
        form, number = buffer[at] >> 6, buffer[at] & 63
        at += 1
        if number < 2:
            wide = number + 1
            if at + wide > len(buffer):
                return None
            number = 64 + int.from_bytes(buffer[at : at + wide], "little")
            at += wide
        if at + HEADER_BYTES[form] > len(buffer):
            return None
        stream = self._streams.get(number)
        if stream is None:
            if form:
                raise ProtocolError("a chunk stream starts without a full header")
            if len(self._streams) >= CHUNK_STREAMS_MAX:
                raise ProtocolError("too many chunk streams")
            stream = _Stream()
        elif form != 3 and stream.body is not None:
            raise ProtocolError("a new message starts inside another")
        header = self._header(at, form, stream)
        if header is None:
            return None
        self._check(header.length)
        have = 0 if stream.body is None else len(stream.body)
        take = min(self._chunk, header.length - have)
        if header.end + take > len(buffer):
            return None
        self._streams[number] = stream
        self._apply(stream, form, header)
        assert stream.body is not None
        stream.body += memoryview(buffer)[header.end : header.end + take]
        self._pending += take
        if len(stream.body) >= header.length:
            self._complete(stream, messages)
        return header.end + take

    def _check(self, length: int) -> None:
        if length > self.message_bytes_max:
            raise ProtocolError(f"a message of {length} bytes")
        if self._pending > PENDING_BYTES_MAX:
            raise ProtocolError("too much unfinished")

    def _header(self, at: int, form: int, stream: _Stream) -> _Header | None:
        buffer = self._buffer
        field, length, kind, number, extended = stream.delta, stream.length, stream.kind, stream.stream, stream.extended
        if form < 3:
            field = int.from_bytes(buffer[at : at + 3], "big")
            extended = b"" if field == EXTENDED else None
        if form < 2:
            length, kind = int.from_bytes(buffer[at + 3 : at + 6], "big"), buffer[at + 6]
        if form == 0:
            number = int.from_bytes(buffer[at + 7 : at + 11], "little")
        at += HEADER_BYTES[form]
        if extended is not None:
            if at + 4 > len(buffer):
                return None
            raw = bytes(buffer[at : at + 4])
            if form < 3:
                field, extended, at = int.from_bytes(raw, "big"), raw, at + 4
            elif raw == extended:
                at += 4
        return _Header(at, field, length, kind, number, extended)

    @staticmethod
    def _apply(stream: _Stream, form: int, header: _Header) -> None:
        stream.length, stream.kind, stream.stream = header.length, header.kind, header.stream
        stream.extended = header.extended
        if stream.body is not None:
            return
        stream.body = bytearray()
        if form == 0:
            stream.timestamp, stream.delta = header.field, 0
        else:
            stream.delta = header.field
            stream.timestamp = (stream.timestamp + header.field) & 0xFFFFFFFF

    def _complete(self, stream: _Stream, messages: list[Message]) -> None:
        body = stream.body
        assert body is not None
        stream.body = None
        self._pending -= len(body)
        if stream.kind == SET_CHUNK_SIZE and len(body) >= 4:
            self._chunk = max(1, min(int.from_bytes(body[:4], "big") & 0x7FFFFFFF, CHUNK_BYTES_MAX))
        elif stream.kind == ABORT and len(body) >= 4:
            other = self._streams.get(int.from_bytes(body[:4], "big"))
            if other is not None and other.body is not None:
                self._pending -= len(other.body)
                other.body = None
        else:
            messages.append(Message(stream.kind, stream.timestamp, stream.stream, body))


def write(chunk_stream: int, kind: int, stream: int, body: bytes, chunk_bytes: int) -> bytes:
    """One message at timestamp 0, cut into chunks of `chunk_bytes`."""
    out = bytearray(bytes([chunk_stream]) + b"\0\0\0" + len(body).to_bytes(3, "big") + bytes([kind]))
    out += struct.pack("<I", stream)
    for at in range(0, max(1, len(body)), chunk_bytes):
        if at:
            out.append(0xC0 | chunk_stream)
        out += body[at : at + chunk_bytes]
    return bytes(out)
