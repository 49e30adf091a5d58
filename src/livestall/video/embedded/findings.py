"""What is not well with a publisher, in codes that the studio has words for."""

from __future__ import annotations

from livestall.video.embedded.packager import Packager
from livestall.video.model import StreamWarning, WarningCode

KEYFRAME_SECONDS_MAX = 4.5
SIDE_MAX = 2560
LATELY_SECONDS = 30.0
BROKEN_FRAMES_MAX = 3
STEP = 5
"""Running figures are told in steps of this many seconds, not each second."""
ORDER: tuple[WarningCode, ...] = (
    "codec", "sound-codec", "bad-stream", "no-picture", "recording-paused", "broken-time", "rare-keyframes",
    "large-picture", "high-bitrate", "broken-frames",
)  # fmt: skip


class Refused(Exception):
    """This encoder's picture or sound cannot be carried; the sentence tells the host what to change."""

    def __init__(self, sentence: str, code: WarningCode = "bad-stream", detail: str = "") -> None:
        super().__init__(sentence)
        self.warning = StreamWarning(code, 0.0, (detail or sentence)[:200])


class Findings:
    """Of one session. `seen` says that something happened, `look` what is to be told now; times are steady seconds."""

    def __init__(self) -> None:
        self.told: list[StreamWarning] | None = None
        """None: nothing yet, so that even "all is well" is told, in place of what an earlier publisher left."""
        self._at: dict[WarningCode, float] = {}
        self._value: dict[WarningCode, float] = {}
        self._count: dict[WarningCode, int] = {}
        self._still_since: float | None = None

    def seen(self, code: WarningCode, now: float, value: float = 0.0) -> None:
        """Counts as long as it happened lately."""
        lately = now - self._at.get(code, float("-inf")) < LATELY_SECONDS
        self._count[code] = self._count.get(code, 0) + 1 if lately else 1
        self._at[code] = now
        if value and not lately:
            self._value[code] = value

    def _lately(self, code: WarningCode, now: float, least: int = 1) -> bool:
        return now - self._at.get(code, float("-inf")) < LATELY_SECONDS and self._count[code] >= least

    def look(self, packager: Packager, now: float) -> list[StreamWarning]:
        """All that is not well now, worst first."""
        found: dict[WarningCode, float] = {}
        interval = packager.keyframe_interval
        if interval > KEYFRAME_SECONDS_MAX:
            found["rare-keyframes"] = interval if interval == packager.keyframe_seconds else interval // STEP * STEP
        self._still_since = (self._still_since or now) if packager.still else None
        if self._still_since is not None:
            found["no-picture"] = (now - self._still_since) // STEP * STEP
        for code in ("broken-time", "high-bitrate"):
            if self._lately(code, now):
                found[code] = self._value.get(code, 0.0)
        if self._lately("broken-frames", now, BROKEN_FRAMES_MAX):
            found["broken-frames"] = 0.0
        side = max(packager.video.width, packager.video.height) if packager.video else 0
        if side > SIDE_MAX:
            found["large-picture"] = side
        if packager.recorder is not None and packager.recorder.paused:
            found["recording-paused"] = 0.0
        details = {"recording-paused": packager.recorder.paused or ""} if packager.recorder is not None else {}
        return [StreamWarning(code, round(found[code], 1), details.get(code, "")) for code in ORDER if code in found]
