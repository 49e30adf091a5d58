"""The golden files: what the browser replays too. Each is {snapshot_before, events, snapshot_after}."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from livestall.app.snapshot import Snapshot
from livestall.chat import ChatMessage, ChatMode
from livestall.deals import Deal
from livestall.live import LiveEvent
from livestall.rooms import Pin, TrayItem
from livestall.rooms.model import ShowChange

FILES = sorted(Path(__file__).parent.glob("*.json"))
BODIES: dict[str, Any] = {
    "show.moved": ShowChange, "tray.changed": dict[str, list[TrayItem]], "pin.started": Pin, "deal.changed": Deal,
    "chat.said": ChatMessage, "chat.mode": ChatMode,
}  # fmt: skip


def test_there_are_golden_files() -> None:
    assert len(FILES) >= 10
    kinds = {event["kind"] for file in FILES for event in json.loads(file.read_text())["events"]}
    assert set(BODIES) | {"pin.ended", "chat.deleted", "chat.muted", "sale.made"} <= kinds


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.parametrize("start", ["snapshot_before", "snapshot_after"])
def test_a_snapshot_and_the_events_are_the_fresh_snapshot(file: Path, start: str, reduce_event: Any) -> None:
    """From the stale one; and from the fresh one: applying everything twice changes nothing."""
    golden = json.loads(file.read_text())
    state = golden[start]
    for event in golden["events"]:
        state = reduce_event(state, event)
    assert state == golden["snapshot_after"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_golden_files_have_the_form_that_the_server_sends(file: Path) -> None:
    """Read as our own records and written again, nothing is missing and nothing is too much."""
    golden = json.loads(file.read_text())
    for name in ("snapshot_before", "snapshot_after"):
        read = msgspec.convert(golden[name], Snapshot, strict=False)
        assert json.loads(msgspec.json.encode(read)) == golden[name]
    for event in golden["events"]:
        assert set(event) == set(LiveEvent.__struct_fields__)
        if (form := BODIES.get(event["kind"])) is not None:
            assert json.loads(msgspec.json.encode(msgspec.convert(event["body"], form, strict=False))) == event["body"]
