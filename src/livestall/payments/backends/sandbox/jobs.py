"""What time starts at the sandbox provider: notices to send, sessions to close."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import structlog

from livestall.base import clock, config
from livestall.base.db import Database
from livestall.base.jobs import Sweep
from livestall.payments.backends.sandbox import actions, store
from livestall.payments.backends.sandbox.model import NOTICE_RETRY_SECONDS, Settings, sign

log = structlog.get_logger()
LEASE = timedelta(seconds=60)
BATCH = 50


async def send(db: Database, transport: httpx.AsyncBaseTransport | None = None) -> int:
    """Deliver the notices that are due, signed, to the market; what is not answered 2xx is tried again later."""
    claimed = await db.run(lambda tx: store.claim_notices(tx, clock.now(), LEASE, BATCH))
    if claimed:
        timeout = config.of(Settings).timeout_seconds
        async with httpx.AsyncClient(transport=transport, timeout=timeout, trust_env=False) as client:
            await asyncio.gather(*(_deliver(db, client, row) for row in claimed))
    return len(claimed)


async def _deliver(db: Database, client: httpx.AsyncClient, row: Any) -> None:
    timestamp = int(clock.now().timestamp())
    headers = {
        "content-type": "application/json",
        "webhook-id": row["id"],
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(row["id"], timestamp, row["body"]),
    }
    try:
        answer = await client.post(row["notify_url"], content=row["body"], headers=headers)
        ok, said = answer.is_success, str(answer.status_code)
    except httpx.HTTPError as error:
        ok, said = False, repr(error)[:200]
    async with db.write() as tx:
        if ok:
            await store.notice_delivered(tx, row["id"], clock.now(), said)
            return
        tries = row["attempts"] + 1
        again = tries < len(NOTICE_RETRY_SECONDS)
        at = clock.now() + timedelta(seconds=NOTICE_RETRY_SECONDS[tries]) if again else None
        await store.notice_failed(tx, row["id"], at, said)
    log.warning("notice not delivered", notice_id=row["id"], tries=tries, answer=said, gives_up=not again)


async def expire(db: Database) -> int:
    return await db.run(lambda tx: actions.expire(tx, 200))


SWEEPS = [
    Sweep("sandbox.send", 0.3, send, BATCH),
    Sweep("sandbox.expire", 2, expire, 200),
]
