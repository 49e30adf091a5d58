"""An encoder of our own for the tests: real media over real RTMP, with timestamps and tags as broken as wanted."""

from __future__ import annotations

import asyncio
import os
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import imageio_ffmpeg

from helpers.patience import PATIENCE_SECONDS
from livestall.video.embedded import amf
from livestall.video.embedded.chunks import ChunkReader

AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
CHUNK = 65536


class Tag(NamedTuple):
    kind: int
    ms: int
    body: bytes

    @property
    def header(self) -> bool:
        """A codec's configuration, not media."""
        return self.kind != DATA and self.body[1] == 0

    @property
    def key(self) -> bool:
        return self.kind == VIDEO and self.body[0] >> 4 == 1


@cache
def film(
    seconds: int = 20, gop_seconds: float = 1.0, size: str = "160x90", rate: int = 20, keyframes: str = ""
) -> tuple[Tag, ...]:
    """Test picture and tone as FLV tags, in the order of an encoder. `keyframes`: besides those of each group, at these
    seconds, such as "0,12"."""
    gop = str(round(gop_seconds * rate))
    forced = ["-force_key_frames", keyframes] if keyframes else []
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}",
        "-f", "lavfi", "-i", "sine=frequency=440:sample_rate=48000", "-t", str(seconds), "-c:v", "libx264", "-preset",
        "ultrafast", "-tune", "zerolatency", "-threads", "1", "-g", gop, "-keyint_min", gop, "-sc_threshold", "0",
        *forced, "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k", "-f", "flv", "-flvflags", "no_duration_filesize",
        "-",
    ]  # fmt: skip
    return tuple(_tags(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout))


def _tags(flv: bytes) -> Iterator[Tag]:
    at = 13
    while at + 11 <= len(flv):
        size = int.from_bytes(flv[at + 1 : at + 4], "big")
        ms = int.from_bytes(flv[at + 4 : at + 7], "big") | flv[at + 7] << 24
        yield Tag(flv[at], ms, flv[at + 11 : at + 11 + size])
        at += 11 + size + 4


class Encoder:
    """Connects and publishes; `said` collects what the server tells it in onStatus: (code, description)."""

    def __init__(self, port: int, key: str) -> None:
        self._port, self._key = port, key
        self.said: list[tuple[str, str]] = []
        self.closed = False
        self._answered = asyncio.Event()
        self._reader_task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        self._in, self._out = await asyncio.open_connection("127.0.0.1", self._port)
        self._out.write(b"\3" + os.urandom(1536))
        answer = await self._in.readexactly(1 + 1536 * 2)
        self._out.write(answer[1:1537])
        self._send(2, 1, 0, struct.pack(">I", CHUNK))
        self._send(3, COMMAND, 0, amf.encode("connect", 1.0, {"app": "live", "tcUrl": "rtmp://x/live"}))
        self._send(3, COMMAND, 0, amf.encode("createStream", 2.0, None))
        self._send(3, COMMAND, 0, amf.encode("publish", 3.0, None, self._key, "live"), stream=1)
        self._reader_task = asyncio.create_task(self._listen())
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self._answered.wait()

    async def _listen(self) -> None:
        chunks = ChunkReader(1 << 20)
        with suppress(ConnectionError):
            while data := await self._in.read(65536):
                for message in chunks.feed(data):
                    values = amf.decode(message.body) if message.kind == COMMAND else []
                    if values[:1] == ["onStatus"]:
                        self.said.append((values[3]["code"], values[3]["description"]))
                        self._answered.set()
        self.closed = True
        self._answered.set()

    def _send(self, chunk_stream: int, kind: int, ms: int, body: bytes, stream: int = 0) -> None:
        ms &= 0xFFFFFFFF
        extended = struct.pack(">I", ms) if ms >= 0xFFFFFF else b""
        head = bytes([chunk_stream]) + min(ms, 0xFFFFFF).to_bytes(3, "big") + len(body).to_bytes(3, "big")
        out = bytearray(head + bytes([kind]) + struct.pack("<I", stream) + extended)
        step = 128 if kind == 1 else CHUNK
        for at in range(0, max(1, len(body)), step):
            if at:
                out += bytes([0xC0 | chunk_stream]) + extended
            out += body[at : at + step]
        self._out.write(out)

    def tag(self, tag: Tag) -> None:
        self._send({AUDIO: 4, VIDEO: 6}.get(tag.kind, 5), tag.kind, tag.ms, tag.body, stream=1)

    async def push(self, tags: tuple[Tag, ...], change: Callable[[Tag], Tag | None], seconds: float) -> None:
        """Send `tags` at the pace of their true times, as `change` makes them (None: left out)."""
        start = time.monotonic()
        for tag in tags:
            if tag.ms > seconds * 1000 or self.closed:
                return
            await asyncio.sleep(max(0.0, start + tag.ms / 1000 - time.monotonic()))
            changed = change(tag)
            if changed is not None:
                self.tag(changed)
                with suppress(ConnectionError):
                    await self._out.drain()

    async def close(self) -> None:
        if self._reader_task is not None:
            self._reader_task.cancel()
        self._out.close()
        with suppress(ConnectionError, asyncio.CancelledError):
            await self._out.wait_closed()


def on_data(values: dict[str, Any]) -> bytes:
    return amf.encode("@setDataFrame", "onMetaData", values)
