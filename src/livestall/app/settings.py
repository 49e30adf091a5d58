"""All settings of the house. Each feature declares its own section; this file only lists them and loads them."""

from __future__ import annotations

import os
from typing import Annotated

from msgspec import Meta

from livestall.base import config


class Core(config.Section, frozen=True, kw_only=True):
    """The few things that every process needs before anything else. Read from plain LIVESTALL_… variables."""

    database_url: Annotated[str, Meta(description="PostgreSQL URL; empty: one is started from the wheel")] = ""
    secret: Annotated[
        str, Meta(description="hex secret that signs tickets and hooks; empty: made once in the data folder")
    ] = ""
    data: Annotated[str, Meta(description="folder of everything that is not in the database")] = "var/livestall"


class Web(config.Section, frozen=True, kw_only=True):
    host: Annotated[str, Meta(description="address that web, live and media listen on")] = "0.0.0.0"
    port: Annotated[int, Meta(ge=0, le=65535, description="HTTP port of the pages and the API")] = 8000
    access_log: Annotated[bool, Meta(description="one log line a request")] = False


class Live(config.Section, frozen=True, kw_only=True):
    port: Annotated[int, Meta(ge=0, le=65535, description="port of the live gateway")] = 8001


class Media(config.Section, frozen=True, kw_only=True):
    port: Annotated[int, Meta(ge=0, le=65535, description="HTTP port of the media process")] = 8002
    rtmp_port: Annotated[int, Meta(ge=0, le=65535, description="RTMP port")] = 1935


class Address(config.Section, frozen=True, kw_only=True):
    """Public addresses, for a market behind a proxy. Empty: made from the request's host and the plane's port."""

    web: Annotated[str, Meta(description="public address of the pages, e.g. https://market.example")] = ""
    live: Annotated[str, Meta(description="public address of the gateway, e.g. wss://market.example")] = ""
    media: Annotated[str, Meta(description="public address of the media server, e.g. https://video.example")] = ""
    rtmp: Annotated[str, Meta(description="public RTMP address, e.g. rtmp://video.example/live")] = ""


class Logs(config.Section, frozen=True, kw_only=True):
    level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="least level written")] = "info"
    as_json: Annotated[bool, Meta(description="JSON lines instead of text for people")] = False


SECTIONS: dict[str, type[config.Section]] = {
    "web": Web,
    "live": Live,
    "media": Media,
    "address": Address,
    "logs": Logs,
}
"""Section name → type. Features add theirs here, in the order of the layers."""

PLAIN = {"LIVESTALL_DATABASE_URL": "database_url", "LIVESTALL_SECRET": "secret", "LIVESTALL_DATA": "data"}


def load() -> Core:
    """Read and check all settings. Raises config.BadSettings listing every problem."""
    config.load(SECTIONS, os.environ)
    return Core(**{field: os.environ[name] for name, field in PLAIN.items() if os.environ.get(name)})
