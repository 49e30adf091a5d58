"""Django Channels on uvicorn: everyone who connects is in one group; whatever is said sends 200 bytes to it.

python bench/_others/channels_room.py PORT [REDIS_PORT]     without Redis: the layer in memory
"""

from __future__ import annotations

import logging
import sys
from typing import Any

import django
import uvicorn
from django.conf import settings

REDIS = {
    "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
    "CONFIG": {"hosts": [f"redis://127.0.0.1:{sys.argv[2] if len(sys.argv) > 2 else 0}"]},
}
MEMORY = {"BACKEND": "channels.layers.InMemoryChannelLayer"}
settings.configure(
    SECRET_KEY="-", ALLOWED_HOSTS=["*"], CHANNEL_LAYERS={"default": REDIS if len(sys.argv) > 2 else MEMORY}
)
django.setup()

from channels.generic.websocket import AsyncWebsocketConsumer  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402

TEXT = "x" * 200


class Viewer(AsyncWebsocketConsumer):
    async def connect(self) -> None:
        await self.channel_layer.group_add("room", self.channel_name)
        await self.accept()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:  # noqa: ARG002
        if text_data == "say":
            await self.channel_layer.group_send("room", {"type": "message"})

    async def message(self, _event: dict[str, Any]) -> None:
        await self.send(TEXT)

    async def disconnect(self, code: int) -> None:  # noqa: ARG002
        await self.channel_layer.group_discard("room", self.channel_name)


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    uvicorn.run(
        ProtocolTypeRouter({"websocket": Viewer.as_asgi()}), host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop",
        ws="websockets-sansio", log_level="error", backlog=4096, ws_per_message_deflate=False, ws_ping_interval=None,
    )  # fmt: skip
