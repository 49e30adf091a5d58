"""Video: streams and their keys, and the media servers that carry them. Knows no show: a stream has a `subject`."""

from livestall.video.actions import (
    close_streams,
    ingest_of,
    media_addresses,
    open_streams,
    own_servers,
    playback_of,
    poster_of,
    rotate_key,
    server_clocks,
    set_mode,
    stream,
)
from livestall.video.model import (
    DiskHealth,
    Ingest,
    NewStream,
    Playback,
    Settings,
    StreamRecorded,
    StreamStarted,
    StreamStopped,
)

__all__ = [
    "DiskHealth", "Ingest", "NewStream", "Playback", "Settings", "StreamRecorded", "StreamStarted", "StreamStopped",
    "close_streams", "ingest_of", "media_addresses", "open_streams", "own_servers", "playback_of", "poster_of",
    "rotate_key", "server_clocks", "set_mode", "stream",
]  # fmt: skip
