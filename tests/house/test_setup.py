"""`scripts/setup` after a Ctrl-C in the middle: the next one starts over instead of failing for ever."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.repository import ROOT

PYTHON = """#!/bin/sh
case "$*" in
*venv*) mkdir -p .venv/bin && cp has-pip .venv/bin/python ;;
*) exec REAL "$@" ;;
esac
"""


def script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("left", ["nothing", "an environment without pip", "a folder"])
def test_an_environment_that_was_broken_off_is_made_anew(tmp_path: Path, left: str) -> None:
    (tmp_path / "scripts").mkdir()
    shutil.copy(ROOT / "scripts" / "setup", tmp_path / "scripts" / "setup")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "dev.txt").touch()
    (tmp_path / "pyproject.toml").touch()
    script(tmp_path / "has-pip", "#!/bin/sh\nexit 0\n")
    script(tmp_path / "python", PYTHON.replace("REAL", sys.executable))
    if left == "a folder":
        (tmp_path / ".venv").mkdir()
    elif left != "nothing":
        script(tmp_path / ".venv" / "bin" / "python", "#!/bin/sh\necho No module named pip >&2\nexit 1\n")
    environment = {**os.environ, "PYTHON": str(tmp_path / "python")}
    done = subprocess.run(
        [tmp_path / "scripts" / "setup", "python"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / ".venv" / ".stamp").exists()
