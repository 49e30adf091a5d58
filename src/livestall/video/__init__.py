"""Video: streams and their keys, and the media servers that carry them. Knows no show: a stream has a `subject`."""

from livestall.video.actions import (
    authorise,
    close_streams,
    ingest_of,
    open_streams,
    playback_of,
    rotate_key,
    set_mode,
    stream,
)  # fmt: skip
from livestall.video.model import (
    LATENCY,
    Ingest,
    MediaServer,
    Mode,
    NewStream,
    Playback,
    Settings,
    Stream,
    StreamClosed,
    StreamRecorded,
    StreamStarted,
    StreamStopped,
    WrongStreamKey,
)  # fmt: skip
from livestall.video.store import streams

__all__ = [
    "LATENCY",
    "Ingest",
    "MediaServer",
    "Mode",
    "NewStream",
    "Playback",
    "Settings",
    "Stream",
    "StreamClosed",
    "StreamRecorded",
    "StreamStarted",
    "StreamStopped",
    "WrongStreamKey",
    "authorise",
    "close_streams",
    "ingest_of",
    "open_streams",
    "playback_of",
    "rotate_key",
    "set_mode",
    "stream",
    "streams",
]
