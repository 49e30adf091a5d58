"""Asks the market who may publish and tells it what happened; told until it is acknowledged."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from uuid import UUID

import aiohttp
import msgspec
import structlog

from livestall.base import clock, keys
from livestall.video.backends.embedded import SIGNATURE, Beat, BeatTaken, Refused
from livestall.video.backends.port import Server
from livestall.video.embedded.rtmp import NotAdmitted
from livestall.video.model import Grant, Hook, Ingress

log = structlog.get_logger()
ASK_DELAYS = (0.0, 0.3, 0.7, 1.5, 2.5)
TELL_DELAYS = (0.2, 0.5, 1.0, 2.0, 5.0)
QUEUE_MAX = 10_000
READINGS = 10
BEAT_SECONDS, FIRST_BEAT_SECONDS = 3.0, 0.3
TIMEOUT = aiohttp.ClientTimeout(total=5)
UNREACHABLE = "the market cannot be reached at the moment; nothing is wrong with your key, try again in a minute"


class Market:
    """The market as the media process `name` sees it, at `url`."""

    def __init__(self, url: str, name: str = "") -> None:
        self._url = url
        self._name = name
        self._client: aiohttp.ClientSession | None = None
        self._queue: asyncio.Queue[Hook] = asyncio.Queue(QUEUE_MAX)
        self._worker: asyncio.Task[None] | None = None
        self._granted: dict[UUID, tuple[str, Grant]] = {}
        self._readings: deque[clock.Reading] = deque(maxlen=READINGS)

    async def start(self) -> None:
        self._client = aiohttp.ClientSession(timeout=TIMEOUT, trust_env=False)
        self._worker = asyncio.create_task(self._tell_all())

    async def stop(self) -> None:
        """Gives what is still to be told two seconds."""
        if self._worker is not None:
            try:
                async with asyncio.timeout(2):
                    await self._queue.join()
            except TimeoutError:
                log.warning(
                    "not everything was told to the market", left=self._queue.qsize() + 1
                )  # and the one under way
            self._worker.cancel()
        if self._client is not None:
            await self._client.close()

    async def beat_forever(self, describe: Callable[[], Server]) -> None:
        """Say every few seconds that this process is there, and where. A market that is away hears the next one, which
        comes soon if it never heard one."""
        pause = FIRST_BEAT_SECONDS
        while True:
            body = msgspec.json.encode(Beat(describe()))
            try:
                asking = clock.Asking()
                status, told = await self._post(f"{self._url}/beat", "beat", body)
                self.compare(asking, told)
                pause = BEAT_SECONDS
                if status >= 300:
                    log.warning("the market does not take this media server in", status=status)
            except (aiohttp.ClientError, TimeoutError) as error:
                log.debug("market unreachable", error=repr(error))
            await asyncio.sleep(pause)

    @property
    def clock(self) -> clock.Reading | None:
        """How far this host's clock is ahead of the market's, by the surest of the last answers."""
        return clock.best(self._readings) if self._readings else None

    def compare(self, asking: clock.Asking, told: bytes) -> None:
        """Compare our clock with the time in the answer to a beat; an older market tells none."""
        try:
            self._readings.append(asking.told(msgspec.json.decode(told, type=BeatTaken).now))
        except msgspec.MsgspecError:
            return
        clock.SKEW.set(clock.best(self._readings).sure_seconds)

    async def authorise(self, stream_id: UUID, secret: str, protocol: Ingress, ip: str) -> Grant:
        """Leave to publish, or NotAdmitted. While the market is away, a key it accepted before is good enough."""
        hook = Hook(
            kind="authorize_publish",
            stream=stream_id,
            secret=secret[:200],
            protocol=protocol,
            ip=ip[:64],
            at=clock.now(),
        )
        for delay in ASK_DELAYS:
            await asyncio.sleep(delay)
            try:
                status, body = await self._send(hook)
            except (aiohttp.ClientError, TimeoutError):
                continue
            if status == 200:
                grant = msgspec.json.decode(body, type=Grant)
                self._granted[stream_id] = (secret, grant)
                return grant
            if status == 403:
                self._granted.pop(stream_id, None)
                raise NotAdmitted(_reason(body))
        known = self._granted.get(stream_id)
        if known is not None and keys.same(known[0], secret):
            log.warning("market unreachable, a known key is let in", stream=str(stream_id))
            return known[1]
        raise NotAdmitted(UNREACHABLE)

    def forget(self, stream_id: UUID) -> None:
        self._granted.pop(stream_id, None)

    def tell(self, hook: Hook) -> None:
        try:
            self._queue.put_nowait(hook)
        except asyncio.QueueFull:
            log.error("too much to tell; reconciling will mend it", kind=hook.kind, stream=str(hook.stream))

    async def _tell_all(self) -> None:
        while True:
            hook = await self._queue.get()
            attempt = 0
            while not await self._told(hook):
                await asyncio.sleep(TELL_DELAYS[min(attempt, len(TELL_DELAYS) - 1)])
                attempt += 1
            self._queue.task_done()

    async def _told(self, hook: Hook) -> bool:
        try:
            status, body = await self._send(hook)
        except (aiohttp.ClientError, TimeoutError) as error:
            log.debug("market unreachable", error=repr(error))
            return False
        if 400 <= status < 500:
            log.error("the market refused a notice", kind=hook.kind, status=status, body=body[:200])
            return True
        return status < 300

    async def _send(self, hook: Hook) -> tuple[int, bytes]:
        named = msgspec.structs.replace(hook, server=self._name) if self._name else hook
        return await self._post(self._url, "hook", msgspec.json.encode(named))

    async def _post(self, url: str, purpose: str, body: bytes) -> tuple[int, bytes]:
        assert self._client is not None
        headers = {SIGNATURE: keys.stamp(purpose, body), "content-type": "application/json"}
        async with self._client.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.read()


def _reason(body: bytes) -> str:
    try:
        return msgspec.json.decode(body, type=Refused).reason
    except msgspec.MsgspecError:
        return "the stream key was refused"
