"""HTTP of WHIP (RFC 9725) and WHEP."""

from __future__ import annotations

from aiohttp import web

from livestall.base import ids, keys
from livestall.base.errors import Invalid
from livestall.video.embedded import metrics, passthrough
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.rtc import BadOffer, Previews, WhipPublisher, public_addresses, split_addresses
from livestall.video.embedded.rtmp import NotAdmitted
from livestall.video.model import opens_preview

SDP = "application/sdp"


def _bearer(request: web.Request) -> str:
    kind, _, secret = request.headers.get("Authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


class WebRtc:
    """The handlers, and who is connected."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._previews = Previews(engine)
        public = set(public_addresses(engine.settings.ice_addresses))
        passthrough.install([one for one in split_addresses(engine.settings.ice_addresses) if one not in public])

    def routes(self) -> list[web.RouteDef]:
        base = "/media/{stream}"
        return [
            web.post(f"{base}/whip", self.publish),
            web.delete(f"{base}/whip", self.unpublish),
            web.post(f"{base}/whep", self.watch),
        ]

    async def stop(self, _app: web.Application) -> None:
        await self._previews.stop()

    async def publish(self, request: web.Request) -> web.Response:
        """An offer with the stream's secret as bearer token; 201 with the answer."""
        secret, name = _bearer(request), request.match_info["stream"]
        try:
            stream = await self._engine.admit(name, secret, "whip", request.remote or "")
        except NotAdmitted as refusal:
            metrics.REFUSED.labels("key").inc()
            return web.Response(status=401 if not secret else 403, text=str(refusal))
        publisher = WhipPublisher(self._engine, stream, secret)
        try:
            answer = await publisher.answer(await _text(request))
        except BadOffer as error:
            metrics.REFUSED.labels("codec").inc()
            return web.Response(status=422, text=str(error))
        return web.Response(status=201, text=answer, content_type=SDP, headers={"Location": request.path})

    async def unpublish(self, request: web.Request) -> web.Response:
        """Ends the broadcast that this bearer token began."""
        publisher = self._publisher(request)
        if publisher is None or not keys.same(publisher.secret, _bearer(request)):
            return web.Response(status=404)
        publisher.end("the browser stopped")
        return web.Response(status=200)

    async def watch(self, request: web.Request) -> web.Response:
        """The host's preview of a browser's broadcast; 404 for RTMP streams, whose preview is the HLS."""
        try:
            stream_id = ids.parse(request.match_info["stream"])
        except Invalid:
            return web.Response(status=404)
        if not opens_preview(stream_id, request.query.get("token", "")):
            return web.Response(status=403, text="the preview's address has expired; reload the page")
        publisher = self._publisher(request)
        if publisher is None:
            return web.Response(status=404, text="no browser broadcasts this stream; watch it by HLS")
        if self._previews.full:
            return web.Response(status=503, text="too many previews are open", headers={"Retry-After": "30"})
        try:
            answer = await self._previews.answer(publisher, await _text(request))
        except BadOffer as error:
            return web.Response(status=422, text=str(error))
        return web.Response(status=201, text=answer, content_type=SDP, headers={"Location": request.path})

    def _publisher(self, request: web.Request) -> WhipPublisher | None:
        try:
            stream = self._engine.streams.get(ids.parse(request.match_info["stream"]))
        except Invalid:
            return None
        return stream.relay if stream is not None else None


async def _text(request: web.Request) -> str:
    try:
        return (await request.read()).decode()
    except UnicodeDecodeError as error:
        raise BadOffer("the offer is not text") from error
