"""A market of its own for those who make shows and sell: Chromium with a fake camera, a fresh `livestall serve`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, ViewportSize
from tests.helpers.market import PASSWORD, Cast, Served, in_thread, seed

from livestall.app.demo.client import Door

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream", "--allow-loopback-in-peer-connection",
]  # fmt: skip
ROOT = Path(__file__).parents[3]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "test-results" / "pages"
STILL = """() => document.getAnimations().every(
    one => one.playState !== "running" || one.effect.getComputedTiming().iterations === Infinity)"""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
# A poster that is not drawn yet is a 404 of the media plane; a refusal under test is said by the page itself.
FORGIVEN = re.compile(r"poster\.jpg|favicon")


@dataclass
class Window:
    page: Page
    name: str
    errors: list[str] = field(default_factory=list)

    def axe(self) -> None:
        """No accessibility violation on the page as it stands."""
        self.page.evaluate(AXE.read_text())
        self.page.wait_for_function(STILL)  # half-way through a transition colours are not what they will be
        found = self.page.evaluate(
            "axe.run(document, {resultTypes: ['violations']})"
            ".then(all => all.violations.map(one => [one.id, one.nodes.map(node => node.target.join(' '))]))"
        )
        assert found == [], f"{self.name}: {found}"

    def shot(self, step: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SHOTS / f"{step}-{self.name}.png")

    def fits(self) -> None:
        """Nothing sticks out to the right."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def look(self, step: str) -> None:
        self.shot(step)
        self.fits()
        self.axe()


Open = Callable[..., Window]


def sign_in(window: Window, login: str) -> None:
    answer = window.page.request.post("/api/sign-in", data={"login": login, "password": PASSWORD})
    assert answer.ok, answer.text()


@pytest.fixture(scope="module")
def camera_chromium(playwright: Playwright) -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Chromium")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """An empty market that nobody owns yet."""
    market = Served()
    market.start()
    yield market
    market.stop()
    market.remove()


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
    opened: list[tuple[Window, Any]] = []

    def open_one(
        *, phone: bool = True, language: str = "en", scheme: Any = "light", login: str | None = None
    ) -> Window:
        context = camera_chromium.new_context(
            base_url=served.base, viewport=PHONE if phone else DESKTOP, has_touch=phone, color_scheme=scheme,
            locale="zh-CN" if language == "zh" else "en-GB", permissions=["camera", "microphone"],
        )  # fmt: skip
        page = context.new_page()
        page.set_default_timeout(15_000)
        one = Window(page, f"{'phone' if phone else 'desktop'}-{language}-{scheme}")
        page.on("pageerror", lambda error: one.errors.append(str(error)))
        page.on(
            "console",
            lambda said: (
                one.errors.append(f"{said.text} {said.location.get('url')}")
                if said.type == "error" and not FORGIVEN.search(said.location.get("url") or "")
                else None
            ),
        )
        opened.append((one, context))
        if login is not None:
            sign_in(one, login)
        return one

    yield open_one
    for _, context in opened:
        context.close()
    assert [error for one, _ in opened for error in one.errors] == []
