"""Windows of buyers, on the market with a show on air."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright

from helpers import browser
from helpers.browser import Window, Windows


@pytest.fixture(scope="session")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    with browser.chromium(playwright) as opened:
        yield opened


@pytest.fixture
def window(chromium: Browser, market: Any) -> Iterator[Callable[..., Window]]:
    """`window(phone=True, language="en", scheme="light")` opens one; at the end no console may have complained."""
    windows = Windows(chromium, market.url)
    yield windows.open
    windows.close()
