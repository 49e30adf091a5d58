"""What the camera of `livestall demo` takes of a core while it draws, encodes and sends its picture: who tries the demo
has other programs to run. Our media process, on the other core, records what comes.

    python bench/camera.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from _harness import Meter, report, running, say, settle, turns
from livestall.base import ids
from video_load import LOAD_CORE, MEASURE_SECONDS, WARM_SECONDS, ours

LIMIT_PERCENT = 40
BEGIN_SECONDS = 60.0
"""How long it may take to draw its goods and begin."""


def camera() -> float:
    """Per cent of a core. Raises RuntimeError when nothing of its picture is recorded."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        _, rtmp, _ = stack.enter_context(ours(folder))
        url = f"rtmp://127.0.0.1:{rtmp}/live/{ids.new()}?k=bench"
        command = [sys.executable, "-m", "livestall.app.demo.source", url, "--title", "Evening market · 晚间集市"]
        process = stack.enter_context(running(LOAD_CORE, command, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + BEGIN_SECONDS
        while not recorded_bytes(folder):
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing of the camera was recorded in {BEGIN_SECONDS:g} s")
            time.sleep(0.1)
        time.sleep(WARM_SECONDS)
        meter, before = Meter(process.pid, children=True), recorded_bytes(folder)
        time.sleep(MEASURE_SECONDS)
        core = 100 * meter.core()
        if recorded_bytes(folder) == before:
            raise RuntimeError("the camera sends no more")
    say(f"   the demo's camera: {core:.1f} % of a core")
    return core


def recorded_bytes(folder: Path) -> int:
    return sum(one.stat().st_size for one in folder.rglob("recording.mp4"))


def main() -> None:
    found = turns({"camera": camera})["camera"]
    report("video.demo_camera_core", "% of a core", found, limit=LIMIT_PERCENT, aim="value <= 40")
    settle()


if __name__ == "__main__":
    main()
