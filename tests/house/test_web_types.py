"""The pages are typed by what the server says it sends, as it says it today."""

from __future__ import annotations

from pathlib import Path

import msgspec

from livestall.app.main import create_app, describe
from livestall.base.db import Database

KEPT = Path(__file__).parents[2] / "web" / "openapi.json"


def test_the_pages_are_typed_by_the_api_as_it_is():
    told = msgspec.json.decode(
        msgspec.json.encode(describe(create_app(Database("postgresql://nobody@127.0.0.1:1/none"))))
    )
    assert msgspec.json.decode(KEPT.read_bytes()) == told, (
        "stale: livestall openapi > web/openapi.json && npm --prefix web run api"
    )
