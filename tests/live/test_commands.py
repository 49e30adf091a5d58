"""What many say in the same words is read once: it must mean what it would mean if it were read in full."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from livestall.base import ids
from livestall.live.commands import KEPT, Heard, Swift
from livestall.live.model import Command


class Words(msgspec.Struct, frozen=True):
    text: str


class Frame(msgspec.Struct, frozen=True):
    type: str
    id: UUID


_frame = msgspec.json.Decoder(Frame).decode


def swift() -> Swift:
    return Swift("say", Command(Words, start=lambda *_: None), msgspec.json.Decoder(Words).decode)


def heard(*payloads: bytes) -> tuple[Heard, Swift]:
    """One that has read `payloads` in full."""
    one, say = Heard(), swift()
    for payload in payloads:
        one.keep(payload, (say, _frame(payload).id, say.read(payload)))
    return one, say


def say(command_id: object, text: str = "hello") -> bytes:
    return f'{{"type":"say","id":"{command_id}","text":"{text}"}}'.encode()


def test_the_same_words_share_one_body_and_keep_their_own_ids() -> None:
    first, second = ids.new(), ids.new()
    one, command = heard(say(first))
    found = one.find(say(second))
    again = one.find(say(first))
    assert found is not None
    assert again is not None
    assert found[:2] == (command, second)
    assert again[1] == first
    assert found[2] is again[2]
    assert found[2] == Words("hello")


def test_other_words_are_read() -> None:
    one, _ = heard(say(ids.new()))
    for other in (say(ids.new(), "hell"), say(ids.new()) + b" ", say(ids.new()).replace(b"say", b"buy"), b"", b"{}"):
        assert one.find(other) is None


def test_what_is_no_id_is_left_to_be_refused() -> None:
    one, _ = heard(say(ids.new()))
    for wrong in ("x" * 36, "0" * 36, "", str(ids.new())[:-1], str(ids.new()) + "0", "\xff" * 18):
        assert one.find(say(wrong)) is None


def test_a_frame_that_could_be_read_in_two_ways_is_not_kept() -> None:
    mine, other = ids.new(), ids.new()
    twice = f'{{"type":"say","id":"{mine}","text":"x","id":"{mine}"}}'.encode()
    nested = f'{{"type":"say","x":{{"id":"{mine}"}},"id":"{mine}","text":"x"}}'.encode()
    hidden = f'{{"type":"say","id":"{mine}","text":"x","\\u0069d":"{mine}"}}'.encode()
    upper = f'{{"type":"say","id":"{str(mine).upper()}","text":"x"}}'.encode()
    late = f'{{"type":"say","text":"{"x" * 80}","id":"{mine}"}}'.encode()
    for payload in (twice, nested, hidden, upper, late):
        one, _ = heard(payload)
        assert one.find(payload) is None
        assert one.find(payload.replace(str(mine).encode(), str(other).encode(), 1)) is None


def test_a_traced_click_is_read_in_full() -> None:
    traced = f'{{"type":"say","id":"{ids.new()}","text":"x","traceparent":"00-{"1" * 32}-{"2" * 16}-01"}}'.encode()
    one, _ = heard(traced)
    assert one.find(traced) is None


def test_only_so_much_is_remembered() -> None:
    one, command = heard()
    for n in range(KEPT + 1):
        payload = say(ids.new(), str(n))
        one.keep(payload, (command, _frame(payload).id, command.read(payload)))
    assert one.find(say(ids.new(), "0")) is None
    assert one.find(say(ids.new(), str(KEPT))) is not None


KEYS = st.sampled_from(["id", "text", "more", "\\u0069d"])
TEXTS = st.sampled_from([str(UUID(int=1)), "x"])
FRAMES = st.lists(st.tuples(KEYS, TEXTS), min_size=3, max_size=5)


def written(pairs: list[tuple[str, str]], *, spaced: bool) -> bytes:
    gap = " " if spaced else ""
    return ('{"type":"say",' + f",{gap}".join(f'"{key}":{gap}"{text}"' for key, text in pairs) + "}").encode()


@given(FRAMES, st.booleans(), st.integers(0, 200), st.binary(max_size=36))
def test_found_or_read_in_full_a_frame_means_the_same(
    pairs: list[tuple[str, str]], spaced: bool, at: int, other: bytes
) -> None:
    """Any frame is kept, then changed anywhere: what is found is what a full reading says."""
    payload = written(pairs, spaced=spaced)
    one, command = heard()
    if (whole := full(command, payload)) is not None:
        one.keep(payload, whole)
    anywhere = payload[:at] + other + payload[at + len(other) :]
    for changed in (payload, anywhere, payload.replace(b"1", b"3"), payload.replace(b"1", b"3", 1)):
        found = one.find(changed)
        assert found is None or found == full(command, changed), changed


def full(command: Swift, payload: bytes) -> tuple[Swift, UUID, Any] | None:
    try:
        payload.decode()
        return command, _frame(payload).id, command.read(payload)
    except (UnicodeDecodeError, msgspec.MsgspecError):
        return None
