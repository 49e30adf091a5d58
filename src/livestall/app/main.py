"""The web process: the HTTP API under /api, and the pages."""

from __future__ import annotations

import asyncio
import gc
import re
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import msgspec
import structlog
import uvicorn
import uvloop
from litestar import Litestar, Request, Response, Router, get
from litestar.datastructures import State
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin

from livestall.accounts import web as accounts
from livestall.app import clocks, health, pages, settings, wiring
from livestall.app.addresses import provide_addresses
from livestall.app.handoff import Handoff
from livestall.app.http_connection import HttpConnection, connections
from livestall.app.media_origins import MediaOrigins
from livestall.app.traffic import Traffic
from livestall.app.watch import Watch, database_answers
from livestall.base import config, trace
from livestall.base import log as logs
from livestall.base.db import Database
from livestall.base.errors import Invalid
from livestall.base.http import EXCEPTION_HANDLERS, Problem, Who, may, on_refusal
from livestall.orders import Counter, Line
from livestall.orders import web as orders

log = structlog.get_logger()
STOP_SECONDS = 4
LEAVE_SECONDS = 1.5
"""After it stopped accepting, a process waits so long for connections to close with an answer of theirs."""


@get("/api/openapi.json", opt=may(Who.anyone), include_in_schema=False, media_type="application/vnd.oai.openapi+json")
async def openapi_description(request: Request[Any, Any, Any]) -> dict[str, Any]:
    """The OpenAPI 3.1 description of all of the API."""
    return describe(request.app)


def describe(app: Litestar) -> dict[str, Any]:
    """The description of the API, with types named as in the code: a page of shows is a `ShowCardPage`."""
    text = msgspec.json.encode(app.openapi_schema.to_schema()).decode()
    return msgspec.json.decode(re.sub(r"\bPage_[\w.]*?(\w+)_(?=\W)", r"\1Page", text))


def name_of(handler: HTTPRouteHandler, _method: str, _path: object) -> str:
    """Operations are named like the functions that answer them."""
    return handler.fn.__name__


NO_TEXT = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError, UnicodeError)
"""What a text that no database keeps (a zero byte, half a surrogate pair, no UTF-8) raises, wherever it came in."""


def on_no_text(request: Request[Any, Any, Any], _error: Exception) -> Response[Problem]:
    return on_refusal(request, Invalid(reason="a text holds a character that cannot be stored"))


def create_app(db: Database, *, debug: bool = False) -> Litestar:
    """The ASGI application over `db`. Does not touch the database until the first request."""

    counter = Counter(db)
    line = Line(counter)

    @asynccontextmanager
    async def lifespan(_app: Litestar) -> AsyncGenerator[None]:
        yield
        await line.close()
        await db.close()

    async def provide_db() -> Database:
        return db

    async def provide_counter() -> Counter:
        return counter

    async def provide_line() -> Line:
        return line

    app = Litestar(
        route_handlers=[*wiring.ROUTES, *health.ROUTES, openapi_description],
        dependencies={
            "db": Provide(provide_db),
            "counter": Provide(provide_counter),
            "line": Provide(provide_line),
            "actor": Provide(accounts.provide_actor),
            "addresses": Provide(provide_addresses),
        },
        guards=[accounts.guard],
        state=State({"db": db, "line": line}),
        exception_handlers={**EXCEPTION_HANDLERS, **dict.fromkeys(NO_TEXT, on_no_text)},
        openapi_config=OpenAPIConfig(
            title="Livestall",
            version="1",
            description="The API of a live commerce market. Every write carries an id that the client makes (UUIDv7).",
            # Litestar answers unknown paths below this one with an HTML page, so it gets a corner of its own.
            openapi_router=Router("/api/openapi", route_handlers=[], opt=may(Who.anyone), include_in_schema=False),
            operation_id_creator=name_of,
            render_plugins=[JsonRenderPlugin(path="/schema.json")],
        ),
        lifespan=[lifespan],
        debug=debug,
        logging_config=None,
    )
    accounts.check_marks(app)
    return app


class Server(uvicorn.Server):
    """Ends without a failed request: it stops accepting, lets each connection that is used once more close itself with
    its answer, and then closes those that nobody uses."""

    def __init__(self, options: uvicorn.Config, on_closed: Callable[[], None]) -> None:
        super().__init__(options)
        self._on_closed = on_closed

    def stop(self) -> None:
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for one in sockets or []:
            one.close()
        self._on_closed()
        self.server_state.default_headers.append((b"connection", b"close"))
        deadline = asyncio.get_running_loop().time() + LEAVE_SECONDS
        while self.server_state.connections and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)
        await super().shutdown([])


def create_site(db: Database, media: MediaOrigins) -> tuple[Traffic, Callable[..., HttpConnection]]:
    """The API and the pages together, as `livestall web` serves them, and what makes its connections."""
    api = create_app(db)
    prefixes = frozenset(route.path.split("/", 2)[1] for route in api.routes) - {""}
    site = Traffic(pages.Site(api, prefixes, pages.load(pages.folder(), trace.share()), media))
    return site, connections(orders.Rush(api.state.line, accounts.Sessions(db)))


async def serve(
    db: Database, site: Traffic, connection: Callable[..., HttpConnection], media: MediaOrigins
) -> None:  # fmt: skip
    """Serve until SIGTERM, or until another process takes this one's place."""
    web = config.of(settings.Web)
    options = uvicorn.Config(
        site,  # pyright: ignore[reportArgumentType]
        http=connection,  # pyright: ignore[reportArgumentType]
        ws="none", log_config=None, access_log=web.access_log,
        proxy_headers=bool(config.of(settings.Address).web), server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS, timeout_keep_alive=65, backlog=4096,
    )  # fmt: skip
    watch = Watch("web", [database_answers(db)])

    def closed() -> None:
        watch.leave()
        handoff.closed()

    server = Server(options, closed)
    handoff = Handoff(server.stop)
    listener = handoff.listener("web.port", web.host, web.port)
    await handoff.go()
    watch.start()
    keeping = [
        asyncio.create_task(clocks.keep_comparing(db, "web"), name="clock"),
        asyncio.create_task(media.keep_looking(db), name="media origins"),
    ]
    await server.serve(sockets=[listener])
    for task in keeping:
        task.cancel()


def run() -> None:
    """The entry of `livestall web`: one process, one event loop."""
    core = settings.load_for_plane()
    options = config.of(settings.Logs)
    logs.set_up("web", as_json=options.as_json, level=options.level)
    trace.set_up("web")
    db = Database(core.database_url, minimum=2, maximum=20)
    media = MediaOrigins()
    site, connection = create_site(db, media)
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(db, site, connection, media))
