"""AMF0, the value format of RTMP commands; bounded, because strangers send it."""

from __future__ import annotations

import struct
from typing import Any

DEPTH_MAX = 8
ITEMS_MAX = 1000


class BadAmf(ValueError):
    """The bytes are not AMF0 that we take."""


def encode(*values: object) -> bytes:
    """AMF0 of None, bool, numbers, str and dicts of these."""
    return b"".join(_encode(value) for value in values)


def _encode(value: object) -> bytes:
    if value is None:
        return b"\x05"
    if isinstance(value, bool):
        return b"\x01" + bytes([value])
    if isinstance(value, int | float):
        return b"\x00" + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()[:0xFFFF]
        return b"\x02" + struct.pack(">H", len(raw)) + raw
    if isinstance(value, dict):
        pairs: list[bytes] = []
        for key, inner in value.items():
            raw = str(key).encode()
            pairs.append(struct.pack(">H", len(raw)) + raw + _encode(inner))
        return b"\x03" + b"".join(pairs) + b"\0\0\x09"
    raise TypeError(type(value))


def decode(data: bytes | bytearray) -> list[Any]:
    """All values in `data`. Raises BadAmf."""
    reader = _Reader(bytes(data))
    values: list[Any] = []
    try:
        while reader.at < len(reader.data):
            values.append(reader.value(0))
            if len(values) > ITEMS_MAX:
                raise BadAmf("too many values")
    except (struct.error, IndexError) as error:
        raise BadAmf("cut short") from error
    return values


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def number(self, form: str) -> Any:
        (value,) = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self, length: int) -> str:
        if self.at + length > len(self.data):
            raise BadAmf("cut short")
        raw = self.data[self.at : self.at + length]
        self.at += length
        return raw.decode("utf-8", "replace")

    def value(self, depth: int) -> Any:  # noqa: PLR0911 - one return a type
        if depth > DEPTH_MAX:
            raise BadAmf("too deep")
        kind = self.data[self.at]
        self.at += 1
        if kind == 0:
            return self.number(">d")
        if kind == 1:
            return bool(self.number("B"))
        if kind == 2:
            return self.text(self.number(">H"))
        if kind in {5, 6}:
            return None
        if kind == 11:
            value = self.number(">d")
            self.at += 2
            return value
        if kind == 12:
            return self.text(self.number(">I"))
        if kind == 8:
            self.at += 4
        if kind in {3, 8}:
            return self.pairs(depth)
        if kind == 10:
            return self.array(depth)
        raise BadAmf(f"type {kind}")

    def pairs(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while len(found) <= ITEMS_MAX:
            key = self.text(self.number(">H"))
            if not key and self.data[self.at] == 9:
                self.at += 1
                return found
            found[key] = self.value(depth + 1)
        raise BadAmf("too many keys")

    def array(self, depth: int) -> list[Any]:
        length = self.number(">I")
        if length > ITEMS_MAX:
            raise BadAmf("array too long")
        return [self.value(depth + 1) for _ in range(length)]
