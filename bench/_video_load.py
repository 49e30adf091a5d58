"""The other end of a media server, as cheap as it can be: encoders that replay one film, and viewers of LL-HLS.

python bench/_video_load.py push HOST:PORT COUNT NAME…     python bench/_video_load.py watch URL COUNT SECONDS
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import struct
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

CHUNK = 4096
TICK = 0.004
HINT = re.compile(rb'PRELOAD-HINT:TYPE=PART,URI="((\w+)-(\d+)-(\d+)\.m4s)"')


def film(ffmpeg: str, path: Path, seconds: int = 10) -> None:
    """Paint the film: 720p, 30 frames/s, 2 Mbit/s, a keyframe each second, AAC."""
    source = ["-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30", "-f", "lavfi", "-i", "sine=440:sample_rate=48000"]
    encode = [
        "-c:v", "libx264", "-preset", "ultrafast", "-b:v", "2M", "-minrate", "2M", "-maxrate", "2M", "-bufsize", "1M",
        "-x264-params", "nal-hrd=cbr", "-g", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "96k",
    ]  # fmt: skip
    command = [ffmpeg, "-y", "-v", "error", *source, "-t", str(seconds), *encode, "-f", "flv", str(path)]
    subprocess.run(command, check=True)


def tags(flv: bytes) -> list[tuple[int, int, bytes]]:
    """(kind, milliseconds, body) of each tag."""
    found, at = [], 13
    while at + 11 <= len(flv):
        size = int.from_bytes(flv[at + 1 : at + 4], "big")
        found.append((flv[at], int.from_bytes(flv[at + 4 : at + 7], "big"), flv[at + 11 : at + 11 + size]))
        at += 15 + size
    return found


def message(chunk_stream: int, kind: int, ms: int, body: bytes, stream: int) -> bytes:
    """One message, in chunks of OBS's size."""
    head = bytes([chunk_stream]) + (ms & 0xFFFFFF).to_bytes(3, "big") + len(body).to_bytes(3, "big") + bytes([kind])
    following = bytes([0xC0 | chunk_stream])
    return head + struct.pack("<I", stream) + following.join(body[at : at + CHUNK] for at in range(0, len(body), CHUNK))


def words(*values: object) -> bytes:
    """AMF0 of texts, numbers, None and one flat object."""
    out = b""
    for value in values:
        if value is None:
            out += b"\5"
        elif isinstance(value, str):
            out += b"\2" + struct.pack(">H", len(value)) + value.encode()
        elif isinstance(value, float):
            out += b"\0" + struct.pack(">d", value)
        elif isinstance(value, dict):
            pairs = (struct.pack(">H", len(key)) + key.encode() + words(one) for key, one in value.items())
            out += b"\3" + b"".join(pairs) + b"\0\0\x09"
    return out


class Encoder(asyncio.Protocol):
    """Publishes `name`; what the server says is not looked at after the handshake."""

    def __init__(self, name: str, host: str) -> None:
        self._name, self._host = name, host
        self._got = 0
        self.ready = asyncio.Event()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(b"\3" + os.urandom(1536))

    def data_received(self, data: bytes) -> None:
        before, self._got = self._got, self._got + len(data)
        if before < 3073 <= self._got:
            self.transport.write(os.urandom(1536))
            options = {"app": "live", "type": "nonprivate", "tcUrl": f"rtmp://{self._host}/live"}
            self.transport.write(message(2, 1, 0, struct.pack(">I", CHUNK), 0))
            self.transport.write(message(3, 20, 0, words("connect", 1.0, options), 0))
            self.transport.write(message(3, 20, 0, words("createStream", 2.0, None), 0))
            self.transport.write(message(3, 20, 0, words("publish", 3.0, None, self._name, "live"), 1))
            self.ready.set()


async def push(flv: bytes, where: str, names: list[str]) -> None:
    """All encoders in step with the wall clock, the film in a loop, until killed."""
    host, _, port = where.partition(":")
    loop = asyncio.get_running_loop()
    encoders = [
        (await loop.create_connection(lambda name=name: Encoder(name, where), host, int(port)))[1] for name in names
    ]
    await asyncio.gather(*(one.ready.wait() for one in encoders))
    await asyncio.sleep(1.0)
    shots = tags(flv)
    length = max(ms for _, ms, _ in shots) + 33
    headers = [one for one in shots if one[0] != 18 and one[2][1] == 0]
    media = [one for one in shots if one[0] != 18 and one[2][1] != 0]
    for one in encoders:
        one.transport.write(b"".join(message(6 if kind == 9 else 4, kind, 0, body, 1) for kind, _, body in headers))
    start, turn = time.monotonic(), 0
    while True:
        at = 0
        while at < len(media):
            now = (time.monotonic() - start) * 1000 - turn * length
            while at < len(media) and media[at][1] <= now:  # each message is a write of its own, as encoders do it
                kind, ms, body = media[at]
                data = message(6 if kind == 9 else 4, kind, ms + turn * length, body, 1)
                for one in encoders:
                    one.transport.write(data)
                at += 1
            await asyncio.sleep(TICK)
        turn += 1


async def get(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, host: str) -> tuple[int, bytes]:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"[Cc]ontent-[Ll]ength: (\d+)", head)
    return int(head[9:12]), await reader.readexactly(int(length[1]) if length else 0)


async def viewer(url: str, until: float, seen: dict[str, int]) -> None:
    """Follows playlist and parts with blocking reloads, as players do."""
    where = urlsplit(url)
    folder = where.path.rpartition("/")[0]
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    query = ""
    while time.monotonic() < until:
        status, body = await get(reader, writer, f"{where.path}{query}", where.netloc)
        hint = HINT.search(body)
        if status != 200 or hint is None:
            seen["failed"] += 1
            continue
        number, part = hint[3].decode(), hint[4].decode()
        status, body = await get(reader, writer, f"{folder}/{hint[1].decode()}", where.netloc)
        seen["parts" if status == 200 and body else "failed"] += 1
        seen["bytes"] += len(body)
        query = f"?_HLS_msn={number}&_HLS_part={part}"
    writer.close()


async def watch(url: str, count: int, seconds: float) -> None:
    seen = {"parts": 0, "failed": 0, "bytes": 0}
    until = time.monotonic() + seconds
    await asyncio.gather(*(viewer(url, until, seen) for _ in range(count)))
    print(json.dumps(seen))


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "push":
        asyncio.run(push(Path(rest[0]).read_bytes(), rest[1], rest[2:]))
    else:
        asyncio.run(watch(rest[0], int(rest[1]), float(rest[2])))
