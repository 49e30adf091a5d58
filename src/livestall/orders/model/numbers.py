"""Order numbers: short to say on the phone, never given twice, and silent about how many there are.

Numbers are drawn in blocks. A block has a number of its own from a sequence of the database; a keyed permutation turns
it into five letters and a part of the sixth, and the orders of the block differ in the rest. No two blocks are alike
and no two places in a block, so uniqueness needs no look-up at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

BLOCK = 2048
"""Numbers in a block."""

BLOCKS = 1 << 29
_HALF = 15
_MASK = (1 << _HALF) - 1
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PAIRS = [first + second for first in _LETTERS for second in _LETTERS]


def numbers(block: int, key: bytes) -> Iterator[str]:
    """All `BLOCK` numbers of a block: eight letters and digits without I, L, O and U. `block` is 0 to BLOCKS - 1."""
    place = _permuted(block, key)
    head = _text(place >> 4, 5)
    mixed = _hash(key, b"places", place)
    step, start = mixed & (BLOCK - 1) | 1, mixed >> 11 & (BLOCK - 1)  # an odd step visits every place once
    for turn in range(BLOCK):
        low = turn * step + start & (BLOCK - 1)
        yield f"{head}{_LETTERS[(place & 15) << 1 | low >> 10]}{_PAIRS[low & 1023]}"


def _permuted(block: int, key: bytes) -> int:
    """A Feistel network over 30 bits, walked until it lands below BLOCKS."""
    value = block
    while True:
        left, right = value >> _HALF, value & _MASK
        for turn in range(6):
            left, right = right, left ^ (_hash(key, b"round%d" % turn, right) & _MASK)
        value = left << _HALF | right
        if value < BLOCKS:
            return value


def _hash(key: bytes, purpose: bytes, value: int) -> int:
    return int.from_bytes(hashlib.blake2b(purpose + value.to_bytes(8, "big"), key=key, digest_size=8).digest(), "big")


def _text(value: int, letters: int) -> str:
    return "".join(_LETTERS[value >> 5 * place & 31] for place in range(letters - 1, -1, -1))
