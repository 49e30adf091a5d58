"""RTMP ingest: one asyncio protocol per connection, strict and bounded. Speaks only to publishers."""

from __future__ import annotations

import asyncio
import os
import struct
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import structlog

from livestall.video.embedded import amf, chunks, metrics
from livestall.video.embedded.chunks import ChunkReader, Message, ProtocolError
from livestall.video.embedded.flv import BadVideo, Refused

log = structlog.get_logger()
VERSION = 3
HANDSHAKE_BYTES = 1536
WINDOW_BYTES = 2_500_000
OUT_CHUNK_BYTES = 4096
STRANGER_BYTES_MAX = 64 * 1024
MESSAGE_BYTES_MAX = 8 << 20
STRANGER_SECONDS = 10.0
FAREWELL_SECONDS = 1.0
"""So long a refused encoder may go on sending unheard: a reset would take the sentence away from it."""
BURST_SECONDS = 8.0
ACK, USER, WINDOW, BANDWIDTH, AUDIO, VIDEO = 3, 4, 5, 6, 8, 9
DATA3, COMMAND3, DATA, COMMAND, AGGREGATE = 15, 17, 18, 20, 22


class Sink(Protocol):
    """Where an accepted publisher's media goes."""

    declared_kbps: float

    def metadata(self, values: dict[str, Any]) -> None: ...

    def video(self, timestamp: int, tag: bytearray) -> None: ...

    def audio(self, timestamp: int, tag: bytearray) -> None: ...

    def throttled(self, kbps: float) -> None: ...

    def refused(self, error: Exception) -> None: ...

    def end(self, reason: str) -> None: ...


Admit = Callable[["RtmpConnection", str, str], Awaitable[Sink]]
"""(connection, app, key) → the sink. Raises NotAdmitted."""


class NotAdmitted(Exception):
    """The publisher is turned away; the sentence goes to its log."""


class RtmpConnection(asyncio.Protocol):
    def __init__(self, admit: Admit, *, idle_seconds: float, kbps_max: int) -> None:
        self._admit = admit
        self._idle_seconds = idle_seconds
        self._kbps_max = kbps_max
        self._reader = ChunkReader(STRANGER_BYTES_MAX)
        self._handshake = bytearray()
        self._stage = 0
        self._app = ""
        self._sink: Sink | None = None
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._transport: Any = None
        self._received = self._acknowledged = 0
        self._window = WINDOW_BYTES // 2
        self._credit = 0.0
        self._throttled = False
        self._closed = self._deaf = False
        self.peer = ""

    # ------------------------------------------------------- connection

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self.peer = str((transport.get_extra_info("peername") or ("",))[0])
        self._opened = self._heard = self._credit_at = self._loop.time()
        self._timer = self._loop.call_later(1.0, self._watch)

    def connection_lost(self, exc: Exception | None) -> None:
        self._closed = True
        if self._timer:
            self._timer.cancel()
        self._end("the connection was lost" if exc else "the encoder disconnected")

    def _watch(self) -> None:
        now = self._loop.time()
        if self._deaf:
            return
        if self._sink is None and self._task is None and now - self._opened > STRANGER_SECONDS:
            self._abort("no stream was published")
        elif not self._throttled and now - self._heard > self._idle_seconds:
            metrics.REFUSED.labels("silent" if self._sink else "stranger").inc()
            if self._sink is not None:
                self._sink.refused(Refused("the encoder is connected but sends neither picture nor sound"))
            self._abort("nothing arrived for a while")
        else:
            self._timer = self._loop.call_later(1.0, self._watch)

    def _end(self, reason: str) -> None:
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.end(reason)

    def _abort(self, reason: str) -> None:
        self._end(reason)
        if not self._closed:
            self._transport.abort()

    def close(self, reason: str) -> None:
        """Throw the publisher out; its sink hears nothing more."""
        self._sink = None
        log.debug("publisher thrown out", peer=self.peer, reason=reason)
        if not self._closed:
            self._transport.abort()

    # ------------------------------------------------------------- bytes

    def data_received(self, data: bytes) -> None:
        if self._closed or self._deaf:
            return
        if self._sink is None:  # a publisher is heard by its media alone
            self._heard = self._loop.time()
        self._received += len(data)
        if self._received - self._acknowledged >= self._window:
            self._acknowledged = self._received
            self._send(2, ACK, 0, struct.pack(">I", self._received & 0xFFFFFFFF))
        self._pace(len(data))
        try:
            self._take(data)
        except (ProtocolError, amf.BadAmf, IndexError, struct.error) as error:
            # Scanners and health checks knock all day: only a real publisher's trouble is worth a line.
            (log.warning if self._sink else log.debug)("not RTMP", peer=self.peer, error=str(error))
            metrics.REFUSED.labels("protocol").inc()
            self._abort("the encoder sent something that is not RTMP")
        except (Refused, BadVideo) as error:
            self._refuse(error)

    def _refuse(self, error: Refused | BadVideo) -> None:
        """Tell the encoder why, and let it go on for a moment: it must have time to read that."""
        log.warning("publisher refused", peer=self.peer, reason=str(error))
        metrics.REFUSED.labels(error.warning.code if isinstance(error, Refused) else "bad-stream").inc()
        self._status(1, "error", "NetStream.Publish.Rejected", str(error))
        if self._sink is not None:
            self._sink.refused(error)
        self._end(str(error))
        self._deaf = True
        self._loop.call_later(FAREWELL_SECONDS, self._transport.close)

    def _pace(self, count: int) -> None:
        """Read no faster than about one and a half times what the encoder declared, after a generous burst."""
        now = self._loop.time()
        declared = self._sink.declared_kbps if self._sink else 0.0
        kbps = min(max(declared * 1.5, 3000.0), self._kbps_max) if declared else self._kbps_max
        rate = kbps * 125
        self._credit = min(self._credit + (now - self._credit_at) * rate, rate * BURST_SECONDS)
        self._credit_at = now
        self._credit -= count
        if self._credit < -rate * BURST_SECONDS and not self._throttled:
            self._throttled = True
            if self._sink is not None:
                self._sink.throttled(round(kbps))
            self._transport.pause_reading()
            self._loop.call_later(1.0, self._resume)

    def _resume(self) -> None:
        self._throttled = False
        self._heard = self._loop.time()
        if not self._closed and self._task is None:
            self._transport.resume_reading()

    def _take(self, data: bytes) -> None:
        if self._stage < 2:
            data = self._shake_hands(data)
        if self._stage == 2 and data:
            for message in self._reader.feed(data):
                if self._closed:
                    return
                self._message(message)

    def _shake_hands(self, data: bytes) -> bytes:
        """The two steps of the plain handshake; returns what follows it."""
        self._handshake += data
        if self._stage == 0:
            if self._handshake[0] != VERSION:
                raise ProtocolError(f"version {self._handshake[0]}")
            if len(self._handshake) < 1 + HANDSHAKE_BYTES:
                return b""
            theirs = bytes(self._handshake[1 : 1 + HANDSHAKE_BYTES])
            del self._handshake[: 1 + HANDSHAKE_BYTES]
            self._transport.write(bytes([VERSION]) + bytes(8) + os.urandom(HANDSHAKE_BYTES - 8) + theirs)
            self._stage = 1
        if len(self._handshake) < HANDSHAKE_BYTES:
            return b""
        rest = bytes(self._handshake[HANDSHAKE_BYTES:])
        self._handshake.clear()
        self._stage = 2
        return rest

    # ---------------------------------------------------------- messages

    def _message(self, message: Message) -> None:
        kind, body, sink = message.kind, message.body, self._sink
        if kind == VIDEO and sink:
            self._heard = self._loop.time()
            sink.video(message.timestamp, body)
        elif kind == AUDIO and sink:
            self._heard = self._loop.time()
            sink.audio(message.timestamp, body)
        elif kind in {COMMAND, COMMAND3}:
            self._command(amf.decode(body if kind == COMMAND else body[1:]), message.stream)
        elif kind in {DATA, DATA3} and sink:
            values = amf.decode(body if kind == DATA else body[1:])
            if values[:1] == ["@setDataFrame"] and isinstance(values[-1], dict):
                sink.metadata(values[-1])
        elif kind == WINDOW and len(body) >= 4:
            self._window = max(65536, int.from_bytes(body[:4], "big") // 2)
        elif kind == USER and bytes(body[:2]) == b"\0\x06":
            self._send(2, USER, 0, b"\0\x07" + bytes(body[2:6]))
        elif kind == AGGREGATE:
            self._aggregate(message)

    def _aggregate(self, message: Message) -> None:
        body, at, base = message.body, 0, None
        while at + 11 <= len(body):
            length = int.from_bytes(body[at + 1 : at + 4], "big")
            when = int.from_bytes(body[at + 4 : at + 7], "big") | body[at + 7] << 24
            base = when if base is None else base
            inner = body[at + 11 : at + 11 + length]
            if body[at] in {AUDIO, VIDEO}:
                timestamp = (message.timestamp + when - base) & 0xFFFFFFFF
                self._message(Message(body[at], timestamp, message.stream, inner))
            at += 11 + length + 4

    def _command(self, values: list[Any], stream: int) -> None:
        name = values[0] if values else ""
        number = values[1] if len(values) > 1 and isinstance(values[1], int | float) else 0
        if name == "connect":
            self._connect(values, number)
        elif name == "createStream":
            self._call(0, "_result", number, None, 1)
        elif name in {"releaseStream", "FCPublish", "getStreamLength", "_checkbw"}:
            self._call(0, "_result", number, None, None)
        elif name == "publish":
            key = values[3] if len(values) > 3 and isinstance(values[3], str) else ""
            if self._sink is None and self._task is None:
                self._transport.pause_reading()
                self._task = self._loop.create_task(self._publish(key, stream))
        elif name in {"deleteStream", "closeStream", "FCUnpublish"}:
            self._end("the encoder stopped")
        elif name == "play":
            self._status(stream, "error", "NetStream.Play.Failed", "this address takes streams in; watch by HLS")
            self._transport.close()

    def _connect(self, values: list[Any], number: float) -> None:
        options = values[2] if len(values) > 2 and isinstance(values[2], dict) else {}
        self._app = str(options.get("app", "")).strip("/")
        self._send(2, WINDOW, 0, struct.pack(">I", WINDOW_BYTES))
        self._send(2, BANDWIDTH, 0, struct.pack(">IB", WINDOW_BYTES, 2))
        self._send(2, chunks.SET_CHUNK_SIZE, 0, struct.pack(">I", OUT_CHUNK_BYTES))
        information = {
            "level": "status",
            "code": "NetConnection.Connect.Success",
            "description": "Connection succeeded.",
            "objectEncoding": 0,
        }
        self._call(0, "_result", number, {"fmsVer": "FMS/3,5,7,7009", "capabilities": 31}, information)

    async def _publish(self, key: str, stream: int) -> None:
        sink, reason = None, "the market cannot be reached; try again in a moment"
        try:
            sink = await self._admit(self, self._app, key)
        except NotAdmitted as refusal:
            reason = str(refusal)
        except Exception:
            log.exception("admitting a publisher failed")
        self._task = None
        if self._closed:
            if sink is not None:
                sink.end("the encoder disconnected")
            return
        if sink is None:
            metrics.REFUSED.labels("key").inc()
            self._status(stream, "error", "NetStream.Publish.BadName", reason)
            self._transport.close()
            return
        self._sink = sink
        self._reader.message_bytes_max = MESSAGE_BYTES_MAX
        self._heard = self._loop.time()
        self._send(2, USER, 0, struct.pack(">HI", 0, stream))
        self._status(stream, "status", "NetStream.Publish.Start", "publishing")
        if not self._throttled:
            self._transport.resume_reading()

    # ----------------------------------------------------------- answers

    def _status(self, stream: int, level: str, code: str, description: str) -> None:
        self._call(stream, "onStatus", 0, None, {"level": level, "code": code, "description": description})

    def _call(self, stream: int, *values: object) -> None:
        self._send(3, COMMAND, stream, amf.encode(*values))

    def _send(self, chunk_stream: int, kind: int, stream: int, body: bytes) -> None:
        if not self._closed:
            self._transport.write(chunks.write(chunk_stream, kind, stream, body, OUT_CHUNK_BYTES))
