"""Media servers the market can work with, by name."""

from __future__ import annotations

from collections.abc import Callable

from livestall.base.errors import NotFound
from livestall.video.backends.embedded import Embedded
from livestall.video.model import MediaServer

SERVERS: dict[str, Callable[[], MediaServer]] = {"embedded": Embedded}


def server(name: str = "embedded") -> MediaServer:
    """The adapter of that name. Raises NotFound."""
    make = SERVERS.get(name)
    if make is None:
        raise NotFound
    return make()
