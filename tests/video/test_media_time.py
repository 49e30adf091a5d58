"""The time of an RTMP publisher, by a clock that the test turns."""

from __future__ import annotations

import pytest

from livestall.video.embedded.media_time import MediaTime


class Turned:
    """25 pictures and 50 sounds a second; `wall` is seconds."""

    def __init__(self) -> None:
        self.wall = 100.0
        self.time = MediaTime(5000, lambda: self.wall)

    def run(self, seconds: float, start: float, video: float = 1.0, audio: float = 1.0) -> tuple[int, int]:
        """Timestamps that begin at `start` seconds and run at these speeds; the last media times of both tracks."""
        begin, last = self.wall, (0, 0)
        for index in range(int(seconds * 50)):
            at = index / 50
            self.wall = begin + at
            heard = self.time.of("audio", round((start + at * audio) * 1000) & 0xFFFFFFFF, 20.0)
            if index % 2 == 0:
                seen = self.time.of("video", round((start + at * video) * 1000) & 0xFFFFFFFF)
            last = (seen, heard)
        return last


def test_good_time_passes_as_it_is() -> None:
    turned = Turned()
    seen, heard = turned.run(60, 1000)
    assert (seen, heard) == (5000 + 59_960, 5000 + 59_980)
    assert turned.time.faults == 0


def test_sound_that_drifts_is_brought_back_and_counted() -> None:
    turned = Turned()
    seen, heard = turned.run(120, 0, audio=0.97)
    assert abs(seen - heard) < 1200, "without help it would be 3.6 s"
    assert turned.time.faults >= 3
    assert not turned.time.by_arrival


def test_both_tracks_leap_together() -> None:
    turned = Turned()
    turned.run(5, 0)
    seen, heard = turned.run(5, 3_600_000)
    assert abs(seen - heard) <= 40
    assert seen == pytest.approx(5000 + 10_000, abs=100)
    assert not turned.time.by_arrival


def test_time_that_runs_fast_is_taken_from_the_wall_before_it_is_far_ahead() -> None:
    turned = Turned()
    seen, _ = turned.run(60, 0, video=3.0, audio=3.0)
    assert turned.time.by_arrival
    assert seen - 5000 < 60_000 + 31_000


def test_time_that_stands_still_is_taken_from_the_wall() -> None:
    turned = Turned()
    seen, heard = turned.run(60, 7, video=0.0, audio=0.0)
    assert turned.time.by_arrival
    assert seen == pytest.approx(5000 + 60_000, abs=1500)
    assert abs(seen - heard) < 500
