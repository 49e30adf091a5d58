"""How a media process of ours makes itself known: its name, and the addresses under which it is reached."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from livestall.app import handoff, settings
from livestall.base import config
from livestall.base.clock import Reading
from livestall.video.backends import Server, server_name
from livestall.video.backends.port import at_port
from livestall.video.embedded.engine import Engine


def describe(folder: Path, market_url: str) -> Server:
    """This process. `market_url` is empty when the market is on this machine. Raises OSError when `folder` cannot be
    written."""
    media, public, number = config.of(settings.Media), config.of(settings.Address), handoff.number()
    name = server_name(folder)
    http = at_port(public.media, str(media.port)) if public.media else f":{media.port}"
    rtmp = at_port(public.rtmp, str(media.rtmp_port)) if public.rtmp else f":{media.rtmp_port}"
    return Server(
        id=(media.name or name) + (f"-{number}" if number else ""),
        kind="embedded",
        hls_url=(http if number else public.media).rstrip("/"),
        rtmp_url=(rtmp if number else public.rtmp).rstrip("/"),
        control_url=media.control_url or _inside(market_url, media.port, number),
        folder=name,
        accepts=media.carry,
    )


def _inside(market_url: str, port: int, number: int) -> str:
    """Where the market reaches this process: at the address from which this machine reaches the market."""
    if not market_url:
        return f"http://127.0.0.1:{port}" if number else ""
    host = urlsplit(market_url)
    with socket.socket(socket.AF_INET6 if ":" in (host.hostname or "") else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((host.hostname or "127.0.0.1", host.port or 80))  # nothing is sent
            own = probe.getsockname()[0]
        except OSError:
            own = socket.gethostname()
    return f"http://[{own}]:{port}" if ":" in own else f"http://{own}:{port}"


def now(me: Server, engine: Engine, clock: Reading | None) -> Server:
    """The same, with what it carries at the moment and how far the clock is off."""
    carried = sum(one.session is not None for one in engine.streams.values())
    room = carried < engine.settings.publishers_max
    return msgspec.structs.replace(
        me,
        publishers=carried,
        accepts=me.accepts and room,
        clock_skew_seconds=clock and clock.skew_seconds,
        clock_error_seconds=clock and clock.error_seconds,
    )
