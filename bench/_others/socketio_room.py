"""python-socketio on uvicorn: everyone who connects is in one room; "say" emits 200 bytes to it.

python bench/_others/socketio_room.py PORT
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import socketio
import uvicorn

HEAD = '42["m","'
TEXT = "x" * (200 - len(HEAD) - 2)

rooms = socketio.AsyncServer(async_mode="asgi", cors_allowed_origins="*", ping_interval=300, logger=False)


@rooms.event
async def connect(sid: str, _environ: dict[str, Any]) -> None:
    await rooms.enter_room(sid, "room")


@rooms.event
async def say(_sid: str) -> None:
    await rooms.emit("m", TEXT, room="room")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    uvicorn.run(
        socketio.ASGIApp(rooms), host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", ws="websockets-sansio",
        log_level="error", backlog=4096, ws_per_message_deflate=False,
    )  # fmt: skip
