"""Settings: nested, typed, checked whole at start, documented by their own fields.

A feature declares `class Settings(Section)` in its `model.py`; each field is `Annotated[type, Meta(description=…)]`
with a default. `LIVESTALL_ORDERS__HOLD_SECONDS=300` sets `hold_seconds` of the section named `orders`. Code asks
`config.of(Settings)`; nothing is read from the environment after start.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import msgspec

PREFIX = "LIVESTALL_"


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all settings sections."""


S = TypeVar("S", bound=Section)
_current: dict[type[Section], Any] = {}


class BadSettings(Exception):
    """Raised once at start with every problem found, one a line."""


def of(section: type[S]) -> S:
    """The settings in force for `section`; its defaults if none were loaded."""
    found: S | None = _current.get(section)
    if found is None:
        found = _current[section] = section()
    return found


def load(sections: Mapping[str, type[Section]], environ: Mapping[str, str]) -> None:
    """Read all sections from `environ`, or raise BadSettings naming every unknown variable and wrong value."""
    problems: list[str] = []
    values: dict[str, dict[str, Any]] = {name: {} for name in sections}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or "__" not in variable:
            continue
        name, _, field = variable[len(PREFIX) :].lower().partition("__")
        if name not in sections or field not in sections[name].__struct_fields__:
            problems.append(f"{variable}: there is no such setting; `livestall settings` lists all")
            continue
        values[name][field] = text
    for name, section in sections.items():
        try:
            _current[section] = msgspec.convert(values[name], section, strict=False)
        except msgspec.ValidationError as error:
            problems.append(named(f"{PREFIX}{name.upper()}__", error))
    if problems:
        raise BadSettings("\n".join(problems))


def named(prefix: str, error: msgspec.ValidationError) -> str:
    """What is wrong, with the name of the variable in which it is."""
    what, _, path = str(error).rpartition(" - at `$.")
    return f"{prefix}{path.rstrip('`').upper()}: {what}" if path.rstrip("`").isidentifier() else f"{prefix}…: {error}"


@contextmanager
def override(section: Section) -> Generator[None]:
    """For tests: use `section` inside the block."""
    kind = type(section)
    before = _current.get(kind)
    _current[kind] = section
    try:
        yield
    finally:
        if before is None:
            del _current[kind]
        else:
            _current[kind] = before
