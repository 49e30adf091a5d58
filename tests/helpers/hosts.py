"""Machines on one wire: network namespaces joined by a bridge, which lies in a namespace of its own.

Every address is inside namespaces that are made here and removed here; the machine's own network is not touched.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest

NETWORK = "10.77.0"
CLONE_NEWNET = 0x40000000


def need_hosts() -> None:
    """Skip where namespaces cannot be made."""
    if os.geteuid() != 0:
        pytest.skip("network namespaces need root")
    if shutil.which("ip") is None:
        pytest.skip("`ip` is not installed (apt-get install iproute2)")
    probe = f"ls{uuid4().hex[:8]}"
    if subprocess.run(["ip", "netns", "add", probe], capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us make network namespaces")
    subprocess.run(["ip", "netns", "del", probe], check=True)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)


class Host:
    """One machine: a namespace with one address."""

    def __init__(self, namespace: str, number: int) -> None:
        self.namespace = namespace
        self.address = f"{NETWORK}.{number}"

    @contextmanager
    def inside(self) -> Iterator[None]:
        """This thread, and what it starts meanwhile, is on that machine."""
        libc = ctypes.CDLL(None, use_errno=True)
        with Path("/proc/thread-self/ns/net").open() as home, Path(f"/run/netns/{self.namespace}").open() as there:
            _move(libc, there.fileno())
            try:
                yield
            finally:
                _move(libc, home.fileno())

    def spawn(self, command: list[str], environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as output:
            return subprocess.Popen(
                ["ip", "netns", "exec", self.namespace, *command],
                env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip


def _move(libc: ctypes.CDLL, descriptor: int) -> None:
    if libc.setns(descriptor, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


class Wire:
    """`count` machines at 10.77.0.1 and up, and `guest`, where everybody outside is."""

    def __init__(self, count: int) -> None:
        run = f"ls{uuid4().hex[:8]}"
        self.switch = f"{run}-switch"
        self.hosts = [Host(f"{run}-{number}", number) for number in range(1, count + 1)]
        self.guest = Host(f"{run}-guest", 200)
        self._made: list[str] = []

    def make(self) -> None:
        self._add(self.switch)
        _ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        _ip("-n", self.switch, "link", "set", "bridge", "up")
        for number, host in enumerate([*self.hosts, self.guest]):
            self._add(host.namespace)
            port = f"port{number}"
            _ip("-n", host.namespace, "link", "add", "wire", "type", "veth", "peer", "name", port, "netns", self.switch)
            _ip("-n", self.switch, "link", "set", port, "master", "bridge", "up")
            _ip("-n", host.namespace, "addr", "add", f"{host.address}/24", "dev", "wire")
            for link in ("lo", "wire"):
                _ip("-n", host.namespace, "link", "set", link, "up")

    def _add(self, namespace: str) -> None:
        _ip("netns", "add", namespace)
        self._made.append(namespace)

    def remove(self) -> None:
        for namespace in reversed(self._made):
            subprocess.run(["ip", "netns", "del", namespace], check=False, capture_output=True)


class Plane:
    """One process of the house on one machine, as an init system keeps it: started again whenever it is killed."""

    def __init__(self, host: Host, name: str, environment: Mapping[str, str], folder: Path) -> None:
        self.host, self.name = host, name
        self._environment = environment
        self.log = folder / f"{host.address}-{name}.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "livestall.app.cli", self.name]
        self.process = self.host.spawn(command, self._environment, self.log)

    def kill(self) -> None:
        """kill -9, without a word."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None
