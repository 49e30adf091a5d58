"""One person's socket: ticket, hello, commands. Every command is answered exactly once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol
from uuid import UUID

import msgspec
import structlog
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from livestall.base import faults, trace
from livestall.base.errors import Refusal, TooMany, Unavailable
from livestall.base.http import Problem
from livestall.base.metrics import Counter
from livestall.live import frames
from livestall.live.channels import Channels
from livestall.live.commands import Asked, Heard, Said, Swift
from livestall.live.hub import Edge, Hub, Reader
from livestall.live.model import Bucket, Caller, MessageTooLarge, NotUnderstood, Settings, TooFast
from livestall.live.tickets import Tickets
from livestall.live.upgrades import Deadline, Doorstep, forget_upgrade

log = structlog.get_logger()
BYES = Counter("livestall_socket_byes_total", "Connections that were told why they are closed", ["code"])
BYE_RETRY_SECONDS = 2.0
BYE_SECONDS = 1.0
ANSWER_SECONDS = 3.0
TEXT, PING, PONG, CLOSE = WSMsgType.TEXT, WSMsgType.PING, WSMsgType.PONG, WSMsgType.CLOSE


class Envelope(msgspec.Struct, frozen=True):
    type: str
    id: UUID | None = None
    last_seq: int | None = None
    at: float | None = None
    traceparent: str | None = None


_decode = msgspec.json.Decoder(Envelope).decode

BUG_EN = "Something broke on our side and was recorded. Try again."
BUG_ZH = "系统出错，已记录。请稍后重试。"


class Server(Protocol):
    """What a connection needs of the server that it belongs to (`live.socket`)."""

    hub: Hub
    channels: Channels
    tickets: Tickets
    settings: Settings
    doorstep: Doorstep
    connections: set[Connection]
    swift: dict[str, Swift]
    heard: Heard

    def came(self, connection: Connection, payload: bytes) -> None: ...
    def answer(self, reader: Reader, payload: bytes) -> None: ...
    def refuse(self, reader: Reader, command_id: UUID, refusal: Refusal, locale: str) -> None: ...
    def refused_unheard(self, code: str) -> None: ...
    def send_answers(self) -> None: ...
    def takes(self, kind: str) -> None: ...
    def read_command(self, kind: str, payload: bytes) -> tuple[Callable[..., Awaitable[Any]], Any]: ...
    def keep(self, task: asyncio.Task[Any]) -> None: ...


class Connection(WSListener):
    """One person's socket."""

    def __init__(self, server: Server, channel: UUID, ticket: str, locale: str, edge: Edge) -> None:
        super().__init__()
        self._server = server
        self._channel, self._ticket, self._edge = channel, ticket, edge
        self._locale = locale
        self._caller: Caller | None = None
        self._reader: Reader | None = None
        self._transport: WSTransport | None = None
        self._bucket = Bucket(server.settings.commands_per_second, server.settings.commands_burst)
        self._frame_bytes, self._waiting_max = server.settings.frame_bytes, server.settings.commands_waiting
        self._under_way: set[asyncio.Task[None]] = set()
        self._started = 0
        self._quiet: asyncio.Future[None] | None = None
        self._refused = 0
        self._deadline: Deadline | None = None
        self._awaited = True  # a hello, later a sign of life; false as soon as a frame has come, read or not
        self._saying_bye = False

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        forget_upgrade(transport)
        server = self._server
        self._reader = reader = Reader(transport.underlying_transport, self._edge, server.settings)
        reader.on_drained = self._drained
        reader.on_resync = self._resync
        server.connections.add(self)
        server.doorstep.left(transport.underlying_transport)
        server.hub.readers += 1
        if len(server.connections) > server.settings.connections:
            self.bye(TooMany(retry_after_seconds=5), WSCloseCode.TRY_AGAIN_LATER, 5 + 10 * (id(self) % 97) / 97)
            return
        try:
            self._caller = server.tickets.read(self._ticket, self._channel)
            self._locale = self._caller.locale or self._locale
            self._ticket = ""
        except Refusal as refusal:
            self.bye(refusal, WSCloseCode.POLICY_VIOLATION, -1)
            return
        self._deadline = Deadline(server.settings.hello_seconds, self._late)

    def _late(self) -> None:
        if self._awaited:  # else a frame waits to be read, and will be judged then
            self._no_hello()

    def send_user_specific_ping(self, transport: WSTransport) -> None:
        """Called by picows when nothing came for a while. Whether somebody answers is judged here: picows drops them as
        soon as its timer runs out, though after a stop of this process their pong may lie in the socket, unread."""
        asyncio.get_running_loop().call_soon(transport.notify_user_specific_pong_received)
        if self._deadline is not None:
            return
        if self._awaited:  # asked before, and nothing came since, though picows has let the sockets be read again
            transport.send_close(WSCloseCode.GOING_AWAY, "no sign of life")
            transport.underlying_transport.abort()  # no answer is waited for: there will be none
            return
        self._awaited = True
        transport.send_ping()

    def is_user_specific_pong(self, frame: WSFrame) -> bool:  # noqa: ARG002 - picows names it
        """Every pong comes to `on_ws_frame`: one that picows took for itself would be no sign of life to us. It may be
        there before picows hears that we wait for it ourselves."""
        return False

    def _no_hello(self) -> None:
        self.bye(NotUnderstood(reason="say hello first"), WSCloseCode.POLICY_VIOLATION, BYE_RETRY_SECONDS)

    def on_ws_disconnected(self, transport: WSTransport) -> None:  # noqa: ARG002 - picows names it
        if self._deadline is not None:
            self._deadline.cancel()
        server = self._server
        if self in server.connections:
            server.connections.discard(self)
            server.hub.readers -= 1
        if self._reader is not None:
            server.hub.left(self._reader)
            server.channels.leave(self._channel, self._reader)
            self._transport = self._reader.on_drained = self._reader.on_resync = None  # else a ring, kept until gc runs

    def pause_writing(self) -> None:
        if self._reader is not None:
            self._server.hub.paused(self._reader)

    def resume_writing(self) -> None:
        if self._reader is not None:
            self._server.hub.resumed(self._reader)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        kind = frame.msg_type
        plain = kind is TEXT and frame.fin and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
        if plain and frame.payload_size <= self._frame_bytes and not self._saying_bye:
            self._awaited = False
            self._server.came(self, frame.get_payload_as_bytes())
            return
        if self._deadline is None:
            self._awaited = False
        if kind is CLOSE:
            if not self._saying_bye:
                transport.send_close(frame.get_close_code())
            transport.disconnect()
            return
        if kind is PING and not self._saying_bye:
            self._pong(transport, frame)
        if kind is PING or kind is PONG or self._saying_bye:
            return
        refusal, code = self._wrong(frame)
        self.bye(refusal, code, BYE_RETRY_SECONDS)

    def read(self, payload: bytes) -> None:
        """Take what a frame said."""
        if self._saying_bye:
            return
        said = self._server.heard.find(payload)
        if said is not None and self._deadline is None:
            if self._may(said[1]):
                self._start(said)
            return
        try:
            payload.decode()  # all of it is UTF-8, also the parts that no field reads
            envelope = _decode(payload)
        except UnicodeDecodeError:
            self.bye(NotUnderstood(reason="text is UTF-8"), WSCloseCode.INVALID_TEXT, BYE_RETRY_SECONDS)
        except msgspec.MsgspecError as error:
            self.bye(NotUnderstood(reason=faults.of_error(error)), WSCloseCode.POLICY_VIOLATION, BYE_RETRY_SECONDS)
        else:
            self._take(envelope, payload)

    def _pong(self, transport: WSTransport, frame: WSFrame) -> None:
        """Answer a ping, at the pace of commands; who pings faster than that, again and again, is let go."""
        if self._bucket.take():
            if self._reader is not None and not self._reader.behind:
                transport.send_pong(frame.get_payload_as_bytes())
            return
        self._refused += 1
        if self._refused > self._server.settings.refusals_max:
            self.bye(TooFast(retry_after_seconds=30), WSCloseCode.POLICY_VIOLATION, 30)

    def _wrong(self, frame: WSFrame) -> tuple[Refusal, WSCloseCode]:
        """Why a frame is not one that we read, and the code to close with."""
        if frame.rsv1 or frame.rsv2 or frame.rsv3:
            return NotUnderstood(reason="no extension was agreed"), WSCloseCode.PROTOCOL_ERROR
        if frame.msg_type is not TEXT or not frame.fin:
            return NotUnderstood(reason="send text, each message in one frame"), WSCloseCode.UNSUPPORTED_DATA
        return MessageTooLarge(bytes=self._frame_bytes), WSCloseCode.MESSAGE_TOO_BIG

    def _take(self, envelope: Envelope, payload: bytes) -> None:
        if envelope.type == "hello":
            self._hello(envelope.last_seq)
            return
        if self._deadline is not None:
            self._no_hello()
            return
        if envelope.type == "ping" and envelope.id is None:
            if self._bucket.take():
                self._send(frames.pong(envelope.at))
            return
        if envelope.id is None:
            reason = NotUnderstood(reason="a command carries an id")
            self.bye(reason, WSCloseCode.POLICY_VIOLATION, BYE_RETRY_SECONDS)
            return
        if not self._may(envelope.id):
            return
        swift = self._server.swift.get(envelope.type)
        is_traced = envelope.traceparent is not None and trace.on()
        if swift is not None:
            if is_traced:
                with trace.following(envelope.traceparent or "", "socket command"):
                    self._read_swift(swift, envelope.id, payload)
            else:
                self._read_swift(swift, envelope.id, payload)
            return
        self._server.takes(envelope.type)
        work = self._run(envelope.type, envelope.id, payload)
        if is_traced:
            work = _followed(envelope.traceparent or "", work)
        task = asyncio.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _may(self, command_id: UUID) -> bool:
        """Whether one more command may come from here now; if not, that is answered."""
        if len(self._under_way) + self._started < self._waiting_max and self._bucket.take():
            self._refused = 0
            return True
        self._refuse(command_id, TooFast(retry_after_seconds=1))
        self._refused += 1
        if self._refused > self._server.settings.refusals_max:
            self.bye(TooFast(retry_after_seconds=30), WSCloseCode.POLICY_VIOLATION, 30)
        return False

    def _hello(self, last_seq: int | None) -> None:
        if self._deadline is None:
            return
        self._deadline.cancel()
        self._deadline = None
        self._keep(self._join(last_seq))

    async def _join(self, last_seq: int | None) -> None:
        reader, caller = self._reader, self._caller
        if reader is None or caller is None:
            return
        try:
            await self._server.channels.join(self._channel, reader, last_seq, caller.role)
        except Refusal as refusal:
            self.bye(refusal, WSCloseCode.POLICY_VIOLATION, -1)
        except Exception as error:
            log.error("a reader could not join", channel=str(self._channel), exc_info=error)
            self.bye(Unavailable(), WSCloseCode.INTERNAL_ERROR, 5)

    def _drained(self) -> None:
        if self._reader is not None and self._caller is not None:
            task = self._server.channels.catch_up(self._channel, self._reader, self._caller.role)
            if task is not None:
                self._server.keep(task)

    def _resync(self) -> None:
        self._keep(self._join(None))

    def _keep(self, work: Any) -> None:
        self._server.keep(asyncio.create_task(work))

    async def _run(self, kind: str, command_id: UUID, payload: bytes) -> None:
        caller = self._caller
        if caller is None:
            return
        try:
            run, body = self._server.read_command(kind, payload)
            self._answer(kind, command_id, await run(caller, command_id, body))
        except Exception as error:
            self._answer(kind, command_id, error)

    def _read_swift(self, swift: Swift, command_id: UUID, payload: bytes) -> None:
        try:
            said = swift, command_id, swift.read(payload)
        except msgspec.MsgspecError as error:
            swift.count += 1
            self._refuse(command_id, NotUnderstood(reason=faults.of_error(error)))
        else:
            self._server.heard.keep(payload, said)
            self._start(said)

    def _start(self, said: Said) -> None:
        """A command without a task of its own."""
        swift, command_id, body = said
        swift.count += 1
        self._started += 1
        asked = Asked(self, swift.kind, command_id)
        try:
            swift.start(self._caller, command_id, body, asked)
        except Exception as error:
            asked.end(error)

    def tell(self, command_id: UUID, how_far: Any) -> None:
        """How far a command is."""
        self._send(frames.progress(command_id, how_far))

    def ended(self, kind: str, command_id: UUID, result: Any) -> None:
        """What became of a command without a task."""
        self._started -= 1
        reader = None if self._saying_bye else self._reader
        if not isinstance(result, Exception):
            if reader is not None:
                self._server.answer(reader, frames.answer(command_id, result))
        elif reader is not None and isinstance(result, Refusal):
            self._server.refuse(reader, command_id, result, self._locale)
        else:
            self._answer(kind, command_id, result)
        if self._quiet is not None and not self._started and not self._quiet.done():
            self._quiet.set_result(None)

    def _answer(self, kind: str, command_id: UUID, result: Any) -> None:
        if not isinstance(result, Exception):
            self._send(frames.answer(command_id, result))
        elif isinstance(result, Refusal):
            self._refuse(command_id, result)
        else:
            log.error("command failed", command=kind, exc_info=result)
            detail = BUG_ZH if self._locale.startswith("zh") else BUG_EN
            bug = Problem("/api/problems/bug", "internal error", 500, detail, "bug")
            self._send(frames.refusal(command_id, frames.encode(bug)))

    def _refuse(self, command_id: UUID, refusal: Refusal) -> None:
        if self._reader is not None and not self._saying_bye:
            self._server.refuse(self._reader, command_id, refusal, self._locale)
        else:
            self._server.refused_unheard(refusal.code)

    def _send(self, payload: bytes) -> None:
        if self._reader is not None and not self._saying_bye:
            self._server.hub.send(self._reader, payload)

    async def leave(self, refusal: Refusal, retry_seconds: float) -> None:
        """Say bye once every command under way was answered, at the latest after a few seconds."""
        under_way: set[asyncio.Future[None]] = set(self._under_way)
        if self._started:
            self._quiet = asyncio.get_running_loop().create_future()
            under_way.add(self._quiet)
        if under_way:
            await asyncio.wait(under_way, timeout=ANSWER_SECONDS)
        self.bye(refusal, WSCloseCode.SERVICE_RESTART, retry_seconds)

    def bye(self, refusal: Refusal, code: WSCloseCode, retry_seconds: float) -> None:
        """Say why, and close."""
        if self._saying_bye or self._transport is None or self._reader is None:
            return
        self._server.send_answers()
        BYES.labels(refusal.code).inc()
        sentence = refusal.sentence(self._locale)
        self._send(frames.bye(refusal.code, sentence, retry_seconds))
        self._saying_bye = True
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
        self._server.hub.left(self._reader)
        self._server.channels.leave(self._channel, self._reader)
        # Hanging up on unread bytes would be a reset, and the reason would be lost: the other side gets time to close.
        self._transport.send_close(code, refusal.code)
        asyncio.get_running_loop().call_later(BYE_SECONDS, self._transport.disconnect)


async def _followed(traceparent: str, work: Awaitable[None]) -> None:
    """A command that belongs to a trace: the browser's click."""
    with trace.following(traceparent, "socket command"):
        await work
