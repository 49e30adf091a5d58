"""A person's browser: Debian's Chromium, a phone or a desktop, strict about what the console says."""

from __future__ import annotations

import re
import uuid
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, ViewportSize, expect

from helpers.patience import PATIENCE_SECONDS
from helpers.repository import ROOT

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "test-results" / "pages"
VIOLATIONS = """axe.run(document, {resultTypes: ['violations']})
    .then(all => all.violations.map(one => [one.id, one.nodes.map(node => node.target.join(' '))]))"""
STILL = """() => document.getAnimations().every(
    one => one.playState !== "running" || one.effect.getComputedTiming().iterations === Infinity)"""
READY_TO_BUY = """() => {
    const fetched = performance.getEntriesByType('resource').map(one => one.name)
    const words = fetched.filter(one => /(en|zh)-.*js$/.test(one))
    return fetched.some(one => /checkout-.*js$/.test(one)) && words.length > 2
}"""
"""What buying needs is fetched a moment after the room: the part, and its words besides those of room and shell."""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
# Not ours to prevent: the media plane answers 404 for a poster that is not drawn yet.
FORGIVEN = re.compile(r"poster\.jpg|favicon")
expect.set_options(timeout=PATIENCE_SECONDS * 1000)


@dataclass
class Window:
    """One open window and what was wrong in it."""

    page: Page
    name: str
    errors: list[str] = field(default_factory=list)

    def axe(self) -> None:
        """No accessibility violation on the page as it stands."""
        self.page.evaluate(AXE.read_text())
        found: list[object] = []
        for _ in range(2):  # a room goes on while it is looked at; what is wrong with it is still wrong then
            self.page.wait_for_function(STILL)  # half-way through a transition colours are not what they will be
            found = self.page.evaluate(VIOLATIONS)
            if not found:
                return
        raise AssertionError(f"{self.name}: {found}")

    def shot(self, step: str) -> None:
        SHOTS.mkdir(parents=True, exist_ok=True)
        self.page.wait_for_function(STILL)
        self.page.screenshot(path=SHOTS / f"{step}-{self.name}.png")

    def fits(self) -> None:
        """Nothing sticks out to the right."""
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth")

    def look(self, step: str) -> None:
        self.shot(step)
        self.fits()
        self.axe()


class Windows:
    """Windows of one market; at the end no console may have complained."""

    def __init__(self, browser: Browser, address: str, permissions: Sequence[str] = ()) -> None:
        self._browser, self._address, self._permissions = browser, address, list(permissions)
        self._opened: list[tuple[Window, BrowserContext]] = []

    def open(self, *, phone: bool = True, language: str = "en", scheme: Any = "light") -> Window:
        context = self._browser.new_context(
            base_url=self._address, viewport=PHONE if phone else DESKTOP, has_touch=phone, color_scheme=scheme,
            locale="zh-CN" if language == "zh" else "en-GB", permissions=self._permissions,
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_SECONDS * 1000)
        one = Window(context.new_page(), f"{'phone' if phone else 'desktop'}-{language}-{scheme}")
        one.page.on("pageerror", lambda error: one.errors.append(str(error)))
        one.page.on("console", lambda said: _hear(one, said))
        self._opened.append((one, context))
        return one

    def close(self) -> None:
        for _, context in self._opened:
            context.close()
        complaints = [error for one, _ in self._opened for error in one.errors]
        assert complaints == [], f"{complaints}"


def become_somebody(page: Page) -> None:
    """Signs up without a page of its own."""
    answer = page.request.post("/api/sign-up", data={
        "id": str(uuid.uuid4()), "login": f"{uuid.uuid4().hex}@people.example", "name": "Ana",
        "password": "a long enough password",
    })  # fmt: skip
    assert answer.ok, answer.text()


def enter(page: Page, show_id: str) -> Page:
    """Into the room, until the picture plays. The page is marked, so that a reload would be seen."""
    page.goto(f"/shows/{show_id}")
    expect(page.locator("video")).to_have_attribute("data-status", "playing")
    page.evaluate("window.stayed = true")
    return page


def _hear(one: Window, said: Any) -> None:
    address = said.location.get("url") or ""
    if said.type == "error" and not FORGIVEN.search(address):
        one.errors.append(f"{said.text} {address}")


@contextmanager
def chromium(playwright: Playwright, *flags: str) -> Generator[Browser]:
    """Chromium with these flags besides its usual ones; the test is skipped where there is none."""
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Chromium")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
    yield browser
    browser.close()
