"""The browser pages: the built files of `web/dist` from memory, every unknown path answered with the one page.

Files under `assets/` carry a hash of their contents in the name and may be kept for a year; the page itself is asked
for anew each time. Texts are gzipped once, at start.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from pathlib import Path

import msgspec
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from livestall.app import settings
from livestall.app.media_origins import MediaOrigins
from livestall.base import config

GZIP_BYTES_MIN = 600
TEXTS = ("text/", "application/javascript", "application/json", "application/manifest", "image/svg")
HOST = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]{1,253})(:\d{1,5})?$")
BASE_HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(self), microphone=(self), geolocation=()"),
]
NOT_BUILT = """<!doctype html><meta charset="utf-8"><title>Livestall</title>
<p>The pages are not built yet: run <code>make setup</code>, then start again.
<p>网页尚未构建：请运行 <code>make setup</code>，然后重新启动。
"""


class PageFile(msgspec.Struct, frozen=True):
    """One built file, ready to send: `packed` is the gzipped body, if that is smaller."""

    body: bytes
    packed: bytes | None
    headers: list[tuple[bytes, bytes]]
    etag: bytes


def folder() -> Path:
    """Where the built pages are: inside the installed package, or `web/dist` beside the sources."""
    inside = Path(__file__).parent.parent / "pages"
    return inside if inside.exists() else Path(__file__).parents[3] / "web" / "dist"


def load(root: Path, traced_share: float = 0.0) -> dict[str, PageFile]:
    """Every built file by its URL path. Holds at least "/index.html", which says what share of clicks is traced."""
    files = {
        f"/{path.relative_to(root).as_posix()}": _load(path, path.relative_to(root).as_posix())
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.startswith(".") and path.suffix not in {".map", ".gz"}
    }
    if "/index.html" not in files:
        files["/index.html"] = _page(NOT_BUILT.encode(), "text/html; charset=utf-8", hashed=False)
    if traced_share:
        page = b'<meta name="livestall-trace" content="%g"></head>' % traced_share
        body = files["/index.html"].body.replace(b"</head>", page, 1)
        files["/index.html"] = _page(body, "text/html; charset=utf-8", hashed=False)
    return files


def _load(path: Path, name: str) -> PageFile:
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    kind = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}.get(path.suffix, kind)
    kind = f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
    return _page(path.read_bytes(), kind, hashed=name.startswith("assets/"))


def _page(body: bytes, kind: str, *, hashed: bool) -> PageFile:
    packed = gzip.compress(body, 9, mtime=0) if kind.startswith(TEXTS) and len(body) >= GZIP_BYTES_MIN else None
    etag = _etag(body)
    cache = b"public, max-age=31536000, immutable" if hashed else b"no-cache"
    headers = [
        (b"content-type", kind.encode()),
        (b"cache-control", cache),
        (b"etag", etag),
        (b"vary", b"accept-encoding"),
    ]
    return PageFile(body, packed if packed and len(packed) < len(body) else None, headers, etag)


def _etag(contents: bytes) -> bytes:
    return b'"' + hashlib.sha256(contents).hexdigest()[:24].encode() + b'"'


def policy(host: str, known: MediaOrigins) -> str:
    """The Content-Security-Policy of the page: itself, the gateway's socket and the media servers, nothing else."""
    where, name = config.of(settings.Address), HOST.match(host)
    bare = name.group(1) if name else "localhost"
    live = where.live or f"ws://{bare}:{config.of(settings.Live).port} wss://{bare}:{config.of(settings.Live).port}"
    media = " ".join(known.of(bare))
    return (
        f"default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self' {live} {media}; "
        f"img-src 'self' data: blob: {media}; media-src 'self' blob: {media}; worker-src 'self' blob:; "
        "font-src 'self'; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    )


class Site:
    """The whole web process: the API's own paths go to `api`, all others are pages; every answer gets the safety
    headers that it does not set itself."""

    def __init__(
        self, api: ASGIApp, api_prefixes: frozenset[str], files: dict[str, PageFile], media: MediaOrigins
    ) -> None:
        self._api = api
        self._api_prefixes = api_prefixes
        self._files = files
        self._media = media

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._api(scope, receive, send)
            return
        path: str = scope["path"]
        if path.split("/", 2)[1] in self._api_prefixes:
            await self._api(scope, receive, _with_safety_headers(send))
        else:
            await self._page(path, scope, _with_safety_headers(send))

    async def _page(self, path: str, scope: HTTPScope, send: Send) -> None:
        file = self._files.get(path)
        status = 200
        if file is None:
            asset = path.startswith("/assets/") or "." in path.rsplit("/", 1)[-1]
            file = self._files["/index.html"]
            status = 404 if asset else 200
        if scope["method"] not in {"GET", "HEAD"}:
            await _answer(send, 405, [(b"allow", b"GET, HEAD")], b"")
            return
        asked = dict(scope["headers"])
        headers, etag = list(file.headers), file.etag
        if b"text/html" in headers[0][1]:
            allowed = policy(asked.get(b"host", b"").decode("latin-1"), self._media).encode()
            # A browser that hears "not modified" keeps the policy it has: another policy is another page.
            etag = _etag(file.etag + allowed)
            headers = [
                *(one for one in headers if one[0] != b"etag"),
                (b"etag", etag),
                (b"content-security-policy", allowed),
            ]
        if status == 200 and asked.get(b"if-none-match") == etag:
            await _answer(send, 304, headers, b"")
            return
        body = file.body
        if file.packed and b"gzip" in asked.get(b"accept-encoding", b""):
            body = file.packed
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
        await _answer(send, status, headers, b"" if scope["method"] == "HEAD" else body)


async def _answer(send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _with_safety_headers(send: Send) -> Send:
    async def send_on(message: object) -> None:
        if isinstance(message, dict) and message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message["headers"]}
            message["headers"] = [*message["headers"], *(pair for pair in BASE_HEADERS if pair[0] not in given)]
        await send(message)  # pyright: ignore[reportArgumentType]

    return send_on
