"""The bus over Redis: publish and subscribe, and nothing kept there.

Two connections, one that listens and one that writes, each coming back by itself with growing pauses. Publishing puts
bytes into a bounded queue and returns. What cannot be sent is dropped and counted: the gateways read it up.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from livestall.live.bus import Gossip, Hear, Nudge, Present, Said
from livestall.live.bus.wire import NotOurs, Wire

log = structlog.get_logger()
SILENCE_SECONDS = 3.0
"""A gateway hears its own sign of life every second: after so long without a word the connection counts as lost."""
ANSWER_SECONDS = 2.0
PAUSE_SECONDS_FIRST, PAUSE_SECONDS_MAX = 0.1, 2.0
QUEUE_MESSAGES_MAX, QUEUE_BYTES_MAX = 2000, 16 * 2**20

SENT = Counter("livestall_bus_sent_total", "Messages handed to the bus")
HEARD = Counter("livestall_bus_heard_total", "Messages of other gateways that arrived")
DROPPED = Counter("livestall_bus_dropped_total", "Messages not sent because the bus was away or too slow")
IGNORED = Counter("livestall_bus_ignored_total", "Messages on the bus that no gateway of this market sent")
RECONNECTS = Counter("livestall_bus_reconnects_total", "Connections to the bus that were lost")
UP = Gauge("livestall_bus_up", "1 while what other gateways say arrives here")
LOST = (RedisError, OSError, TimeoutError)


class RedisBus:
    """A bus over the Redis at `url` (redis:// or rediss://, with its password). `own` is this gateway's id."""

    def __init__(self, url: str, own: UUID) -> None:
        self._url = url
        self._wire = Wire(own)
        self._topic = self._wire.topic()
        self._ears: list[tuple[Hear, Gossip | None]] = []
        self._queue: deque[bytes] = deque()
        self._queued_bytes = 0
        self._filled = asyncio.Event()
        self._heard_at = float("-inf")
        self._can_write = False
        self._tasks: list[asyncio.Task[None]] = []
        UP.set_function(lambda: self.is_up)

    @property
    def is_up(self) -> bool:
        return self._can_write and time.monotonic() - self._heard_at < SILENCE_SECONDS

    def subscribe(self, hear: Hear, gossip: Gossip | None = None) -> None:
        self._ears.append((hear, gossip))

    async def start(self) -> None:
        """Connect in the background: a Redis that is away keeps nobody from starting."""
        for name, work in (("listening", self._listen), ("writing", self._write)):
            self._tasks.append(asyncio.create_task(self._keep(name, work), name=f"bus {name}"))

    async def publish(self, said: Said) -> None:
        for hear, _ in self._ears:
            hear(said)
        self._put(said)

    def tell(self, gossip: Present | Nudge) -> None:
        self._put(gossip)

    async def close(self) -> None:
        """Send what is queued if that is quick, and leave."""
        with suppress(TimeoutError):
            async with asyncio.timeout(0.5):
                while self._can_write and self._queue:  # noqa: ASYNC110 - no event tells it
                    await asyncio.sleep(0.01)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._ears.clear()

    def _put(self, message: Said | Present | Nudge) -> None:
        full = len(self._queue) >= QUEUE_MESSAGES_MAX or self._queued_bytes >= QUEUE_BYTES_MAX
        if not self._can_write or full:
            DROPPED.inc()
            return
        data = self._wire.write(message)
        self._queue.append(data)
        self._queued_bytes += len(data)
        self._filled.set()

    async def _keep(self, name: str, work: Callable[[Redis, Callable[[], None]], Coroutine[Any, Any, None]]) -> None:
        """Do `work` over a connection of its own for ever; a new one after a pause that grows while nothing works."""
        pause = PAUSE_SECONDS_FIRST

        def works() -> None:
            nonlocal pause
            pause = PAUSE_SECONDS_FIRST
            log.info("the bus is there", part=name)

        while True:
            client = Redis.from_url(
                self._url, socket_timeout=ANSWER_SECONDS, socket_connect_timeout=ANSWER_SECONDS,
                retry=Retry(NoBackoff(), 0), client_name="livestall-live",
            )  # fmt: skip
            try:
                await work(client, works)
            except LOST as error:  # its text may name the server, so only the kind is written down
                log.warning("the bus is away", part=name, error=type(error).__name__, again_in_seconds=pause)
            except Exception:
                log.exception("the bus failed", part=name)
            finally:
                with suppress(*LOST):
                    await client.aclose()
            RECONNECTS.inc()
            await asyncio.sleep(pause * random.uniform(0.75, 1.25))
            pause = min(pause * 2, PAUSE_SECONDS_MAX)

    async def _listen(self, client: Redis, works: Callable[[], None]) -> None:
        pubsub: Any = client.pubsub()
        try:
            await pubsub.subscribe(self._topic)
            while True:
                message = await pubsub.get_message(timeout=SILENCE_SECONDS)
                if message is None:
                    raise TimeoutError
                self._heard_at = time.monotonic()
                if message["type"] == "message":
                    self._take(message["data"])
                elif message["type"] == "subscribe":
                    works()
        finally:
            self._heard_at = float("-inf")
            with suppress(*LOST):
                await pubsub.aclose()

    def _take(self, data: bytes) -> None:
        try:
            message = self._wire.read(data)
        except NotOurs as error:
            IGNORED.inc()
            log.warning("a message on the bus was ignored", reason=str(error)[:200], bytes=len(data))
            return
        if message is None:
            return
        HEARD.inc()
        for hear, gossip in self._ears:
            try:
                if isinstance(message, Said):
                    hear(message)
                elif gossip is not None:
                    gossip(message)
            except Exception:
                log.exception("a message on the bus could not be taken")

    async def _write(self, client: Redis, works: Callable[[], None]) -> None:
        sending = 0
        try:
            await client.ping()  # pyright: ignore[reportGeneralTypeIssues, reportUnknownMemberType]
            self._can_write = True
            works()
            while True:
                await self._filled.wait()
                self._filled.clear()
                batch = list(self._queue)
                self._queue.clear()
                self._queued_bytes = 0
                sending = len(batch)
                pipeline = client.pipeline(transaction=False)
                for data in batch:
                    pipeline.publish(self._topic, data)
                await pipeline.execute()
                SENT.inc(sending)
                sending = 0
        finally:
            self._can_write = False
            DROPPED.inc(sending + len(self._queue))
            self._queue.clear()
            self._queued_bytes = 0
