"""`livestall doctor`: looks at this machine and says what is wrong with it and what to do about it."""

from __future__ import annotations

import importlib.metadata
import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from livestall.app import clocks, pages, reload, settings, supervisor
from livestall.base import config

DISK_GB_MIN = 2.0
FILES_MIN = 4096
CLOCK_SECONDS_MAX = 2.0
CODECS = {"h264": "r", "aac": "rw", "opus": "r", "libopus": "w", "libx264": "w"}
PACKAGES = ("livestall", "litestar", "uvicorn", "asyncpg", "picows", "av", "aiortc", "msgspec")


class Finding(msgspec.Struct, frozen=True):
    """What one look found: `what` was seen, and `advice` for a person when it is not good."""

    name: str
    good: bool
    what: str
    advice: str = ""


def python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", sys.version_info >= (3, 11), version, "install Python 3.11 or newer")


def ports(folder: Path) -> Finding:
    market = reload.running(folder)
    if market is not None:
        return Finding("ports", good=True, what=f"held by the market that runs here (process {market})")
    taken = supervisor.first_ports_taken()
    if taken is None:
        used = dict.fromkeys(str(port) for plane in supervisor.planes() for _, _, port in plane.ports)
        return Finding("ports", good=True, what=f"{', '.join(used)} are free")
    return Finding("ports", good=False, what=f"{taken[1]} is in use", advice=f"free it, or set {taken[0]}")


def processes(core: settings.Core) -> Finding:
    counts = Counter(plane.name for plane in supervisor.planes())
    what = ", ".join(f"{name} {count}" for name, count in counts.items())
    try:
        supervisor.check_processes(core)
    except supervisor.CannotStart as error:
        return Finding("processes", good=False, what=what, advice=str(error))
    return Finding("processes", good=True, what=what)


def clock(core: settings.Core) -> Finding:
    """The wall clock must not drift from steady time, must be in this decade, and near that of the database's host."""
    begin_wall, begin_steady = time.time(), time.monotonic()
    time.sleep(0.2)
    drift = abs((time.time() - begin_wall) - (time.monotonic() - begin_steady))
    source = Path("/run/systemd/timesync/synchronized")
    known = " (synchronized)" if source.exists() else ""
    good = drift < CLOCK_SECONDS_MAX and time.gmtime().tm_year >= 2025
    what = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC{known}"
    if core.database_url and (skew := _skew(core.database_url)) is not None:
        what += (
            f", {skew.skew_seconds * 1000:+.0f} ms from the database's, give or take {skew.error_seconds * 1000:.0f}"
        )
        good &= abs(skew.sure_seconds) <= config.of(settings.Watch).clock_skew_seconds_max
    return Finding("clock", good, what, "keep this host's clock and the database's right with NTP; sales run on it")


def _skew(url: str) -> clocks.Reading | None:
    """How far this host is ahead of the database; None when it cannot be asked, which `postgres` says."""
    import psycopg

    found: list[clocks.Reading] = []
    with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=5, autocommit=True) as connection:
        for _ in range(clocks.TRIES):
            asking = clocks.Asking()
            row = connection.execute(clocks.ASK).fetchone()
            found += [asking.told(row[0])] if row else []
    return clocks.best(found) if found else None


def disk(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 1e9
    return Finding("disk", free >= DISK_GB_MIN, f"{free:.1f} GB free for {folder}", "free space, or set LIVESTALL_DATA")


def folder_writable(folder: Path) -> Finding:
    while not folder.exists():
        folder = folder.parent
    return Finding("data folder", os.access(folder, os.W_OK), str(folder), "choose a writable LIVESTALL_DATA")


def files() -> Finding:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shown = "no limit" if hard == resource.RLIM_INFINITY else str(hard)
    good = hard == resource.RLIM_INFINITY or hard >= FILES_MIN
    return Finding(
        "open files", good, shown, f"raise the limit (ulimit -Hn) to {FILES_MIN} or more: a viewer takes one"
    )


def codecs() -> Finding:
    try:
        import av
    except ImportError as error:
        return Finding("codecs", good=False, what=str(error), advice="run scripts/setup again: PyAV does not load")
    missing = [f"{name} ({mode})" for name, mode in CODECS.items() for way in mode if not _has_codec(av, name, way)]
    if missing:
        advice = "install the av package from its wheel, which carries them"
        return Finding("codecs", good=False, what=f"missing: {', '.join(missing)}", advice=advice)
    return Finding("codecs", good=True, what="H.264, AAC and Opus")


def _has_codec(av: object, name: str, way: str) -> bool:
    try:
        av.codec.Codec(name, way)  # type: ignore[attr-defined]
    except Exception:
        return False
    return True


def postgres(core: settings.Core) -> Finding:
    if core.database_url:
        return _external(core.database_url)
    from livestall.app.postgres import PostgresFailed, binaries

    try:
        program = binaries(core.postgres_major) / "postgres"
        done = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (PostgresFailed, OSError) as error:
        return Finding(
            "postgresql", good=False, what=str(error), advice="run scripts/setup, or set LIVESTALL_DATABASE_URL"
        )
    what = done.stdout.strip() or done.stderr.strip()
    return Finding("postgresql", done.returncode == 0, what, "this wheel does not run here; set LIVESTALL_DATABASE_URL")


def _external(url: str) -> Finding:
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=5) as connection:
            version = connection.info.server_version // 10000
    except psycopg.Error as error:
        return Finding("postgresql", good=False, what=str(error).strip(), advice="check LIVESTALL_DATABASE_URL")
    return Finding("postgresql", version >= 16, f"version {version} by URL", "PostgreSQL 16 or newer is needed")


def built_pages() -> Finding:
    found = (pages.folder() / "index.html").exists()
    return Finding("pages", found, "built" if found else "not built", "run scripts/setup")


def name_lookup() -> Finding:
    try:
        socket.getaddrinfo("localhost", None)
    except OSError as error:
        return Finding("localhost", good=False, what=str(error), advice="add localhost to /etc/hosts")
    return Finding("localhost", good=True, what="resolves")


def versions() -> Finding:
    try:
        found = [f"{name} {importlib.metadata.version(name)}" for name in PACKAGES]
    except importlib.metadata.PackageNotFoundError as error:
        return Finding("packages", good=False, what=f"{error} is missing", advice="run scripts/setup")
    return Finding("packages", good=True, what=", ".join(found))


def examine() -> list[Finding]:
    """Every look, in the order in which a person would repair things."""
    core = settings.load()
    data = Path(core.data).resolve()
    looks: Sequence[Callable[[], Finding]] = [
        python, versions, lambda: clock(core), lambda: folder_writable(data), lambda: disk(data), files, name_lookup,
        lambda: ports(data), lambda: processes(core), codecs, lambda: postgres(core), built_pages,
    ]  # fmt: skip
    found = [look() for look in looks]
    return [msgspec.structs.replace(one, advice="") if one.good else one for one in found]


def run(*, as_json: bool) -> int:
    """Print the findings; 0 when all is well, else 1."""
    try:
        findings = examine()
    except config.BadSettings as error:
        findings = [Finding("settings", good=False, what=str(error), advice="`livestall settings` lists all")]
    bad = [one for one in findings if not one.good]
    if as_json:
        print(msgspec.json.encode({"good": not bad, "findings": findings}).decode())
        return 1 if bad else 0
    for one in findings:
        print(f"{'ok ' if one.good else 'BAD'}  {one.name:12} {one.what}")
        if not one.good:
            print(f"     {'':12} → {one.advice}")
    print("All is well." if not bad else f"{len(bad)} to repair.")
    return 1 if bad else 0
