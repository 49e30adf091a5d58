"""The small market of these tests."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from helpers.http import Http, application
from livestall.base.db import Database

sys.path.append(str(Path(__file__).parents[1] / "orders"))

from shop import Shop


@pytest.fixture
async def shop(db: Database) -> Shop:
    return await Shop.open(db)


@pytest.fixture
async def http(db: Database) -> AsyncIterator[Http]:
    async with application(db) as http:
        yield http
