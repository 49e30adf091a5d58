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
from livestall.app.keeper import BACKOFF_SECONDS, CALM_SECONDS, Keeper, NotReplaced, Plane, end_group
from livestall.app.migrate import migrate
from livestall.app.postgres import Postgres, PostgresFailed
from livestall.app.reload import Reload
from livestall.app.watch import Watch
from livestall.base import config
from livestall.base.db import Database

log = structlog.get_logger()

STOP_SECONDS = 6
READY_SECONDS_MAX = 60


class CannotStart(RuntimeError):
    """The market cannot start; the message says what a person should do."""


def planes() -> list[Plane]:
    """The processes of a market on one machine, in the order in which they start and are replaced."""
    web, live, media = config.of(settings.Web), config.of(settings.Live), config.of(settings.Media)
    found = [Plane("web", [("LIVESTALL_WEB__PORT", web.host, web.port)], number) for number in range(web.processes)]
    found += [
        Plane("live", [("LIVESTALL_LIVE__PORT", web.host, live.port)], number) for number in range(live.processes)
    ]
    found += [
        Plane(
            "media",
            [
                ("LIVESTALL_MEDIA__PORT", web.host, media.port + number),
                ("LIVESTALL_MEDIA__RTMP_PORT", web.host, media.rtmp_port + number),
            ],
            number,
            own_ports=True,
            carry_seconds=media.leave_seconds,
        )
        for number in range(media.processes)
    ]
    return found + [Plane("work", number=number) for number in range(config.of(settings.Work).processes)]


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


def check_processes(core: settings.Core) -> None:
    """Raises CannotStart when there cannot be as many processes as the settings want."""
    gateways = config.of(settings.Live).processes
    if gateways > 1 and not core.bus_url:
        raise CannotStart(
            f"{gateways} gateways (LIVESTALL_LIVE__PROCESSES) must hear each other: set LIVESTALL_BUS_URL to a Redis, "
            "or run one"
        )


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
        self._keepers: list[Keeper] = []
        self._watch = Watch("serve")
        self._reloading: asyncio.Task[None] | None = None
        self._started = time.monotonic()

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        """Start everything, keep it up, and return when all has ended. Raises CannotStart if it never got ready."""
        keepers = self._keep(planes())
        self._watch.start()
        if self._postgres is not None:
            keepers.append(asyncio.create_task(self._keep_postgres(self._postgres), name="postgres"))
        announcer = asyncio.create_task(self._announce())
        stop = asyncio.create_task(self._stopping.wait())
        try:
            done, _ = await asyncio.wait([*keepers, announcer, stop], return_when=asyncio.FIRST_COMPLETED)
            if announcer in done and announcer.exception() is None:
                keepers += self._keep(self._later)
                await asyncio.wait([*keepers, stop], return_when=asyncio.FIRST_COMPLETED)
            for task in (*keepers, announcer):
                if task.done() and (error := task.exception()) is not None:
                    raise error
        finally:
            tasks = [*keepers, announcer, stop, *([self._reloading] if self._reloading else [])]
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            self._watch.leave()
            await self._end_children()

    def reload(self) -> None:
        """Replace every process by a fresh one, one after the other; a second call while that goes on does nothing."""
        if self._reloading is None or self._reloading.done():
            self._reloading = asyncio.create_task(self._reload(), name="reload")

    async def _reload(self) -> None:
        begin, problem = time.monotonic(), ""
        report = Reload(Path(self._core.data))
        report.write("running")
        try:
            await _migrate_anew(self._environment())
            for keeper in [one for one in self._keepers if one.plane not in self._later]:
                await keeper.replace()
                log.info("replaced", plane=keeper.plane.name, number=keeper.plane.number)
        except NotReplaced as error:
            problem = str(error)
            log.error("the reload stopped half-way; what runs goes on", error=problem)
        except Exception as error:
            problem = repr(error)
            log.exception("the reload stopped half-way; what runs goes on")
        report.write("failed" if problem else "done", seconds=round(time.monotonic() - begin, 2), problem=problem)

    def _keep(self, wanted: Sequence[Plane]) -> list[asyncio.Task[None]]:
        fresh = [Keeper(plane, self._environment) for plane in wanted]
        self._keepers += fresh
        return [asyncio.create_task(keeper.run(), name=keeper.plane.name) for keeper in fresh]

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
                missing |= {one.plane.name for one in self._keepers if not one.is_ready}
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
        children = [child for keeper in self._keepers for child in keeper.children()]
        for child in children:
            with suppress(ProcessLookupError):
                child.process.terminate()
        waits = [asyncio.create_task(child.process.wait()) for child in children]
        if waits:
            await asyncio.wait(waits, timeout=STOP_SECONDS)
        for child in children:
            end_group(child.process.pid)
        await asyncio.gather(*waits)
        for keeper in self._keepers:
            keeper.close()


async def _migrate_anew(environment: dict[str, str]) -> None:
    """Bring the database to the schema of the code as it is on disk now, which may be newer than ours. Raises
    NotReplaced. Migrations are safe while the code before them runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livestall.app.cli", "migrate", env=environment, stdin=asyncio.subprocess.DEVNULL
    )
    if code := await process.wait():
        raise NotReplaced(f"the migration ended with {code}; nothing was replaced, see the log")


def first_ports_taken() -> tuple[str, int] | None:
    return taken_port([port for plane in planes() for port in plane.ports])


def serve(on_ready: Callable[[float, str | None], None], later: Sequence[Plane] = ()) -> None:
    """Run the market of this machine until SIGINT or SIGTERM. Raises CannotStart, NoDatabase,
    PostgresFailed, BadSettings."""
    core = settings.load()
    home = Home(Path(core.data))
    home.enter()
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    postgres: Postgres | None = None
    check_processes(core)
    signal.signal(signal.SIGTERM, _as_interrupt)
    signal.signal(signal.SIGHUP, _as_interrupt)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
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
    loop.add_signal_handler(signal.SIGUSR1, supervisor.reload)
    await supervisor.run()
