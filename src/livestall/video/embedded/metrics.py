"""Figures of the media process for Prometheus; labels are few and known."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

INGESTS = Gauge("livestall_video_ingests", "Publishers now", ["protocol"])
ADMITTED = Counter("livestall_video_publishers_total", "Publishers let in", ["protocol"])
REFUSED = Counter("livestall_video_publishers_refused_total", "Publishers turned away or cut off", ["reason"])
WARNINGS = Counter("livestall_video_warnings_total", "Warnings that hosts were told", ["code"])
BYTES_IN = Counter("livestall_video_received_bytes_total", "Media received from publishers")
BYTES_OUT = Counter("livestall_video_sent_bytes_total", "Media sent to viewers, as bodies of HTTP answers")
REQUESTS = Counter("livestall_video_requests_total", "Answered requests of viewers", ["what"])
PLAYLISTS, PIECES = REQUESTS.labels("playlist"), REQUESTS.labels("piece")
WAITING = Gauge("livestall_video_waiting_requests", "Playlist and part requests that wait for media")
PREVIEWS = Gauge("livestall_video_preview_viewers", "WHEP viewers now")
PARTS = Counter("livestall_video_parts_total", "Parts made")
PART_LAG = Histogram(
    "livestall_video_part_lag_seconds",
    "From a part's first frame arriving to the part being there, less its duration",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
RECORDER_BACKLOG = Gauge("livestall_video_recorder_backlog_bytes", "Media that waits for the disk")
RECORDED_BYTES = Counter("livestall_video_recorded_bytes_total", "Media written to recordings")
MISSING_SECONDS = Counter("livestall_video_recording_missing_seconds_total", "Media no recording has", ["reason"])
DISK_FREE = Gauge("livestall_video_disk_free_bytes", "Free on the disk of the recordings")
PAUSED = Gauge("livestall_video_recordings_paused", "Live streams whose recording is paused")
