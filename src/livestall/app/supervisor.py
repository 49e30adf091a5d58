"""`livestall serve`: starts PostgreSQL, web, live, media and work, brings back whichever dies, ends them together."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import msgspec
import structlog

from livestall import accounts
from livestall.app import health, settings
from livestall.app.guard import FIRST_RUN, PARENT
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres, PostgresFailed
from livestall.base import config
from livestall.base.db import Database

log = structlog.get_logger()

STOP_SECONDS = 6
READY_SECONDS_MAX = 60
BACKOFF_SECONDS = (0.1, 0.3, 1, 2, 5, 10)
CALM_SECONDS = 30
"""A plane that has run this long is no longer counted as failing."""


class CannotStart(RuntimeError):
    """The market cannot start; the message says what a person should do."""


class Plane(msgspec.Struct, frozen=True):
    """One child process: `livestall <name>`. `ports` are the (setting, host, port) it listens on."""

    name: str
    ports: Sequence[tuple[str, str, int]] = ()


def planes() -> list[Plane]:
    """The planes of a market on one machine, in the order in which they start."""
    web, live, media = config.of(settings.Web), config.of(settings.Live), config.of(settings.Media)
    return [
        Plane("web", [("LIVESTALL_WEB__PORT", web.host, web.port)]),
        Plane("live", [("LIVESTALL_LIVE__PORT", web.host, live.port)]),
        Plane(
            "media",
            [
                ("LIVESTALL_MEDIA__PORT", web.host, media.port),
                ("LIVESTALL_MEDIA__RTMP_PORT", web.host, media.rtmp_port),
            ],
        ),
        Plane("work"),
    ]


class Home:
    """The data folder: its lock, and the secret made once. Only one `serve` may live in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._lock: IO[str] | None = None

    def enter(self) -> None:
        """Take the folder. Raises CannotStart when a market already runs in it or it cannot be written."""
        try:
            for folder in (self.folder, self.folder / "files", self.folder / "media"):
                folder.mkdir(parents=True, exist_ok=True)
            self._lock = (self.folder / "serve.lock").open("a+")
        except OSError as error:
            raise CannotStart(f"cannot write to {self.folder}: {error.strerror}; choose LIVESTALL_DATA") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.seek(0)
            raise CannotStart(
                f"a market already runs in {self.folder} (process {self._lock.read().strip() or 'unknown'}); "
                "stop it first, or choose another folder with LIVESTALL_DATA"
            ) from error
        self._lock.truncate(0)
        self._lock.write(str(os.getpid()))
        self._lock.flush()

    def leave(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def secret(self) -> str:
        """The secret that signs tickets and hooks: 32 random bytes in hex, made on first use, readable by us only."""
        path = self.folder / "secret"
        with suppress(FileExistsError):
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(secrets.token_hex(32))
        return path.read_text().strip()


def taken_port(ports: Sequence[tuple[str, str, int]]) -> tuple[str, int] | None:
    """The first (setting, port) that something else listens on."""
    for setting, host, port in ports:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                return setting, port
    return None


class Supervisor:
    """Runs the planes of one market until `stop`. When all of them answer, `on_ready` is called once (seconds since
    the start, token of the first-run link or None) and the `later` planes start."""

    def __init__(
        self,
        core: settings.Core,
        postgres: Postgres | None,
        on_ready: Callable[[float, str | None], None],
        later: Sequence[Plane] = (),
    ) -> None:
        self._core = core
        self._postgres = postgres
        self._on_ready = on_ready
        self._later = later
        self._first_run = ""
        self._stopping = asyncio.Event()
        self._children: dict[str, asyncio.subprocess.Process] = {}
        self._started = time.monotonic()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Start everything, keep it up, and return when all has ended. Raises CannotStart if it never got ready."""
        keepers = [asyncio.create_task(self._keep(plane), name=plane.name) for plane in planes()]
        if self._postgres is not None:
            keepers.append(asyncio.create_task(self._keep_postgres(self._postgres), name="postgres"))
        announcer = asyncio.create_task(self._announce())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([*keepers, announcer, stop], return_when=asyncio.FIRST_COMPLETED)
            if announcer in done and announcer.exception() is None:
                keepers += [asyncio.create_task(self._keep(plane), name=plane.name) for plane in self._later]
                await asyncio.wait([*keepers, stop], return_when=asyncio.FIRST_COMPLETED)
            for task in (*keepers, announcer):
                if task.done() and (error := task.exception()) is not None:
                    raise error
        finally:
            for task in (*keepers, announcer, stop):
                task.cancel()
            await asyncio.wait([*keepers, announcer, stop])
            await self._end_children()

    def _environment(self) -> dict[str, str]:
        core = self._core
        return {
            **os.environ,
            PARENT: str(os.getpid()),
            FIRST_RUN: self._first_run,
            "LIVESTALL_DATABASE_URL": core.database_url,
            "LIVESTALL_SECRET": core.secret,
            "LIVESTALL_DATA": core.data,
        }

    async def _keep(self, plane: Plane) -> None:
        """Run one plane for ever, again after it dies, later each time it dies young."""
        deaths = 0
        while True:
            born = time.monotonic()
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "livestall.app.cli", plane.name,
                env=self._environment(), stdin=asyncio.subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
            self._children[plane.name] = process
            code = await process.wait()
            _end_group(process.pid)
            deaths = 0 if time.monotonic() - born > CALM_SECONDS else deaths
            delay = BACKOFF_SECONDS[min(deaths, len(BACKOFF_SECONDS) - 1)]
            deaths += 1
            log.error("plane died and is started again", plane=plane.name, exit_code=code, after_seconds=delay)
            await asyncio.sleep(delay)

    async def _keep_postgres(self, postgres: Postgres) -> None:
        deaths = 0
        while True:
            born = time.monotonic()
            while postgres.process is not None and postgres.process.poll() is None:  # noqa: ASYNC110 - no event tells it
                await asyncio.sleep(0.05)
            deaths = 0 if time.monotonic() - born > CALM_SECONDS else deaths
            delay = BACKOFF_SECONDS[min(deaths, len(BACKOFF_SECONDS) - 1)]
            deaths += 1
            log.error("PostgreSQL died and is started again", after_seconds=delay)
            await asyncio.sleep(delay)
            postgres.spawn()
            try:
                await asyncio.to_thread(postgres.wait_ready)
            except PostgresFailed as error:
                log.error("PostgreSQL did not come back", error=str(error))

    async def _announce(self) -> None:
        """Wait until every plane answers, then say so once."""
        db = Database(self._core.database_url, maximum=2)
        try:
            missing = {plane.name for plane in planes()}
            while missing and time.monotonic() - self._started < READY_SECONDS_MAX:
                missing = {one.name for one in await health.look(db) if one.state == "down"}
                if missing:
                    await asyncio.sleep(0.05)
            if missing:
                raise CannotStart(f"not ready after {READY_SECONDS_MAX} s: {', '.join(sorted(missing))}; see the log")
            async with db.write() as tx:
                token = await accounts.offer_first_run(tx)
        finally:
            await db.close()
        self._first_run = token or ""
        self._on_ready(time.monotonic() - self._started, token)

    async def _end_children(self) -> None:
        """SIGTERM to all, SIGKILL to whoever is still there after 6 s, and to what they left behind."""
        for process in self._children.values():
            with suppress(ProcessLookupError):
                process.terminate()
        waits = [asyncio.create_task(process.wait()) for process in self._children.values()]
        if waits:
            await asyncio.wait(waits, timeout=STOP_SECONDS)
        for process in self._children.values():
            _end_group(process.pid)
        await asyncio.gather(*waits)


def _end_group(pid: int) -> None:
    """Kill what is left of the child's process group (its own children)."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def first_ports_taken() -> tuple[str, int] | None:
    return taken_port([port for plane in planes() for port in plane.ports])


def serve(on_ready: Callable[[float, str | None], None], later: Sequence[Plane] = ()) -> None:
    """Run the market of this machine until SIGINT or SIGTERM. Raises CannotStart, PostgresFailed, BadSettings."""
    core = settings.load()
    home = Home(Path(core.data))
    home.enter()
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    postgres: Postgres | None = None
    signal.signal(signal.SIGTERM, _as_interrupt)
    signal.signal(signal.SIGHUP, _as_interrupt)
    try:
        if taken := first_ports_taken():
            raise CannotStart(f"port {taken[1]} is in use by another program; free it or set {taken[0]}")
        url = core.database_url
        if not url:
            postgres = Postgres(home.folder / "postgres", major=core.postgres_major)
            postgres.start()
            url = postgres.dsn()
        migrate(url)
        core = msgspec.structs.replace(
            core, database_url=url, secret=core.secret or home.secret(), data=str(home.folder)
        )
        asyncio.run(_run(Supervisor(core, postgres, on_ready, later)))
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if postgres is not None:
            postgres.stop()
        home.leave()


def _as_interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


async def _run(supervisor: Supervisor) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, supervisor.stop)
    await supervisor.run()
