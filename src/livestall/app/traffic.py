"""What goes through the web process: counted by route, timed, and followed from the browser's click on."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from livestall.base import trace
from livestall.base.metrics import Counter, Gauge, Histogram

PAGES = "pages"
NO_ROUTE = "no route"

REQUESTS = Counter(
    "livestall_http_requests_total", "Requests answered, by route and class of status", ["route", "status"]
)
STEPS = (0.005, 0.02, 0.05, 0.1, 0.25, 1.0, 5.0)
"""Fewer than elsewhere: there are as many lines as routes times steps."""

REQUEST = Histogram(
    "livestall_http_request_seconds", "From a request's head to its answer's end", ["route"], buckets=STEPS
)
_requests, _request = lru_cache(2048)(REQUESTS.labels), lru_cache(1024)(REQUEST.labels)
IN_FLIGHT = Gauge("livestall_http_requests_in_flight", "Requests that are being answered")


class Traffic:
    """Around the whole web process. Routes are templates of ours, so there are never more of them than endpoints."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        IN_FLIGHT.inc()
        begin, status = time.perf_counter(), 500

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if trace.on():
                with trace.following(_traceparent(scope), "http request") as span:
                    await self._app(scope, receive, sent)
                    span.update_name(route_of(scope))
                    span.set_attributes({"http.route": route_of(scope), "http.response.status_code": status})
            else:
                await self._app(scope, receive, sent)
        finally:
            IN_FLIGHT.dec()
            count(route_of(scope), status, time.perf_counter() - begin)


def count(route: str, status: int, seconds: float) -> None:
    """One request was answered."""
    _requests(route, f"{status // 100}xx").inc()
    _request(route).observe(seconds)


def route_of(scope: Any) -> str:
    """The method and the template of the path, once the application has found it."""
    template = scope.get("path_template")
    if template is None:
        return PAGES if "route_handler" not in scope else NO_ROUTE
    return f"{scope['method']} {template}" if scope["method"] in METHODS else NO_ROUTE


METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def _traceparent(scope: Any) -> str | None:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == b"traceparent"), None)
