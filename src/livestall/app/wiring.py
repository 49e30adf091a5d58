"""The lists that plug the house together. No logic.

ROUTES          HTTP endpoints of every feature
LISTENERS       event → handler, run by the worker's relay
LIVE_EVENTS     event → what the room hears, run by the gateway
COMMANDS        socket command → verb, besides the gateway's own `chat` and `like`
SWEEPS          what time starts
BACKENDS        payment provider by name
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.types import ControllerRouterHandler

from livestall import accounts, deals, orders, payments, rooms, stock
from livestall.accounts import jobs as accounts_jobs
from livestall.accounts import web as accounts_web
from livestall.app import addresses, numbers, projections, proof, settings, snapshot
from livestall.base import config
from livestall.base.db import Database, Read
from livestall.base.jobs import Sweep
from livestall.base.outbox import Delivered, Event, Listener
from livestall.catalog.imports import jobs as imports_jobs
from livestall.catalog.imports import web as imports_web
from livestall.catalog.pictures import jobs as pictures_jobs
from livestall.catalog.pictures import web as pictures_web
from livestall.chat import jobs as chat_jobs
from livestall.chat import web as chat_web
from livestall.deals import jobs as deals_jobs
from livestall.deals import web as deals_web
from livestall.ledger import jobs as ledger_jobs
from livestall.live import Command, NewEvent, Total
from livestall.orders import jobs as orders_jobs
from livestall.orders import web as orders_web
from livestall.payments import jobs as payments_jobs
from livestall.payments import web as payments_web
from livestall.payments.backends import Backend, sandbox
from livestall.rooms import jobs as rooms_jobs
from livestall.rooms import web as rooms_web
from livestall.stock import jobs as stock_jobs
from livestall.stock import web as stock_web
from livestall.storage import web as storage_web
from livestall.video import jobs as video_jobs
from livestall.video import web as video_web


async def _currency(read: Read) -> str:
    return (await accounts.market(read)).currency


async def _on_hand(read: Read, variant_ids: Sequence[UUID]) -> dict[UUID, int]:
    return {key: stand.on_hand for key, stand in (await stock.stands(read, variant_ids)).items()}


async def _web_address(request: Request[Any, Any, Any]) -> str:
    return (await addresses.provide_addresses(request)).web


ROUTES: Sequence[ControllerRouterHandler] = [
    *accounts_web.ROUTES,
    *storage_web.ROUTES,
    *video_web.ROUTES,
    *pictures_web.ROUTES,
    *imports_web.routes(_currency, _on_hand, _web_address),
    *rooms_web.ROUTES,
    *chat_web.ROUTES,
    *payments_web.ROUTES,
    *sandbox.ROUTES,
    *snapshot.ROUTES,
    *numbers.ROUTES,
    *proof.ROUTES,
    *stock_web.ROUTES,
    *deals_web.ROUTES,
    *orders_web.ROUTES,
]

LISTENERS: Sequence[Listener] = [
    rooms_jobs.LISTENER,
    *stock_jobs.LISTENERS,
    *deals_jobs.LISTENERS,
    *orders_jobs.LISTENERS,
]

SWEEPS: Sequence[Sweep] = [
    *accounts_jobs.SWEEPS,
    *stock_jobs.SWEEPS,
    *pictures_jobs.sweeps(orders.pictures_shown),
    *video_jobs.SWEEPS,
    *imports_jobs.SWEEPS,
    *rooms_jobs.SWEEPS,
    *ledger_jobs.SWEEPS,
    *payments_jobs.SWEEPS,
    *sandbox.SWEEPS,
    *deals_jobs.SWEEPS,
    *orders_jobs.SWEEPS,
]


def _own_web() -> str:
    """Where this market's web process is reached from the inside."""
    web = config.of(settings.Web)
    return f"http://{'127.0.0.1' if web.host in {'0.0.0.0', '::'} else web.host}:{web.port}"


BACKENDS: Mapping[str, Backend] = {"sandbox": sandbox.SandboxBackend(_own_web)}
"""Payment providers by name."""

payments.plug(BACKENDS)

Projection = Callable[[Read, Sequence[Delivered]], Awaitable[Sequence[NewEvent | Total]]]

LIVE_EVENTS: Mapping[type[Event], Projection] = {
    **rooms_jobs.LIVE_EVENTS,
    **chat_jobs.LIVE_EVENTS,
    rooms.TrayChanged: projections.tray_changed,
    stock.StockChanged: projections.stock_changed,
    deals.DealChanged: projections.deal_changed,
    orders.OrderPaid: projections.sale_made,
}

MakeCommand = Callable[[Database, Callable[[], None]], Command]
"""Makes a command over the database; the second argument, called after a commit, hurries the projector."""

COMMANDS: Mapping[str, MakeCommand] = {"buy": orders_web.buy}
