"""All settings of the house. Each feature declares its own section; this file only lists them and loads them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import msgspec.inspect
from msgspec import Meta

from livestall import accounts, catalog, chat, deals, live, orders, payments, rooms, storage, video
from livestall.app import guard, handoff
from livestall.base import config, keys, pace
from livestall.payments.backends import sandbox
from livestall.video import backends


class Core(config.Section, frozen=True, kw_only=True):
    """The few things that every process needs before anything else. Read from plain LIVESTALL_… variables."""

    database_url: Annotated[str, Meta(description="PostgreSQL URL; empty: one is started from the wheel")] = ""
    bus_url: Annotated[
        str,
        Meta(
            pattern=r"^$|^(rediss?|unix)://",
            description="Redis URL (redis:// or rediss://) through which several gateways are one; empty: there is one",
        ),
    ] = ""
    secret: Annotated[
        str, Meta(description="hex secret that signs tickets and hooks; empty: made once in the data folder")
    ] = ""
    data: Annotated[str, Meta(description="folder of everything that is not in the database")] = "var/livestall"
    postgres_major: Annotated[
        int, Meta(ge=16, le=18, description="which PostgreSQL of the wheel to start: 18 or 16")
    ] = 18


class Web(config.Section, frozen=True, kw_only=True):
    host: Annotated[str, Meta(description="address that web, live and media listen on")] = "0.0.0.0"
    port: Annotated[int, Meta(ge=0, le=65535, description="HTTP port of the pages and the API")] = 8000
    access_log: Annotated[bool, Meta(description="one log line a request")] = False
    processes: Annotated[int, Meta(ge=1, le=16, description="web processes on this machine, sharing the port")] = 1


Live = live.Settings
"""The gateway's limits are said beside the code that keeps them."""

Media = video.Settings
"""The media process is the video feature's own: its section says more than its ports."""


class Address(config.Section, frozen=True, kw_only=True):
    """Public addresses, for a market behind a proxy. Empty: made from the request's host and the plane's port."""

    web: Annotated[str, Meta(description="public address of the pages, e.g. https://market.example")] = ""
    live: Annotated[str, Meta(description="public address of the gateway, e.g. wss://market.example")] = ""
    media: Annotated[str, Meta(description="public address of the media server, e.g. https://video.example")] = ""
    rtmp: Annotated[str, Meta(description="public RTMP address, e.g. rtmp://video.example/live")] = ""


class Work(config.Section, frozen=True, kw_only=True):
    processes: Annotated[int, Meta(ge=1, le=16, description="worker processes on this machine")] = 1


class Watch(config.Section, frozen=True, kw_only=True):
    """Each process answers /metrics, /health and /ready on a port of its own: this one for the first web process, 20
    more for live, 40 for media, 60 for work, 80 for `serve`, and one more for each further process of a plane."""

    host: Annotated[str, Meta(description="address for metrics and health; never public by accident")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65_400, description="port of the first web process; live +20, media +40, work +60; 0: off")
    ] = 9700
    clock_skew_seconds_max: Annotated[
        float, Meta(ge=0.001, le=60, description="a host's clock may be so far from the database's before it is told")
    ] = 0.25


class Logs(config.Section, frozen=True, kw_only=True):
    level: Annotated[str, Meta(pattern="^(debug|info|warning|error)$", description="least level written")] = "info"
    as_json: Annotated[bool, Meta(description="JSON lines instead of text for people")] = False


SECTIONS: dict[str, type[config.Section]] = {
    "web": Web,
    "live": Live,
    "media": Media,
    "accounts": accounts.Settings,
    "catalog": catalog.Settings,
    "rooms": rooms.Settings,
    "chat": chat.Settings,
    "deals": deals.Settings,
    "payments": payments.Settings,
    "sandbox": sandbox.Settings,
    "orders": orders.Settings,
    "address": Address,
    "work": Work,
    "watch": Watch,
    "logs": Logs,
}
"""Section name → type. Features add theirs here, in the order of the layers."""

PLAIN = {f"{config.PREFIX}{field.upper()}": field for field in Core.__struct_fields__}
INNER = {guard.PARENT, guard.FIRST_RUN, handoff.NUMBER, handoff.LINE, handoff.SOCKETS}
"""Variables that processes of the house tell each other; not settings."""


def load() -> Core:
    """Read and check all settings. Raises config.BadSettings listing every problem."""
    strange = [
        f"{name}: there is no such setting; `livestall settings` lists all"
        for name in os.environ
        if name.startswith(config.PREFIX) and "__" not in name and name not in PLAIN and name not in INNER
    ]
    if strange:
        raise config.BadSettings("\n".join(strange))
    config.load(SECTIONS, os.environ)
    given = {field: os.environ[name] for name, field in PLAIN.items() if os.environ.get(name)}
    try:
        core = msgspec.convert(given, Core, strict=False)
    except msgspec.ValidationError as error:
        raise config.BadSettings(config.named(config.PREFIX, error)) from error
    if core.bus_url and not core.secret:
        raise config.BadSettings(
            f"{config.PREFIX}BUS_URL joins several processes: set {config.PREFIX}SECRET, one for all"
        )
    if core.secret:
        keys.use(core.secret)
    storage.use(storage.Disk(Path(core.data) / "files"))
    pace.use(Path(core.data) / "pace")
    backends.keep_replays(backends.Replays(Path(core.data) / "media", _make_replay))
    backends.neighbours()
    return core


def load_for_plane(*, database: bool = True) -> Core:
    """`load` for a plane by itself, which has to be told to which market it belongs. Raises config.BadSettings."""
    core = load()
    needed = {"SECRET": core.secret}
    if database:
        needed["DATABASE_URL"] = core.database_url
    missing = [f"{config.PREFIX}{name}" for name, value in needed.items() if not value]
    if missing:
        raise config.BadSettings(
            f"{' and '.join(missing)}: to be set for a plane by itself, the same for all of a market; "
            "`livestall serve` runs all of them and needs neither"
        )
    return core


def _make_replay(parts: Any, format_name: Any, target: Path) -> Any:
    from livestall.video.embedded.remux import make_replay  # PyAV, which only a worker ever needs here

    return make_replay(parts, format_name, target)


class Documented(msgspec.Struct, frozen=True):
    """One setting as a person reads it."""

    variable: str
    type: str
    default: str
    meaning: str
    section: str


def document() -> list[Documented]:
    """Every setting of the house, in the order of the layers."""
    everything: dict[str, type[config.Section]] = {"": Core, **SECTIONS}
    found: list[Documented] = []
    for name, section in everything.items():
        info = msgspec.inspect.type_info(section)
        assert isinstance(info, msgspec.inspect.StructType)
        prefix = f"{config.PREFIX}{name.upper()}__" if name else config.PREFIX
        for field in info.fields:
            kind, meaning = _words(field.type)
            default = "" if field.default is msgspec.NODEFAULT else str(field.default)
            found.append(Documented(f"{prefix}{field.name.upper()}", kind, default, meaning, name or "core"))
    return found


def _words(kind: msgspec.inspect.Type) -> tuple[str, str]:
    """The name of a field's type with its limits, and its description."""
    meaning = ""
    if isinstance(kind, msgspec.inspect.Metadata):
        meaning = str((kind.extra_json_schema or {}).get("description", ""))
        kind = kind.type
    name = "text"
    if isinstance(kind, msgspec.inspect.LiteralType):
        name = " or ".join(str(value) for value in kind.values)
    elif isinstance(kind, msgspec.inspect.BoolType):
        name = "true or false"
    elif isinstance(kind, msgspec.inspect.IntType):
        name = "whole number"
    elif isinstance(kind, msgspec.inspect.FloatType):
        name = "number"
    low, high = getattr(kind, "ge", None), getattr(kind, "le", None)
    if low is not None or high is not None:
        name += f", {'' if low is None else low}–{'' if high is None else high}"
    return name, meaning


def as_markdown() -> str:
    """The page docs/settings.md."""
    lines = [
        "# Settings",
        "",
        "Every setting is an environment variable. `livestall settings` prints this list, and a test keeps this page",
        "current (`.venv/bin/livestall settings --markdown > docs/settings.md`). A variable that is misspelled or out",
        "of range stops the start with a sentence about it.",
    ]
    section = ""
    for one in document():
        if one.section != section:
            section = one.section
            lines += ["", f"## {section}", "", "| variable | type | default | meaning |", "|---|---|---|---|"]
        default = f"`{one.default}`" if one.default else ""
        lines.append(f"| `{one.variable}` | {one.type} | {default} | {one.meaning.replace('|', '/')} |")
    return "\n".join(lines) + "\n"
