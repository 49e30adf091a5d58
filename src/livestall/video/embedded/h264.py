"""As much of H.264 as a packager must know: where NAL units begin, and the picture's size."""

from __future__ import annotations

import struct
from collections.abc import Iterator

NAL_IDR, NAL_SEI, NAL_SPS, NAL_PPS, NAL_DELIMITER, NAL_FILLER = 5, 6, 7, 8, 9, 12
HIGH_PROFILES = {100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135}
SIDE_MAX, PIXELS_MAX = 4096, 4096 * 2304
"""What viewers' devices can be expected to decode at all."""


class BadVideo(ValueError):
    """The encoder's parameters make no sense; the message says what."""


class _Bits:
    """Reads a NAL unit bit by bit."""

    def __init__(self, data: bytes) -> None:
        raw = data.replace(b"\0\0\3", b"\0\0")
        self._bits = int.from_bytes(raw, "big")
        self._left = len(raw) * 8

    def u(self, count: int) -> int:
        self._left -= count
        if self._left < 0:
            raise BadVideo("the H.264 parameters are cut short")
        return self._bits >> self._left & ((1 << count) - 1)

    def ue(self) -> int:
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
            if zeros > 31:
                raise BadVideo("the H.264 parameters are broken")
        return (1 << zeros) - 1 + (self.u(zeros) if zeros else 0)

    def se(self) -> int:
        code = self.ue()
        return (code + 1) // 2 if code & 1 else -(code // 2)


def _skip_scaling_lists(bits: _Bits, chroma: int) -> None:
    for index in range(8 if chroma != 3 else 12):
        if not bits.u(1):
            continue
        last = following = 8
        for _ in range(16 if index < 6 else 64):
            if following:
                following = (last + bits.se()) & 255
            last = following or last


def picture_size(sps: bytes) -> tuple[int, int]:
    """Width and height in pixels from a sequence parameter set. Raises BadVideo."""
    bits = _Bits(sps[1:])
    profile, chroma = bits.u(8), 1
    bits.u(16)
    bits.ue()
    if profile in HIGH_PROFILES:
        chroma = bits.ue()
        if chroma == 3:
            bits.u(1)
        bits.ue()
        bits.ue()
        bits.u(1)
        if bits.u(1):
            _skip_scaling_lists(bits, chroma)
    bits.ue()
    order = bits.ue()
    if order == 0:
        bits.ue()
    elif order == 1:
        bits.u(1)
        bits.se()
        bits.se()
        for _ in range(min(bits.ue(), 255)):
            bits.se()
    bits.ue()
    bits.u(1)
    width, height_units = (bits.ue() + 1) * 16, bits.ue() + 1
    frames_only = bits.u(1)
    height = height_units * 16 * (2 - frames_only)
    if not frames_only:
        bits.u(1)
    bits.u(1)
    if bits.u(1):
        left, right, top, bottom = bits.ue(), bits.ue(), bits.ue(), bits.ue()
        width -= (left + right) * (1 if chroma in {0, 3} else 2)
        height -= (top + bottom) * (2 if chroma == 1 else 1) * (2 - frames_only)
    if width < 16 or height < 16:
        raise BadVideo(f"the encoder sends a picture of {width} by {height} pixels")
    if max(width, height) > SIDE_MAX or width * height > PIXELS_MAX:
        raise BadVideo(f"a picture of {width} by {height} pixels is too large for viewers; choose 1280 by 720")
    return width, height


def nal_units(annex_b: bytes) -> Iterator[bytes]:
    """The NAL units between start codes."""
    at = annex_b.find(b"\0\0\1")
    while at >= 0:
        following = annex_b.find(b"\0\0\1", at + 3)
        end = len(annex_b) if following < 0 else following - (annex_b[following - 1] == 0)
        if end > at + 3:
            yield annex_b[at + 3 : end]
        at = following


def avc_config(sps: bytes, pps: bytes) -> bytes:
    """The `avcC` record of one SPS and one PPS."""
    lengths = struct.pack(">H", len(sps)), struct.pack(">H", len(pps))
    return b"\1" + sps[1:4] + b"\xff\xe1" + lengths[0] + sps + b"\1" + lengths[1] + pps


def sps_of(config: bytes) -> bytes:
    """The first SPS in an `avcC` record. Raises BadVideo."""
    if len(config) < 12 or config[0] != 1 or not config[5] & 31:
        raise BadVideo("the H.264 configuration is broken")
    length = int.from_bytes(config[6:8], "big")
    sps = config[8 : 8 + length]
    if len(sps) < 4 or len(sps) != length:
        raise BadVideo("the H.264 configuration is cut short")
    return sps


def annex_b(config: bytes, sample: bytes) -> bytes:
    """A keyframe with its parameter sets in the form that decoders take. `sample` has 4-byte lengths."""
    start = b"\0\0\0\1"
    out = [start + sps_of(config)]
    at = 8 + int.from_bytes(config[6:8], "big")
    if at + 3 <= len(config) and config[at]:
        length = int.from_bytes(config[at + 1 : at + 3], "big")
        out.append(start + config[at + 3 : at + 3 + length])
    at = 0
    while at + 4 <= len(sample):
        length = int.from_bytes(sample[at : at + 4], "big")
        out.append(start + sample[at + 4 : at + 4 + length])
        at += 4 + length
    return b"".join(out)


def is_whole(sample: bytes) -> bool:
    """Whether the 4-byte lengths of the NAL units in `sample` add up, and none is empty."""
    at, end = 0, len(sample)
    while at + 4 < end:
        length = int.from_bytes(sample[at : at + 4], "big")
        if not length:
            return False
        at += 4 + length
    return at == end
