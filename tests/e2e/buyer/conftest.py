"""A person's browser: Debian's Chromium, one window per test, strict about what the console says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright, ViewportSize

CHROMIUM = "/usr/bin/chromium"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
ROOT = Path(__file__).parents[3]
AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
SHOTS = ROOT / "test-results" / "pages"
STILL = """() => document.getAnimations().every(
    one => one.playState !== "running" || one.effect.getComputedTiming().iterations === Infinity)"""
PHONE: ViewportSize = {"width": 390, "height": 844}
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
# Not ours to prevent: the media plane answers 404 for a poster that is not drawn yet.
FORGIVEN = re.compile(r"poster\.jpg|favicon")


@dataclass(frozen=True)
class Window:
    """One open window and what was wrong in it."""

    page: Page
    name: str
    errors: list[str]

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


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    if not Path(CHROMIUM).exists():
        pytest.skip("needs Chromium")
    browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
    yield browser
    browser.close()


@pytest.fixture
def window(chromium: Browser, market: Any) -> Iterator[Callable[..., Window]]:
    """`window(phone=True, language="en", scheme="light")` opens one; at the end no console may have complained."""
    opened: list[tuple[Window, Any]] = []

    def open_window(*, phone: bool = True, language: str = "en", scheme: Any = "light") -> Window:
        context = chromium.new_context(
            base_url=market.url, viewport=PHONE if phone else DESKTOP, has_touch=phone, color_scheme=scheme,
            locale="zh-CN" if language == "zh" else "en-GB",
        )  # fmt: skip
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda said: (
                errors.append(f"{said.text} {said.location.get('url')}")
                if said.type == "error" and not FORGIVEN.search(said.location.get("url") or "")
                else None
            ),
        )
        one = Window(page, f"{'phone' if phone else 'desktop'}-{language}-{scheme}", errors)
        opened.append((one, context))
        return one

    yield open_window
    for _, context in opened:
        context.close()
    assert [error for one, _ in opened for error in one.errors] == []
