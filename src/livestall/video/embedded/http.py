"""HTTP of the media process: playlists, parts, replays, previews, WHIP and WHEP, and the market's control calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
from aiohttp import web

from livestall.base import ids, keys
from livestall.base.errors import Invalid
from livestall.video.backends.embedded import SIGNATURE
from livestall.video.embedded import metrics, playlist
from livestall.video.embedded.chores import POSTER_FILE
from livestall.video.embedded.engine import Engine
from livestall.video.embedded.packager import Packager
from livestall.video.embedded.recorder import MEDIA_FILE
from livestall.video.embedded.stream import LiveStream
from livestall.video.embedded.webrtc_http import WebRtc

ENGINE = web.AppKey("engine", Engine)
PLAYLIST = "application/vnd.apple.mpegurl"
NO_STORE = {"Cache-Control": "no-store"}
IMMUTABLE = {"Cache-Control": "public, max-age=86400, immutable"}
BODY_BYTES_MAX = 256 * 1024
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Range",
    "Access-Control-Expose-Headers": "Location, Content-Range, Content-Length, Accept-Ranges",
    "Access-Control-Max-Age": "86400",
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Target(msgspec.Struct, frozen=True):
    """What a control call is about."""

    stream: UUID | None = None
    session: UUID | None = None


async def add_cors(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(CORS)


def _stream_id(request: web.Request) -> UUID:
    try:
        return ids.parse(request.match_info["stream"])
    except Invalid as error:
        raise web.HTTPNotFound(headers=NO_STORE) from error


async def preflight(_request: web.Request) -> web.Response:
    return web.Response(status=204)


async def live(request: web.Request) -> web.Response:
    """The live playlist; waits for the segment or part that the player asks for, at most five seconds (503)."""
    engine = request.app[ENGINE]
    stream_id, seconds = _stream_id(request), engine.settings.block_seconds
    stream = engine.streams.get(stream_id) or await engine.wait_for(stream_id, seconds)
    if stream is None:
        return web.Response(status=404, headers=NO_STORE)
    packager = stream.packager
    if "_HLS_msn" in request.query:
        if not await _blocked(request, packager, seconds):
            return web.Response(status=503, headers={**NO_STORE, "Retry-After": "1"})
    elif not packager.segments:
        # Players refuse a list without one whole segment (levelEmptyError): the first answer waits for it.
        await packager.wait(lambda: bool(packager.segments) or packager.ended, seconds)
    if not packager.segments:
        return web.Response(status=404, headers=NO_STORE)
    body = _live_body(engine, stream)
    metrics.PLAYLISTS.inc()
    metrics.BYTES_OUT.inc(len(body))
    return web.Response(body=body, content_type=PLAYLIST, headers=NO_STORE)


def _live_body(engine: Engine, stream: LiveStream) -> bytes:
    """The playlist as bytes, written once for all viewers."""
    cached = stream.cached_playlist
    if cached is None or cached[0] != stream.packager.version:
        cached = (stream.packager.version, playlist.live(stream.packager, engine.tag).encode())
        stream.cached_playlist = cached
    return cached[1]


async def _blocked(request: web.Request, packager: Packager, seconds: float) -> bool:
    try:
        number = int(request.query["_HLS_msn"])
        part = int(request.query["_HLS_part"]) if "_HLS_part" in request.query else None
    except ValueError as error:
        raise web.HTTPBadRequest(headers=NO_STORE) from error
    if number > packager.next_number + 2:
        if packager.segments:
            raise web.HTTPBadRequest(headers=NO_STORE)
        return await packager.wait(lambda: bool(packager.segments), seconds)
    return await packager.wait(lambda: packager.has(number, part) and bool(packager.segments), seconds)


async def piece(request: web.Request) -> web.Response:
    """An init section, a segment, or a part, also one that is only about to come."""
    engine = request.app[ENGINE]
    stream = engine.streams.get(_stream_id(request))
    tag, _, name = request.match_info["name"].partition("-")
    data = None
    if stream is not None and tag == engine.tag:
        data = await _bytes(stream.packager, name, engine.settings.block_seconds)
    if data is None:
        return web.Response(status=404, headers=NO_STORE)
    metrics.PIECES.inc()
    metrics.BYTES_OUT.inc(len(data))
    return web.Response(body=data, content_type="video/mp4", headers=IMMUTABLE)


async def _bytes(packager: Packager, name: str, seconds: float) -> bytes | None:
    stem = name.rpartition(".")[0]
    if stem.startswith("init"):
        return packager.inits.get(int(stem[4:])) if stem[4:].isdecimal() else None
    number_text, _, part_text = stem.partition("-")
    if not number_text.isdecimal() or (part_text and not part_text.isdecimal()) or len(stem) > 30:
        return None
    number = int(number_text)
    if number > packager.next_number + 1:
        return None
    if not part_text:
        found = packager.segment(number)
        return b"".join(part.data for part in found.parts) if found is not None and found.done else None
    part = int(part_text)
    await packager.wait(lambda: packager.has(number, part), seconds)
    found = packager.segment(number)
    return found.parts[part].data if found is not None and part < len(found.parts) else None


async def replay(request: web.Request) -> web.Response:
    """The recording as a playlist of byte ranges, once nobody publishes any more."""
    engine = request.app[ENGINE]
    stream_id = _stream_id(request)
    stream = engine.streams.get(stream_id)
    if stream is not None and not stream.packager.ended:
        return web.Response(status=404, headers=NO_STORE)
    text = await engine.replay(stream_id)
    if text is None:
        return web.Response(status=404, headers=NO_STORE)
    response = web.Response(text=text, content_type=PLAYLIST, headers={"Cache-Control": "public, max-age=60"})
    response.enable_compression()
    return response


async def recording(request: web.Request) -> web.StreamResponse:
    """The media file, in byte ranges."""
    path = request.app[ENGINE].folder / str(_stream_id(request)) / MEDIA_FILE
    if not path.is_file():
        return web.Response(status=404, headers=NO_STORE)
    return web.FileResponse(path, headers={"Content-Type": "video/mp4", "Cache-Control": "public, max-age=86400"})


async def poster(request: web.Request) -> web.StreamResponse:
    engine = request.app[ENGINE]
    stream_id = _stream_id(request)
    headers = {"Cache-Control": "public, max-age=5"}
    stream = engine.streams.get(stream_id)
    if stream is not None and stream.poster is not None:
        return web.Response(body=stream.poster, content_type="image/jpeg", headers=headers)
    path = engine.folder / str(stream_id) / POSTER_FILE
    if not path.is_file():
        return web.Response(status=404, headers=NO_STORE)
    return web.FileResponse(path, headers=headers)


async def health(request: web.Request) -> web.Response:
    """The stream's health for the studio: null while nobody publishes."""
    stream = request.app[ENGINE].streams.get(_stream_id(request))
    session = stream.session if stream is not None else None
    body = msgspec.json.encode(request.app[ENGINE].health(session) if session is not None else None)
    return web.Response(body=body, content_type="application/json", headers=NO_STORE)


async def control(request: web.Request) -> web.Response:
    """The market's calls, signed: online, kick, finish."""
    verb, body = request.match_info["verb"], await request.read()
    if not keys.proves("control", request.headers.get(SIGNATURE, ""), verb.encode() + b"." + body):
        return web.Response(status=403)
    engine = request.app[ENGINE]
    try:
        target = msgspec.json.decode(body, type=Target)
    except msgspec.MsgspecError:
        return web.Response(status=422)
    answer: Any = None
    if verb == "online":
        answer = engine.online()
    elif verb == "kick" and target.stream and target.session:
        engine.kick(target.stream, target.session)
    elif verb == "finish" and target.stream:
        answer = await engine.finish(target.stream)
    else:
        return web.Response(status=422)
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json", headers=NO_STORE)


async def alive(request: web.Request) -> web.Response:
    """For the operator: how many streams, and how the disk of the recordings does."""
    engine = request.app[ENGINE]
    paused = [one.packager.recorder for one in engine.streams.values() if one.packager.recorder is not None]
    body = {
        "streams": len(engine.streams),
        "disk": engine.disk.state,
        "free_bytes": engine.disk.free,
        "paused": sum(one.paused is not None for one in paused),
        "missing_seconds": round(sum(one.missing_seconds for one in paused), 1),
        "reason": next((one.paused for one in paused if one.paused is not None), None),
    }
    return web.json_response(body, headers=NO_STORE)


def create_app(engine: Engine) -> web.Application:
    """The HTTP side of `engine`."""
    app = web.Application(client_max_size=BODY_BYTES_MAX)
    app[ENGINE] = engine
    app.on_response_prepare.append(add_cors)
    base = "/media/{stream}"
    webrtc = WebRtc(engine)
    app.on_shutdown.append(webrtc.stop)
    app.add_routes(
        [
            web.get("/healthz", alive),
            web.post("/control/{verb}", control),
            web.get(f"{base}/live.m3u8", live),
            web.get(f"{base}/replay.m3u8", replay),
            web.get(f"{base}/{MEDIA_FILE}", recording),
            web.get(f"{base}/poster.jpg", poster),
            web.get(f"{base}/health.json", health),
            web.get(base + "/{name:[0-9a-f]+-[a-z0-9-]+\\.(?:mp4|m4s)}", piece),
            *webrtc.routes(),
            web.route("OPTIONS", "/{tail:.*}", preflight),
        ]
    )
    return app
