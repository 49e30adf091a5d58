"""Settings are checked whole, and every problem is named."""

from __future__ import annotations

from typing import Annotated

import pytest
from msgspec import Meta

from livestall.base import config


class Timers(config.Section, frozen=True, kw_only=True):
    hold_seconds: Annotated[int, Meta(ge=1, description="how long units are kept")] = 300


def test_a_setting_comes_from_the_environment() -> None:
    config.load({"timers": Timers}, {"LIVESTALL_TIMERS__HOLD_SECONDS": "60", "LIVESTALL_DATA": "x", "HOME": "/"})
    assert config.of(Timers).hold_seconds == 60


def test_every_problem_is_reported_at_once() -> None:
    wrong = {"LIVESTALL_TIMERS__HOLD_SECONDS": "0", "LIVESTALL_TIMERS__HOLD": "1", "LIVESTALL_NO__SUCH": "1"}
    with pytest.raises(config.BadSettings) as caught:
        config.load({"timers": Timers}, wrong)
    assert str(caught.value).count("\n") == 2


def test_an_override_ends_with_its_block() -> None:
    with config.override(Timers(hold_seconds=5)):
        assert config.of(Timers).hold_seconds == 5
    assert config.of(Timers).hold_seconds != 5
