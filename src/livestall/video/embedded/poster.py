"""Preview pictures. A child process decodes one keyframe at a time: whatever strangers' video does to a decoder, the
show goes on. The child ends with the parent, when its input closes."""

from __future__ import annotations

import asyncio
import io
import struct
import sys
from typing import BinaryIO

import structlog

log = structlog.get_logger()
WIDTH = 540
QUALITY = 78
PAINT_SECONDS_MAX = 10.0
KEYFRAME_BYTES_MAX = 8 << 20


class Painter:
    """Paints JPEGs from keyframes (Annex B), one after another."""

    def __init__(self) -> None:
        self._child: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def paint(self, keyframe: bytes) -> bytes | None:
        """A JPEG 540 pixels wide; None when the picture cannot be decoded."""
        if len(keyframe) > KEYFRAME_BYTES_MAX:
            return None
        async with self._turn:
            try:
                async with asyncio.timeout(PAINT_SECONDS_MAX):
                    return await self._ask(keyframe)
            except (TimeoutError, OSError, asyncio.IncompleteReadError) as error:
                log.warning("a preview could not be painted", error=repr(error))
                await self.stop()
                return None

    async def _ask(self, keyframe: bytes) -> bytes | None:
        if self._child is None or self._child.returncode is not None:
            self._child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "livestall.video.embedded.poster",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
        child = self._child
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(struct.pack(">I", len(keyframe)) + keyframe)
        await child.stdin.drain()
        (length,) = struct.unpack(">I", await child.stdout.readexactly(4))
        return await child.stdout.readexactly(length) if length else None

    async def stop(self) -> None:
        child, self._child = self._child, None
        if child is not None and child.returncode is None:
            child.kill()
            await child.wait()


def to_jpeg(keyframe: bytes) -> bytes:
    """Decode one keyframe. Raises av.FFmpegError or ValueError."""
    import av

    decoder = av.CodecContext.create("h264", "r")
    decoder.thread_count = 1
    frames = [*decoder.decode(av.Packet(keyframe)), *decoder.decode(None)]
    if not frames:
        raise ValueError("no picture")
    frame = frames[-1]
    width = min(WIDTH, frame.width)
    picture = frame.reformat(width=width, height=max(2, frame.height * width // frame.width)).to_image()
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _serve(source: BinaryIO, sink: BinaryIO) -> None:
    import av.error
    import av.logging

    av.logging.set_level(None)
    while len(head := source.read(4)) == 4:
        (length,) = struct.unpack(">I", head)
        keyframe = source.read(length)
        try:
            picture = to_jpeg(keyframe)
        except (av.error.FFmpegError, ValueError):
            picture = b""
        sink.write(struct.pack(">I", len(picture)) + picture)
        sink.flush()


if __name__ == "__main__":
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve(sys.stdin.buffer, sys.stdout.buffer)
