"""Files for browsers: only pictures of ours, kept by them for ever, never taken for a page or a script."""

from __future__ import annotations

import asyncio

from litestar import Response, get

from livestall import storage
from livestall.base.http import Who, may
from livestall.storage.model import PUBLIC, TYPES, NoSuchFile

HEADERS = {
    "Cache-Control": "public, max-age=31536000, immutable",
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}


@get("/files/{shelf:str}/{name:str}", opt=may(Who.anyone), include_in_schema=False)
async def file(shelf: str, name: str) -> Response[bytes]:
    """A stored picture."""
    ending = name.rpartition(".")[2]
    if ending not in PUBLIC:
        raise NoSuchFile

    def read() -> bytes:
        with storage.open(f"{shelf}/{name}") as opened:
            return opened.read()

    return Response(await asyncio.to_thread(read), media_type=TYPES[ending], headers=HEADERS)


ROUTES = [file]
