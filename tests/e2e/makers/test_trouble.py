"""What the host and the operator are told when the encoder is set badly and when the disk is full: the show goes on."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from helpers.market import Cast, Pusher, Served, in_thread, serving
from livestall.app.demo.client import Door, Json

pytestmark = pytest.mark.e2e
Open = Callable[..., Any]
CREATOR, OPERATOR = "creator@test.example", "operator@test.example"
NO_DISK_MB = 10_000_000
"""More than any disk has free: the recordings' disk counts as full from the start."""

LOOKS = [(True, "en", "light"), (False, "zh", "dark")]
look = pytest.mark.parametrize(("phone", "language", "scheme"), LOOKS)
GOES_ON = "at => document.querySelector('video').currentTime > at + 1"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving(media__disk_reserve_mb=NO_DISK_MB) as market:
        yield market


@dataclass
class Encoder:
    """The host's encoder on a live show, and who turns its screws."""

    address: str
    show_id: str
    pusher: Pusher

    def set_keyframes(self, seconds: int) -> None:
        self.pusher.stop()
        self.pusher = Pusher(self.address, keyframe_seconds=seconds)


@pytest.fixture(scope="module")
def encoder(served: Served, cast: Cast) -> Iterator[Encoder]:
    """On air, with a keyframe every 12 s."""

    async def begin() -> Encoder:
        async with Door(served.base) as door:
            there = cast.at(door)
            show: Json = await there.live_show("By encoder")
            ingest = await there.creator.get(f"/api/shows/{show['id']}/ingest")
            address = f"{ingest['rtmp_server']}/{ingest['rtmp_key']}"
            pusher = Pusher(address, keyframe_seconds=12)
            try:
                await there.go_live(show["id"])
            except BaseException:
                pusher.stop()
                raise
            return Encoder(address, show["id"], pusher)

    one = in_thread(begin)
    yield one
    one.pusher.stop()


def plays_on(page: Page) -> None:
    video = page.locator("video").first
    page.wait_for_function("() => document.querySelector('video')?.readyState >= 2")
    page.wait_for_function(GOES_ON, arg=video.evaluate("video => video.currentTime"))


@look
def test_the_operator_and_the_host_hear_of_a_full_disk(
    open_window: Open, encoder: Encoder, phone: bool, language: str, scheme: str
) -> None:
    board = open_window(phone=phone, language=language, scheme=scheme, login=OPERATOR)
    board.page.goto("/operator")
    video = board.page.locator('[data-plane="media"]')
    expect(video).to_have_attribute("data-state", "warn")
    expect(video).to_contain_text("没有在录制" if language == "zh" else "not being recorded")
    expect(video).to_contain_text(re.compile("[MG]B"))
    board.look("operator-full-disk")
    host = open_window(phone=phone, language=language, scheme=scheme, login=CREATOR)
    host.page.goto(f"/studio/shows/{encoder.show_id}")
    words = "暂未录制" if language == "zh" else "it is not being recorded"
    expect(host.page.get_by_test_id("stream-warnings")).to_contain_text(words)
    plays_on(host.page)


def test_the_studio_says_that_keyframes_are_rare_until_they_are_not(open_window: Open, encoder: Encoder) -> None:
    hosts = [
        open_window(phone=phone, language=language, scheme=scheme, login=CREATOR) for phone, language, scheme in LOOKS
    ]
    words = ("Your keyframe interval is 1", "关键帧间隔为 1")
    for host, said in zip(hosts, words, strict=True):
        host.page.goto(f"/studio/shows/{encoder.show_id}")
        expect(host.page.get_by_test_id("stream-warnings")).to_contain_text(said)
        plays_on(host.page)
        host.look("encoder-warning")
    encoder.set_keyframes(1)
    for host, said in zip(hosts, words, strict=True):
        expect(host.page.get_by_test_id("stream-warnings")).not_to_contain_text(said)
        plays_on(host.page)
