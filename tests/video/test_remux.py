"""Recordings of other media servers become replays of ours: several files, broken ones among them."""

from __future__ import annotations

import io
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import av
import imageio_ffmpeg
import pytest

from livestall.base import ids
from livestall.video.backends import Replays, Server
from livestall.video.backends.mediamtx import MediaMtx
from livestall.video.backends.neighbour import _started
from livestall.video.embedded import playlist
from livestall.video.embedded.recorder import INDEX_FILE, MEDIA_FILE, load
from livestall.video.embedded.remux import assemble, make_replay

START = datetime(2026, 11, 22, 20, 0, 0, tzinfo=UTC)


def film(path: Path, seconds: float, *options: str, sound: bool = True) -> Path:
    """A recording as a media server leaves it: keyframes each second, B-frames, AAC."""
    tone = ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=48000:duration={seconds}"] if sound else []
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi", "-i",
        f"testsrc2=size=160x90:rate=25:duration={seconds}", *tone, "-c:v", "libx264", "-preset", "veryfast", "-g", "25",
        "-bf", "2", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k", *options, str(path),
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def frames(target: Path) -> int:
    """How many pictures the replay decodes to, over all its init sections."""
    index, data, count = load(target), (target / MEDIA_FILE).read_bytes(), 0
    assert index is not None
    starts = [one.at for one in index.entries if not hasattr(one, "number")]
    for at, end in zip(starts, [*starts[1:], len(data)], strict=True):
        with av.open(io.BytesIO(data[at:end]), format="mov") as container:
            count += sum(1 for _ in container.decode(video=0))
    return count


@pytest.mark.parametrize(
    ("form", "options"), [("flv", ["-f", "flv"]), ("mov", ["-f", "mp4", "-movflags", "frag_keyframe+empty_moov"])]
)
def test_two_files_become_one_replay_in_stream_time(
    tmp_path: Path, form: Literal["flv", "mov"], options: list[str]
) -> None:
    first, second = film(tmp_path / "a", 5, *options), film(tmp_path / "b", 3, *options, sound=False)
    target = tmp_path / "replay"
    later = datetime.fromtimestamp(START.timestamp() + 60, UTC)
    assemble([(START, first), (later, second)], form, target)
    index = load(target)
    assert index is not None
    recording = index.recording()
    assert recording is not None
    assert recording.started_at == START
    assert abs(recording.duration_ms - 8000) < 120
    assert frames(target) == 200
    second_part = next(one for one in index.segments if one.discontinuity)
    assert abs(second_part.started_at - later.timestamp()) < 0.01
    assert all(1.9 <= one.duration <= 2.1 for one in index.segments[:2])
    assert playlist.replay(index).count("#EXT-X-PROGRAM-DATE-TIME") == 2
    assert sorted(one.name for one in target.iterdir()) == sorted([INDEX_FILE, MEDIA_FILE]), "nothing half made is left"


def test_a_file_that_was_cut_off_and_one_that_is_none_cost_only_themselves(tmp_path: Path) -> None:
    whole = film(tmp_path / "a.flv", 4, "-f", "flv")
    torn = tmp_path / "b.flv"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size * 2 // 3])
    noise = tmp_path / "c.flv"
    noise.write_bytes(b"no film at all" * 100)
    target = tmp_path / "replay"
    assemble([(START, noise), (START, torn), (START, whole)], "flv", target)
    index = load(target)
    assert index is not None
    recording = index.recording()
    assert recording is not None
    assert 5500 < recording.duration_ms < 7500
    again = tmp_path / "again"
    assemble([(START, noise)], "flv", again)
    assert load(again) is None


def test_sound_stays_with_its_picture(tmp_path: Path) -> None:
    """The sound of each segment begins where its picture does, however long the film."""
    target = tmp_path / "replay"
    assemble([(START, film(tmp_path / "a.flv", 20, "-f", "flv"))], "flv", target)
    with av.open(str(target / MEDIA_FILE), format="mov") as container:
        seen = {"video": [0.0], "audio": [0.0]}
        for packet in container.demux():
            if packet.dts is not None:
                seen[packet.stream.type].append(float(packet.dts * packet.time_base))
    assert abs(seen["video"][-1] - seen["audio"][-1]) < 0.15
    assert seen["audio"] == sorted(seen["audio"])
    assert len(seen["audio"]) > 20 * 48000 / 1024 - 5


@pytest.mark.parametrize(
    ("name", "seconds"),
    [
        ("019a-1795389637.flv", 1795389637.0),
        ("1795389637123.flv", 1795389637.123),
        ("1795389637-250000.mp4", 1795389637.25),
    ],
)
def test_the_time_in_a_files_name_is_its_beginning(tmp_path: Path, name: str, seconds: float) -> None:
    assert _started(tmp_path / name).timestamp() == seconds


def test_a_recording_of_mediamtx_is_found_by_its_stream(tmp_path: Path) -> None:
    stream_id = ids.new()
    film(tmp_path / "rec" / "live" / str(stream_id) / "1795389637-250000.mp4", 2, "-f", "mp4")
    replays = Replays(tmp_path / "media", make_replay)
    server = MediaMtx(Server(id="mtx", kind="mediamtx", folder=str(tmp_path / "rec")), replays)
    found = server._assemble(stream_id)
    assert found is not None
    assert found.started_at.timestamp() == 1795389637.25
    assert found == server._assemble(stream_id), "again is the same"
    assert server._assemble(ids.new()) is None
