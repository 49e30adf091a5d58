"""A disk that is full for some seconds of a show: viewers notice nothing, and the replay says what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from helpers.browser import enter
from helpers.market import Cast, until

pytestmark = pytest.mark.e2e
SEGMENT_SECONDS = 4
"""What the disk refuses is left out by whole segments; the camera's have at most so much."""

MISSING = re.compile(r"(\d+) s of this show were not recorded|本场有 (\d+) 秒没有录下")


@pytest.fixture(scope="module")
def disk() -> Iterator[Path]:
    """The folder of a market whose recordings lie on a small disk of their own."""
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    folder = Path(tempfile.mkdtemp(prefix="livestall-gap-"))
    media = folder / "data" / "media"
    media.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(media)], check=True)
    yield folder
    subprocess.run(["umount", "-l", str(media)], check=True)


@pytest.fixture(scope="module")
def market(open_market: Callable[..., Any], disk: Path) -> Iterator[Any]:
    with open_market(folder=disk, media__disk_reserve_mb=0, media__disk_warn_mb=0) as stage:
        yield stage


async def not_recorded(cast: Cast) -> float:
    """Seconds of running shows that are missing by now, as the operator sees it; 0 when nothing is."""
    planes = (await cast.operator.get("/api/operator/health"))["planes"]
    media = next(one for one in planes if one["name"] == "media")
    return float(media["values"]["seconds"]) if media["code"] == "not-recorded" else 0.0


async def recording_stops(cast: Cast) -> None:
    async def for_three_seconds() -> bool:
        return await not_recorded(cast) >= 3

    await until(for_three_seconds, what="three seconds that were not recorded")


async def recording_goes_on(cast: Cast) -> None:
    async def again() -> bool:
        return not await not_recorded(cast)

    await until(again, what="the recording going on")


def test_the_replay_says_how_much_the_disk_did_not_take(window: Callable[..., Any], market: Any, disk: Path) -> None:
    people = [window(language="en", scheme="light"), window(language="zh", scheme="dark")]
    for one in people:
        enter(one.page, market.show_id)
    began = time.monotonic()
    ballast = disk / "data" / "media" / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(b"\0" * 4096):
            pass
    market.do(recording_stops)
    for one in people:
        expect(one.page.locator("video")).to_have_attribute("data-status", "playing")
    ballast.unlink()
    market.do(recording_goes_on)
    lasted = time.monotonic() - began
    market.do(lambda cast: cast.creator.post(f"/api/shows/{market.show_id}/end"))
    for one in people:
        told = one.page.get_by_text(MISSING)
        expect(told).to_be_visible()
        found = MISSING.search(told.inner_text())
        assert found is not None
        assert 3 <= int(found[1] or found[2]) <= lasted + SEGMENT_SECONDS, "not more than there was"
        expect(one.page.locator("video")).to_have_attribute("data-status", "playing")
        one.look("replay-gap")
    for one in people:  # the playlist of a picture that has ended is a 404 by right
        one.errors[:] = [error for error in one.errors if "/media/" not in error]
