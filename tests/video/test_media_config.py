"""The configuration of neighbours that `livestall media-config` writes, and the examples that it has written."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from helpers.repository import ROOT
from livestall.app.media_config import Options, write
from livestall.base import config
from livestall.video.backends import Server, neighbours
from livestall.video.model import Settings

TOKEN = "made-by-livestall-media-config"
PLACES = Options(market="http://127.0.0.1:8000", token=TOKEN)
RECORDINGS = "/var/lib/livestall-video/recordings"
EXAMPLES = {
    "nginx-rtmp.conf": Server(
        id="edge", kind="nginx-rtmp", rtmp_url="rtmp://video.example/live", hls_url="http://video.example:8080/hls",
        control_url="http://127.0.0.1:8080", folder=RECORDINGS,
    ),
    "srs.conf": Server(
        id="srs", kind="srs", rtmp_url="rtmp://video.example/live", hls_url="http://video.example:8080",
        whip_url="https://video.example", whep_url="https://video.example", control_url="http://127.0.0.1:1985",
        folder=RECORDINGS,
    ),
    "mediamtx.yml": Server(
        id="mediamtx", kind="mediamtx", rtmp_url="rtmp://video.example/live", hls_url="http://video.example:8888",
        whip_url="http://video.example:8889", whep_url="http://video.example:8889",
        control_url="http://127.0.0.1:9997", folder=RECORDINGS,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_are_what_is_written_today(name: str):
    assert (ROOT / "deploy" / "media" / name).read_text() == write(EXAMPLES[name], PLACES), (
        "run: PYTHONPATH=tests:src python tests/video/test_media_config.py"
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_token_is_in_every_hook(name: str):
    text = write(EXAMPLES[name], msgspec.structs.replace(PLACES, token="another-token"))
    assert TOKEN not in text
    hooks = [line for line in text.splitlines() if "/api/hooks/media/" in line]
    assert hooks
    assert all("?token=another-token" in line for line in hooks)
    assert f"/api/hooks/media/{EXAMPLES[name].id}?" in hooks[0]


@pytest.mark.skipif(shutil.which("nginx") is None, reason="needs nginx (Debian: nginx-light libnginx-mod-rtmp)")
def test_nginx_takes_its_file(tmp_path: Path):
    options = msgspec.structs.replace(PLACES, folder=str(tmp_path), allow="10.0.0.0/24, 192.168.7.7")
    if not Path(options.module).exists():
        pytest.skip("needs libnginx-mod-rtmp")
    for name in ("hls", "recordings", "bodies"):
        (tmp_path / name).mkdir()
    server = msgspec.structs.replace(EXAMPLES["nginx-rtmp.conf"], folder=str(tmp_path / "recordings"))
    (tmp_path / "nginx.conf").write_text(write(server, options))
    command = ["nginx", "-t", "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_name_that_the_settings_do_not_know_is_said(tmp_path: Path):
    environment = {"LIVESTALL_DATA": str(tmp_path), "LIVESTALL_SECRET": "ab" * 32, "PATH": "/usr/bin"}
    command = [sys.executable, "-m", "livestall.app.cli", "media-config", "nobody"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "names no server 'nobody'" in done.stderr


GOOD = '{"name":"edge","kind":"srs","rtmp":"rtmp://v.example/live","hls":"https://v.example"}'


@pytest.mark.parametrize(
    "wrong",
    [
        "{", "{}", '[{"name":"edge"}]', f"[{GOOD},{GOOD}]", f"[{GOOD.replace('srs', 'embedded')}]",
        f"[{GOOD.replace('edge', 'embedded')}]", f"[{GOOD.replace('edge', 'Edge One')}]",
        f"[{GOOD.replace('rtmp://v.example/live', 'rtmp://v.example')}]", f"[{GOOD.replace('https://', 'file://')}]",
        f"[{GOOD[:-1]},\"colour\":\"red\"}}]",
    ],
)  # fmt: skip
def test_a_mistake_in_the_list_of_servers_stops_the_start_with_a_sentence(wrong: str):
    with (
        config.override(Settings(servers=wrong)),
        pytest.raises(config.BadSettings, match="LIVESTALL_MEDIA__SERVERS: "),
    ):
        neighbours()


def test_no_servers_is_no_mistake():
    for empty in ("", "  ", "[]"):
        with config.override(Settings(servers=empty)):
            assert neighbours() == {}


if __name__ == "__main__":
    for name, server in EXAMPLES.items():
        (ROOT / "deploy" / "media" / name).write_text(write(server, PLACES))
