"""nginx with its RTMP module (libnginx-mod-rtmp): RTMP in, plain HLS out, FLV recordings.

Its hooks are forms. The first digit of our status decides. 302 would let a publisher in under another name, but the HLS
writer of version 1.2.2 keeps the first one, so a stream must be published under its own name, letter by letter. A
second publisher of a live name is refused by nginx itself. Lists are read from /stat, publishers ended by /control.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from uuid import UUID

from livestall.base import clock
from livestall.base.errors import Conflict, Forbidden, Invalid, Unavailable
from livestall.video.backends.neighbour import APP, BadName, Neighbour, form, stream_of, text
from livestall.video.backends.port import Capability, Publisher, Reply
from livestall.video.model import Grant, Hook, HookKind, Online, Stream

CALLS: Mapping[str, HookKind] = {
    "publish": "authorize_publish", "publish_done": "unpublished", "update_publish": "ignore", "update_play": "ignore",
    "play": "authorize_read", "play_done": "ignore", "record_done": "recorded", "done": "ignore", "connect": "ignore",
}  # fmt: skip
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)


class NginxRtmp(Neighbour):
    capabilities: frozenset[Capability] = frozenset({"rtmp", "hls", "record"})
    edge_delay_seconds = 0.05
    """Measured with a clock in the picture: the list is written 0.05 s after its last picture was painted."""
    recording_format = "flv"

    def parse_hook(self, headers: Mapping[str, str], body: bytes, query: Mapping[str, str]) -> Hook:
        self.prove(headers, query)
        fields = form(body)
        call = fields.get("call", "")
        kind = CALLS.get(call)
        if kind is None:
            raise Invalid(reason=f"nginx-rtmp makes no call {call[:40]!r}")
        if text(fields, "app").strip("/") != APP:
            raise BadName
        name = fields.get("name", "")
        stream_id = stream_of(name)
        if name != str(stream_id):
            raise BadName
        return Hook(
            kind=kind, stream=stream_id, at=clock.now(), server=self.server.id,
            secret=text(fields, "k"), ip=text(fields, "addr", 64), client=text(fields, "clientid", 100),
            reason="the publisher disconnected" if kind == "unpublished" else "",
        )  # fmt: skip

    def reply(self, answer: Grant | Conflict | Forbidden | None, hook: Hook | None = None) -> Reply:
        if isinstance(answer, (Conflict, Forbidden)):
            return Reply(403, answer.sentence().encode(), "text/plain")
        del hook
        return Reply(200, b"", "text/plain")

    async def online(self) -> list[Online]:
        answer = await self.ask("/stat")
        if _DOCTYPE.search(answer):
            raise Unavailable
        try:
            root = ET.fromstring(answer)  # noqa: S314 - no entities, bounded, from a server of the operator
        except ET.ParseError as error:
            raise Unavailable from error
        found: list[Online] = []
        for application in root.iter("application"):
            if application.findtext("name") == APP:
                found += [one for stream in application.iter("stream") if (one := self._publisher(stream)) is not None]
        return found

    def _publisher(self, stream: ET.Element) -> Online | None:
        client = next((one for one in stream.iter("client") if one.find("publishing") is not None), None)
        video = stream.find("meta/video")
        if client is None or video is None:  # connected, but no picture yet
            return None
        since = clock.now() - timedelta(milliseconds=_number(client.findtext("time")))
        return self.seen(
            stream.findtext("name"), client.findtext("id") or "", since,
            width=int(_number(video.findtext("width"))), height=int(_number(video.findtext("height"))),
            kbps=round(_number(stream.findtext("bw_in")) / 1000), fps=_number(video.findtext("frame_rate")),
        )  # fmt: skip

    async def kick(self, who: Publisher) -> None:
        await self.ask(f"/control/drop/publisher?app={APP}&name={who.stream_id}", missing_is_fine=True)

    def hls(self, stream: Stream) -> str:
        return f"{self.server.hls_url}/{stream.id}.m3u8"

    def recorded_files(self, stream_id: UUID) -> Iterable[Path]:
        return Path(self.server.folder).glob(f"{stream_id}*.flv")


def _number(text: str | None) -> float:
    try:
        return max(0.0, float(text or 0))
    except ValueError:
        return 0.0
