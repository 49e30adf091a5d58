"""The lists that plug the house together. No logic.

ROUTES          HTTP endpoints of every feature
LISTENERS       event → handler, run by the worker's relay
LIVE_EVENTS     event → what the room hears, run by the gateway
SNAPSHOT_PARTS  what a room's snapshot is made of
COMMANDS        socket command → verb
SWEEPS          what time starts
"""

from __future__ import annotations

from collections.abc import Sequence

from litestar.types import ControllerRouterHandler

from livestall.base.jobs import Sweep
from livestall.base.outbox import Listener
from livestall.video import jobs as video_jobs
from livestall.video import web as video_web

ROUTES: Sequence[ControllerRouterHandler] = [
    *video_web.ROUTES,
]

LISTENERS: Sequence[Listener] = []

SWEEPS: Sequence[Sweep] = [
    *video_jobs.SWEEPS,
]
