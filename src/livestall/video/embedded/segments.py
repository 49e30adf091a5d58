"""What a packager makes: parts and segments, and the clock that dates them."""

from __future__ import annotations


class Part:
    __slots__ = ("data", "duration", "independent")

    def __init__(self, data: bytes, duration: float, *, independent: bool) -> None:
        self.data, self.duration, self.independent = data, duration, independent


class Segment:
    """`number` is the media sequence number, `started_at` Unix seconds of stream time, `init` an index of inits."""

    __slots__ = ("discontinuity", "done", "duration", "first", "init", "media_start", "number", "parts", "started_at")

    def __init__(
        self, number: int, started_at: float, init: int, media_start: int, *, discontinuity: bool, first: bool
    ) -> None:
        self.number, self.started_at, self.init, self.media_start = number, started_at, init, media_start
        self.discontinuity, self.first = discontinuity, first
        self.parts: list[Part] = []
        self.duration = 0.0
        self.done = False

    @property
    def size(self) -> int:
        return sum(len(part.data) for part in self.parts)


class StreamClock:
    """Stream time from media time, by the least delay seen. Follows a drifting encoder slowly, a step in seconds."""

    WINDOW_SECONDS = 10.0
    CREEP = 0.000_03
    STEP_SECONDS = 2.0

    def __init__(self) -> None:
        self.offset: float | None = None
        self._lately = float("inf")
        self._since = 0.0

    def restart(self) -> None:
        self.offset = None
        self._lately = float("inf")

    def saw(self, media: float, now: float) -> None:
        """A frame of media time `media` arrived at `now`, both in seconds."""
        delay = now - media
        if self.offset is None:
            self.offset, self._since = delay, now
        self.offset = min(delay, self.offset + self.CREEP)
        self._lately = min(self._lately, delay)
        if now - self._since >= self.WINDOW_SECONDS:
            behind = self._lately - self.offset
            if behind > self.STEP_SECONDS:  # the encoder's clock stood still: a sleeping laptop
                self.offset += behind
            elif behind > 0.25:
                self.offset += min(0.1, behind / 2)
            self._since, self._lately = now, float("inf")

    def at(self, media: float) -> float:
        return media + (self.offset or 0.0)
