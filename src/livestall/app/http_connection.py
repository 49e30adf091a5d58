"""One browser's HTTP connection: uvicorn's own, with a short way for the orders of a rush.

An order that is plain goes from the parser to the line and its answer back to the socket, in one write, without a
task, an ASGI message or a header looked at twice: a third of what a request costs (decision 39). All else is uvicorn's.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from livestall.app import pages, traffic
from livestall.base import trace
from livestall.orders.web import ORDERS_BYTES_MAX, ORDERS_PATH, Answer, Rush

log = structlog.get_logger()
ROUTE = f"POST {ORDERS_PATH}"
SAFETY = b"".join(b"%b: %b\r\n" % pair for pair in pages.BASE_HEADERS)


class HttpConnection(HttpToolsProtocol):
    """Between the socket and either the line or the application."""

    def __init__(self, rush: Rush, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._rush = rush
        self._order: RequestResponseCycle | None = None
        """The request whose body is on its way, if it may be a plain order."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        if not self._may_be_plain(cycle):
            super()._start_asgi_task(cycle, app)
        elif cycle.more_body:
            self._order = cycle
        else:  # it came whole while the request before it was answered; not at once, or a thousand of them nest
            self.loop.call_soon(self._take, cycle)

    def _may_be_plain(self, cycle: RequestResponseCycle) -> bool:
        """An order whose body is small, to somebody who reads what they are sent."""
        scope = cycle.scope
        if scope["path"] != ORDERS_PATH or scope["method"] != "POST" or trace.on() or self.config.access_log:
            return False
        if self.flow.write_paused or cycle.waiting_for_100_continue:
            return False
        length = next((value for name, value in scope["headers"] if name == b"content-length"), b"")
        return length.isdigit() and len(length) < 8 and int(length) <= ORDERS_BYTES_MAX

    def on_message_complete(self) -> None:
        super().on_message_complete()
        cycle = self._order
        if cycle is not None and not cycle.more_body:
            self._order = None
            self._take(cycle)

    def _take(self, cycle: RequestResponseCycle) -> None:
        traffic.IN_FLIGHT.inc()
        begun, is_due = time.perf_counter(), True

        def reply(answer: Answer | None) -> None:
            """Once: whoever breaks after it has replied, or replies after it broke, is not heard again."""
            nonlocal is_due
            if is_due:
                is_due = False
                traffic.IN_FLIGHT.dec()
                self._reply(cycle, begun, answer)

        try:
            self._rush.take(dict(cycle.scope["headers"]), bytes(cycle.body), reply)
        except Exception as error:
            log.error("an order broke on the short way", exc_info=error)
            reply(None)

    def _reply(self, cycle: RequestResponseCycle, begun: float, answer: Answer | None) -> None:
        if cycle.response_complete:
            return
        if answer is None:
            app: Any = self.app
            super()._start_asgi_task(cycle, app)
            return
        traffic.count(ROUTE, answer.status, time.perf_counter() - begun)
        cycle.response_started = cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        common = [*self.server_state.default_headers, *answer.headers]
        if (b"connection", b"close") in common:
            cycle.keep_alive = False
        elif not cycle.keep_alive:
            common.append((b"connection", b"close"))
        self.transport.write(
            b"%b%b%bcontent-length: %d\r\n\r\n%b" % (
                STATUS_LINE[answer.status], SAFETY, b"".join([b"%b: %b\r\n" % pair for pair in common]),
                len(answer.body), answer.body,
            )
        )  # fmt: skip
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def connections(rush: Rush) -> Callable[..., HttpConnection]:
    """What uvicorn makes a connection with."""
    return partial(HttpConnection, rush)
