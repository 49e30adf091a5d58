"""The guard: no endpoint without a mark, no request past its mark."""

from __future__ import annotations

import pytest
from litestar import Litestar, get

from livestall.accounts.web import Unguarded, check_marks
from livestall.app.main import create_app
from livestall.base.db import Database
from livestall.base.http import Who, may


def test_the_whole_application_is_marked(dsn: str) -> None:
    create_app(Database(dsn))


def test_a_handler_without_a_mark_stops_the_application() -> None:
    @get("/api/open", sync_to_thread=False)
    def forgotten() -> str:
        return "everything"

    @get("/api/of-no-seller", opt=may(Who.seller), sync_to_thread=False)
    def seller_without_a_path() -> str:
        return "everything"

    with pytest.raises(Unguarded, match=r"(?s)/api/of-no-seller: .* no seller_id.*/api/open: "):
        check_marks(Litestar([forgotten, seller_without_a_path], openapi_config=None))
