"""Public addresses of the planes: from the settings, else from the name under which a person reached us."""

from __future__ import annotations

import re
from typing import Any

from litestar import Request

from livestall.app import settings
from livestall.base import config
from livestall.rooms import PORTABLE, Addresses
from livestall.video.backends.port import at_port

_HOST = re.compile(r"(?P<name>[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(:[0-9]{1,5})?")


def addresses_of(host: str, *, secure: bool) -> Addresses:
    """The addresses for somebody who came by the Host header `host`; one that is no host name counts as localhost."""
    public = config.of(settings.Address)
    match = _HOST.fullmatch(host)
    whole, name = (host, match["name"]) if match else ("localhost", "localhost")
    media = config.of(settings.Media)
    http, ws = ("https", "wss") if secure else ("http", "ws")
    return Addresses(
        web=(public.web or f"{http}://{whole}").rstrip("/"),
        live=(public.live or f"{ws}://{name}:{config.of(settings.Live).port}").rstrip("/"),
        media=(public.media or f"{http}://{name}:{media.port}").rstrip("/"),
        rtmp=(public.rtmp or f"rtmp://{name}:{media.rtmp_port}/live").rstrip("/"),
    )


def marks(own: Addresses) -> dict[bytes, bytes]:
    """What the gateway puts in place of the portable addresses in a frame: they stand at the beginning of a string."""
    media = config.of(settings.Media)
    further = [str(media.port + number) for number in range(1, media.processes)]
    return {
        f'"{getattr(PORTABLE, plane)}'.encode(): f'"{getattr(own, plane)}'.encode()
        for plane in Addresses.__struct_fields__
    } | {f'"{at_port(PORTABLE.media, port)}'.encode(): f'"{at_port(own.media, port)}'.encode() for port in further}


async def provide_addresses(request: Request[Any, Any, Any]) -> Addresses:
    """The `addresses` that handlers ask for."""
    return addresses_of(request.headers.get("host", ""), secure=request.url.scheme == "https")
