"""Where payment providers tell us what happened."""

from __future__ import annotations

from typing import Annotated, Any

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import PathParameter

from livestall.base.db import Database
from livestall.base.http import Who, may
from livestall.payments import actions
from livestall.payments.backends import backend_named

NOTICE_BYTES_MAX = 65_536


@post("/api/payments/notices/{backend:str}", opt=may(Who.system), status_code=200,
      request_max_body_size=NOTICE_BYTES_MAX)  # fmt: skip
async def receive_payment_notice(
    backend: Annotated[str, PathParameter(max_length=40)],
    request: Request[Any, Any, Any],
    db: NamedDependency[Database],
) -> dict[str, bool]:
    """A provider's notice: its signature is proven, it is stored as it came, and answered; it is used afterwards.

    401 for a signature that is missing, wrong or older than 5 minutes. A repeat is answered like the first.
    """
    raw = await request.body()
    notice_id = backend_named(backend).verify(request.headers, raw)
    async with db.write() as tx:
        await actions.record_notice(tx, backend, notice_id, raw)
    return {"received": True}


ROUTES = [receive_payment_notice]
