"""The web process: the HTTP API under /api, and the pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.di import Provide
from litestar.openapi import OpenAPIConfig

from livestall.app import wiring
from livestall.base.db import Database
from livestall.base.http import EXCEPTION_HANDLERS


def create_app(db: Database, *, debug: bool = False) -> Litestar:
    """The ASGI application over `db`. Does not touch the database until the first request."""

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        yield
        await db.close()

    async def provide_db() -> Database:
        return db

    return Litestar(
        route_handlers=list(wiring.ROUTES),
        dependencies={"db": Provide(provide_db)},
        exception_handlers=EXCEPTION_HANDLERS,
        openapi_config=OpenAPIConfig(title="Livestall", version="1", path="/api"),
        lifespan=[lifespan],
        debug=debug,
    )
