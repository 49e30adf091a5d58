"""A market of its own for those who make shows and sell: Chromium with a fake camera, a fresh `livestall serve`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright

from helpers import browser
from helpers.browser import Window, Windows
from helpers.market import PASSWORD, Cast, Served, in_thread, seed, serving
from livestall.app.demo.client import Door

CAMERA = [
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
]  # fmt: skip
Open = Callable[..., Window]


def sign_in(window: Window, login: str) -> None:
    answer = window.page.request.post("/api/sign-in", data={"login": login, "password": PASSWORD})
    assert answer.ok, answer.text()


@pytest.fixture(scope="module")
def camera_chromium(playwright: Playwright) -> Iterator[Browser]:
    with browser.chromium(playwright, *CAMERA) as opened:
        yield opened


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """An empty market that nobody owns yet."""
    with serving() as market:
        yield market


@pytest.fixture(scope="module")
def cast(served: Served) -> Cast:
    """Operator, seller with four products in stock, creator; only what is known of them, no open connections."""

    async def fill() -> Cast:
        async with Door(served.base) as door:
            return await seed(door, served.first_run_token, products=4, on_hand=100)

    return in_thread(fill)


@pytest.fixture
def open_window(camera_chromium: Browser, served: Served) -> Iterator[Open]:
    """`open_window(phone=True, language="en", scheme="light", login=None)`; no console may complain."""
    windows = Windows(camera_chromium, served.base, ["camera", "microphone"])

    def open_one(*, login: str | None = None, **look: Any) -> Window:
        one = windows.open(**look)
        if login is not None:
            sign_in(one, login)
        return one

    yield open_one
    windows.close()
