"""Clients that mean harm, or are simply broken, written on bare sockets: no library of theirs keeps a rule."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from typing import Any
from uuid import UUID

from helpers.patience import PATIENCE_SECONDS

MASK = b"\0\0\0\0"


def request(path: str, ticket: str) -> bytes:
    return ask_upgrade(f"{path}?ticket={ticket}")


def ask_upgrade(target: str) -> bytes:
    """What a browser sends to open a socket at `target`, which carries its ticket."""
    key = base64.b64encode(os.urandom(16)).decode()
    return (
        f"GET {target} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def frame(payload: bytes, opcode: int = 1, *, fin: bool = True) -> bytes:
    """A masked frame (with a mask of zeros)."""
    first = bytes([(0x80 if fin else 0) | opcode])
    if len(payload) < 126:
        return first + bytes([0x80 | len(payload)]) + MASK + payload
    return first + b"\xfe" + len(payload).to_bytes(2, "big") + MASK + payload


class Bare:
    """A connected socket that reads only when asked to."""

    def __init__(self, *, window_bytes: int = 0) -> None:
        self.sock = socket.socket()
        if window_bytes:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1400)
        self.sock.setblocking(False)

    async def connect(self, port: int, host: str = "127.0.0.1") -> Bare:
        await asyncio.get_running_loop().sock_connect(self.sock, (host, port))
        return self

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.sock, data)

    async def read(self, size: int = 65_536, seconds: float = PATIENCE_SECONDS) -> bytes:
        """What comes next; empty at the end."""
        async with asyncio.timeout(seconds):
            try:
                return await asyncio.get_running_loop().sock_recv(self.sock, size)
            except ConnectionError:
                return b""

    async def read_all(self, seconds: float = PATIENCE_SECONDS) -> bytes:
        """Everything until the other side hangs up."""
        got = b""
        while part := await self.read(seconds=seconds):
            got += part
        return got

    async def join(self, wire: Any, channel: UUID, *, hello: bool = True) -> Bare:
        """Upgrade, and say hello; nothing more than the answer to the upgrade is read."""
        await self.connect(wire.port)
        await self.send(request(f"/{channel}", wire.ticket(channel)))
        head = b""
        while b"\r\n\r\n" not in head:
            part = await self.read(1)
            assert part, "hung up during the upgrade"
            head += part
        assert b" 101 " in head, head
        if hello:
            await self.send(frame(b'{"type":"hello"}'))
        return self

    def close(self) -> None:
        self.sock.close()
