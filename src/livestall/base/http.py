"""HTTP at the edge: problems (RFC 9457), pages, and the mark on each endpoint of who may call it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Generic, TypeVar

import msgspec
import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException

from livestall.base import faults
from livestall.base.errors import Invalid, NotFound, Refusal, TooLarge, TooMany, Unavailable, Words

log = structlog.get_logger()
T = TypeVar("T")
PAGE_MAX = 100


class Who(StrEnum):
    """Who may call an endpoint. Each handler says `opt=may(Who.…)`; a test walks all roles over all endpoints."""

    anyone = "anyone"  # signed in or not
    signed_in = "signed-in"  # any account
    creator = "creator"  # an account with a channel; whose show it is, the verb checks
    seller = "seller"  # a member of the seller named by the path's `seller_id`, or an operator
    operator = "operator"  # who runs the market
    system = "system"  # another process or provider, proven by a signature that the handler checks


def may(who: Who, scope: str | None = None) -> dict[str, Any]:
    """The `opt` of a handler: who may call it, and the scope an API token needs (None: tokens are not enough)."""
    return {"who": who, "scope": scope}


class Problem(msgspec.Struct, frozen=True):
    """An RFC 9457 problem. `code` is stable for programs, `detail` is a sentence for the person."""

    type: str
    title: str
    status: int
    detail: str
    code: str


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Up to 100 items and the cursor of the next page; None at the end."""

    items: list[T]
    next: str | None = None


def cursor_of(*values: object) -> str:
    """An opaque cursor that `read_cursor` takes apart again."""
    return base64.urlsafe_b64encode(msgspec.json.encode(values)).decode().rstrip("=")


def read_cursor(cursor: str, types: Sequence[type[Any]]) -> list[Any]:
    """The values in `cursor`. Raises Invalid for anything that is not a cursor of ours."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        values = msgspec.json.decode(raw, type=list[Any])
        return [msgspec.convert(value, kind) for value, kind in zip(values, types, strict=True)]
    except (ValueError, msgspec.MsgspecError) as error:
        raise Invalid(reason="the page cursor is not one of ours") from error


def locale_of(request: Request[Any, Any, Any]) -> str:
    """ "zh" or "en", from the page's own choice (`Accept-Language`, which the pages set)."""
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def problem(refusal: Refusal, locale: str = "en") -> Problem:
    """The refusal for a client. Kept with it: in a rush many are told the same one."""
    found = refusal.told.get(locale)
    if not isinstance(found, Problem):
        found = refusal.told[locale] = Problem(
            type=f"/api/problems/{refusal.code}",
            title=refusal.code.replace("-", " "),
            status=refusal.status,
            detail=refusal.sentence(locale),
            code=refusal.code,
        )
    return found


def problem_json(refusal: Refusal, locale: str) -> bytes:
    """`problem` as JSON, kept as well."""
    found = refusal.encoded.get(locale)
    if found is None:
        found = refusal.encoded[locale] = msgspec.json.encode(problem(refusal, locale))
    return found


def _respond(what: Problem, headers: dict[str, str] | None = None) -> Response[Problem]:
    return Response(what, status_code=what.status, headers=headers or {}, media_type="application/problem+json")


def _retry(refusal: Refusal) -> dict[str, str]:
    if isinstance(refusal, TooMany):
        return {"Retry-After": str(refusal.retry_after_seconds)}
    return {"Retry-After": "2"} if isinstance(refusal, Unavailable) else {}


def on_refusal(request: Request[Any, Any, Any], refusal: Refusal) -> Response[Problem]:
    return _respond(problem(refusal, locale_of(request)), _retry(refusal))


def cookies_of(headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The cookies of a request as they stand, for who reads it without the framework. Ours are never quoted."""
    parts = headers.get(b"cookie", b"").decode("latin-1").split(";")
    return {name.strip(): value.strip() for name, equals, value in (one.partition("=") for one in parts) if equals}


def problem_answer(refusal: Refusal, locale: str) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """Status, headers and body of what `on_refusal` answers, for who answers without the framework."""
    headers = [(name.lower().encode(), value.encode()) for name, value in _retry(refusal).items()]
    headers.append((b"content-type", b"application/problem+json"))
    return refusal.status, headers, msgspec.json.encode(problem(refusal, locale))


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[Problem]:
    """Litestar's own refusals (no such route, body that does not fit the type) as problems; bad bodies are 422."""
    if isinstance(error, ValidationException):
        found = [faults.words(str(one.get("key", "")), str(one.get("message", ""))) for one in _extra(error)]
        reasons = Words("; ".join(one.en for one in found), "；".join(one.zh for one in found))
        return on_refusal(request, Invalid(reason=reasons if found else error.detail))
    if worded := {404: NotFound, 413: TooLarge}.get(error.status_code):
        return on_refusal(request, worded())  # an address that is none, too: said in the reader's language
    code = {405: "wrong-method", 415: "wrong-media-type"}.get(error.status_code, "invalid")
    return _respond(Problem(f"/api/problems/{code}", code.replace("-", " "), error.status_code, error.detail, code))


def _extra(error: ValidationException) -> list[dict[str, Any]]:
    extra = error.extra
    return [one for one in extra if isinstance(one, dict)] if isinstance(extra, list) else []


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    log.error("unhandled error", method=request.method, path=request.url.path, exc_info=error)
    zh = locale_of(request) == "zh"
    detail = "系统出错，已记录。请稍后重试。" if zh else "Something broke on our side and was recorded. Try again."
    return _respond(Problem("/api/problems/bug", "internal error", 500, detail, "bug"))


EXCEPTION_HANDLERS: dict[Any, Any] = {Refusal: on_refusal, HTTPException: on_http_exception, Exception: on_bug}
JSON = MediaType.JSON
