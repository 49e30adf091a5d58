"""Logging: one line an event, for people on a terminal and as JSON elsewhere. Secrets never get in."""

from __future__ import annotations

import logging
import sys
from typing import Any

import structlog

from livestall.base import trace

SECRET_WORDS = ("password", "secret", "token", "ticket", "cookie", "authorization", "stream_key", "card")


def _redact(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    for key in event:
        if any(word in key.lower() for word in SECRET_WORDS):
            event[key] = "…"
    return event


def _trace(_logger: Any, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    if trace.on() and (found := trace.trace_id()) is not None:
        event["trace_id"] = found
    return event


def without_query(record: logging.LogRecord) -> bool:
    """A filter for access logs: what stands behind the question mark may be a token."""
    if isinstance(record.args, tuple):
        record.args = tuple(one.partition("?")[0] if isinstance(one, str) else one for one in record.args)
    return True


def set_up(process: str, *, as_json: bool, level: str = "info") -> None:
    """Configure structlog and the standard library's logging for this process, named in every line."""
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(
            colors=False,
            exception_formatter=structlog.dev.plain_traceback,  # never with local variables: they hold secrets
        )
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        _trace,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _redact,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, renderer] if as_json else [*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("uvicorn.access").addFilter(without_query)
    logging.getLogger("asyncpg").setLevel(logging.ERROR)  # it tells of every connection that a restart costs
