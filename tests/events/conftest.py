"""The reducer of a room in Python, as in `web/src/shared/live/reduce.ts`: both are held to the same files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from copy import deepcopy
from typing import Any

import pytest

from livestall.app.gateway import Gateway
from livestall.base.db import Database

State = dict[str, Any]
CHAT_KEPT = 100


def _by_id(items: list[State], item: State) -> list[State]:
    if any(other["id"] == item["id"] for other in items):
        return [item if other["id"] == item["id"] else other for other in items]
    return [*items, item]


def apply(state: State, event: State) -> State:
    """The snapshot after one event. Events it already contains change nothing; unknown kinds are passed over."""
    if event["seq"] <= state["seq"]:
        return state
    kind, body = event["kind"], event["body"]
    state = {**deepcopy(state), "seq": event["seq"]}
    if kind == "show.moved":
        state["show"] = {**state["show"], **body}
    elif kind == "tray.changed":
        state["tray"] = body["tray"]
    elif kind == "pin.started":
        state["pins"] = _by_id(state["pins"], body)
    elif kind == "pin.ended":
        state["pins"] = [
            {**pin, "ended_stream_at": body["ended_stream_at"]} if pin["id"] == body["id"] else pin
            for pin in state["pins"]
        ]
    elif kind == "deal.changed":
        state["deals"] = _by_id(state["deals"], body)
        state["totals"]["deals"][body["id"]] = {name: body[name] for name in ("left", "sold", "released")}
    elif kind == "chat.said":
        state["chat"] = _by_id(state["chat"], body)[-CHAT_KEPT:]
    elif kind == "chat.deleted":
        state["chat"] = [message for message in state["chat"] if message["id"] != body["id"]]
    elif kind == "chat.mode":
        state["chat_mode"] = body
    return state


def apply_totals(state: State, totals: State) -> State:
    """The snapshot after totals: they replace what they name and leave the rest; deals carry the same figures."""
    state = deepcopy(state)
    for slot, value in totals.items():
        if slot in {"stock", "deals"}:
            state["totals"][slot].update(value)
        else:
            state["totals"][slot] = value
    numbers = totals.get("deals", {})
    state["deals"] = [{**deal, **numbers.get(deal["id"], {})} for deal in state["deals"]]
    return state


def apply_frame(state: State, frame: State) -> State:
    for event in frame["events"]:
        state = apply(state, event)
    state = apply_totals(state, frame.get("totals", {}))
    return {**state, "seq": max(state["seq"], frame.get("to") or 0)}


@pytest.fixture
def reduce_frame() -> Callable[[State, State], State]:
    return apply_frame


@pytest.fixture
def reduce_event() -> Callable[[State, State], State]:
    return apply


@pytest.fixture
async def gateway(db: Database) -> AsyncIterator[Gateway]:
    """A gateway over the test's database, listening on `gateway.port`."""
    one = Gateway(db)
    one.port = await one.start("127.0.0.1", 0)  # type: ignore[attr-defined]
    yield one
    await one.close()
