"""The video server that carries a show dies for good: host and viewers are told, and the show goes on at another."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from helpers.browser import enter
from helpers.faults import kept_down
from helpers.market import Cast, Pusher, Served, in_thread, serving
from helpers.ports import free_ports_in_a_row
from livestall.app.demo.client import Door, Json

pytestmark = pytest.mark.e2e
Open = Callable[..., Any]
CREATOR = "creator@test.example"
MOVED, ARRIVED = "原来的视频服务器已不可用", "画面已到达"


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Two video processes, each with ports of its own."""
    media = free_ports_in_a_row(4)
    rtmp = media + 2
    with serving(media__processes=2, media__port=media, media__rtmp_port=rtmp, rooms__grace_seconds=120) as market:
        market.media, market.rtmp = media, rtmp
        yield market


def play(served: Served, cast: Cast, act: Callable[[Cast], Any]) -> Any:
    async def run() -> Any:
        async with Door(served.base) as door:
            return await act(cast.at(door))

    return in_thread(run)


def ingest_of(served: Served, cast: Cast, show: Json) -> Json:
    return play(served, cast, lambda at: at.creator.get(f"/api/shows/{show['id']}/ingest"))


def number_of(served: Served, ingest: Json) -> int:
    """Which of the two the encoder is told to send to."""
    return int(urlsplit(ingest["rtmp_server"]).port or 0) - served.rtmp


@contextmanager
def encoder_at(ingest: Json) -> Iterator[None]:
    """The host's encoder sends to that address while the block lasts."""
    pusher = Pusher(f"{ingest['rtmp_server']}/{ingest['rtmp_key']}")
    try:
        yield
    finally:
        pusher.stop()


def opened_before(page: Page, port: int) -> list[str]:
    """The next page to be opened gets the policy that it had before a video server joined at that port; whatever is
    opened after it is as it is. Returns what was taken from the policy, once the page is open."""
    taken: list[str] = []

    def answer(route: Route) -> None:
        sent = route.fetch()
        policy, here = sent.headers["content-security-policy"], rf"\S+:{port}\b"
        taken.extend(re.findall(here, policy))
        headers = {**sent.headers, "content-security-policy": re.sub(here, "", policy), "etag": '"earlier"'}
        route.fulfill(response=sent, headers=headers)

    page.route(re.compile("/shows/[^/]+$"), answer, times=1)
    return taken


def test_a_dead_video_server_is_told_and_the_show_goes_on_at_the_other(
    open_window: Open, served: Served, cast: Cast
) -> None:
    show = play(served, cast, lambda at: at.live_show("The server goes"))
    ingest = ingest_of(served, cast, show)
    with encoder_at(ingest):
        play(served, cast, lambda at: at.go_live(show["id"]))
        host, watching = open_window(phone=False, language="zh", scheme="dark", login=CREATOR), open_window()
        enter(watching.page, show["id"])
        host.page.goto(f"/studio/shows/{show['id']}")
        lamp = host.page.get_by_role("region", name="画面").get_by_text(re.compile("画面正常|没有画面"))
        expect(lamp).to_have_text("画面正常")
        expect(host.page.get_by_text(ARRIVED)).to_be_visible()
        slate = watching.page.get_by_test_id("slate")
        dead = number_of(served, ingest)
        with kept_down(served, "media", dead):
            expect(slate).to_have_attribute("data-kind", "interrupted")
            expect(host.page.get_by_text(MOVED)).to_be_visible()
            expect(host.page.get_by_text(ARRIVED)).to_have_count(0)
            expect(lamp).to_have_text("没有画面")
            host.look("server-gone")
            told = ingest_of(served, cast, show)
            assert number_of(served, told) == 1 - dead
            with encoder_at(told):
                expect(slate).to_have_count(0)
                expect(watching.page.locator("video")).to_have_attribute("data-status", "playing")
                expect(host.page.get_by_text(ARRIVED)).to_be_visible()
                expect(host.page.get_by_text(MOVED)).to_have_count(0)
                expect(lamp).to_have_text("画面正常")
                assert watching.page.evaluate("window.stayed"), "the page followed by itself"
                early = open_window()
                taken = opened_before(early.page, served.media + 1 - dead)
                enter(early.page, show["id"])
                assert taken, "the page was opened without the policy that lets it reach the other server"
    for one in (host, watching, early):  # what was asked of the dead is reported on the console, as it should be
        one.errors.clear()
