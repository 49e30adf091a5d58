"""`scripts/setup` when something is in its way: a Ctrl-C in the middle, or a registry that does not answer."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import msgspec
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


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    """A project whose Python packages are installed, and whose pages are not."""
    shutil.copytree(ROOT / "scripts", tmp_path / "scripts")
    (tmp_path / "requirements").mkdir()
    (tmp_path / "web").mkdir()
    for name in ("requirements/dev.txt", "pyproject.toml", "web/package-lock.json"):
        (tmp_path / name).touch()
    script(tmp_path / ".venv" / "bin" / "python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / ".venv" / ".stamp").write_text(hashlib.sha256(b"").hexdigest())
    return tmp_path


def set_up(project: Path, needs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """`scripts/setup` of pages that need these packages, with a registry where nobody listens."""
    build = {"build": "mkdir -p dist"}
    (project / "web" / "package.json").write_bytes(msgspec.json.encode({"dependencies": needs, "scripts": build}))
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        registry = f"http://127.0.0.1:{nobody.getsockname()[1]}/"
    environment = {
        **os.environ, "PYTHON": sys.executable, "npm_config_registry": registry,
        "npm_config_cache": str(project / "cache"),
    }  # fmt: skip
    command = [project / "scripts" / "setup"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert f"Installing web packages from {registry}" in done.stdout
    assert f"{registry} does not answer; trying" in done.stdout
    return done


def test_a_registry_that_does_not_answer_is_named_with_what_can_be_done(pages: Path) -> None:
    done = set_up(pages, {"preact": "10.0.0"})
    assert done.returncode == 1
    assert "does not answer: look at the network, a proxy" in done.stderr
    assert "ECONNREFUSED" in done.stderr
    assert not (pages / "web" / "node_modules" / ".stamp").exists()


def test_packages_that_are_there_need_no_registry(pages: Path) -> None:
    script(pages / "web" / "tea" / "package.json", '{"name": "tea", "version": "1.0.0"}')
    done = set_up(pages, {"tea": "file:tea"})
    assert done.returncode == 0, done.stderr
    assert (pages / "web" / "dist" / ".stamp").exists()
