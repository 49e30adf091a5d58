"""What others do with the same room: each a server with one room and one message of 200 bytes, and how to start it.

Every one of them is given its usual way to be quick: uvloop, no compression, no log, one process on one core.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from _harness import free_port, running

HERE = Path(__file__).parent
NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
NGINX = """
load_module {module};
daemon off; worker_processes 1; pid {folder}/pid; error_log {folder}/error crit; {user}
worker_rlimit_nofile 20000;
events {{ worker_connections 19000; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  nchan_shared_memory_size 256M;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location = /room {{ nchan_subscriber websocket; nchan_channel_id room; nchan_message_buffer_length 64; }}
    location = /say {{ nchan_publisher; nchan_channel_id room; nchan_message_buffer_length 64; }}
  }}
}}
"""
POST = "POST /say HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 200\r\n\r\n" + "x" * 200


@dataclass(frozen=True)
class Other:
    """A server: how many sockets it is given, the path of its room, what a viewer and the speaker say first and later,
    and `command(port, stack)`, which may start what it needs beside it."""

    name: str
    sockets: int
    path: str
    hello: str
    say: str
    command: Callable[[int, ExitStack], list[str]]
    missing: str = ""
    note: str = ""
    seconds: float = 5.0
    """How long it is measured: who needs a second for one broadcast delivers in bursts."""


@contextmanager
def redis() -> Generator[int]:
    """Debian's Redis on a free port, on the load's core, keeping nothing; yields the port."""
    port = free_port()
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--loglevel", "warning"]
    with running(1, command, port, stdout=subprocess.DEVNULL):
        yield port


def _socketio(port: int, _stack: ExitStack) -> list[str]:
    return [sys.executable, str(HERE / "socketio_room.py"), str(port)]


def _channels(port: int, _stack: ExitStack) -> list[str]:
    return [sys.executable, str(HERE / "channels_room.py"), str(port)]


def _channels_redis(port: int, stack: ExitStack) -> list[str]:
    return [*_channels(port, stack), str(stack.enter_context(redis()))]


def _nchan(port: int, stack: ExitStack) -> list[str]:
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    (folder / "nginx.conf").write_text(NGINX.format(module=NCHAN, folder=folder, port=port, user=user))
    return ["nginx", "-p", str(folder), "-e", str(folder / "error"), "-c", str(folder / "nginx.conf")]


def _lacks(*modules: str) -> str:
    return next((f"{one} is not installed" for one in modules if find_spec(one) is None), "")


def others(sockets: int, few: int) -> list[Other]:
    """All of them; those that cannot bear `sockets` are given `few`."""
    nginx = "" if shutil.which("nginx") and NCHAN.exists() else "nginx with nchan (Debian's package) is not installed"
    no_redis = "" if shutil.which("redis-server") else "redis-server is not installed"
    return [
        Other("nginx with nchan", sockets, "/room", "", POST, _nchan, nginx, "published over HTTP", seconds=2.5),
        Other(
            "python-socketio on uvicorn", sockets, "/socket.io/?EIO=4&transport=websocket", "40", '42["say"]',
            _socketio, _lacks("socketio"),
        ),
        Other(
            "Django Channels, Redis", sockets, "/", "hello", "say", _channels_redis,
            _lacks("channels", "channels_redis") or no_redis, "Redis on the load's core",
        ),
        Other("Django Channels, in memory", few, "/", "hello", "say", _channels, _lacks("channels")),
    ]  # fmt: skip
