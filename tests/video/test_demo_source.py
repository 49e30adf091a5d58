"""The demo's camera: real video and sound, stubborn. What it costs is measured in bench/camera.py."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from collections.abc import Iterator

import av
import pytest
from tests.video.conftest import Stand

from helpers.patience import until
from livestall.app.demo import pictures, scene


@pytest.fixture
def camera() -> Iterator[list[subprocess.Popen[bytes]]]:
    running: list[subprocess.Popen[bytes]] = []
    yield running
    for process in running:
        process.kill()
        process.wait()


def start(url: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "livestall.app.demo.source", url, "--title", "河畔"]
    return subprocess.Popen(command, stderr=subprocess.DEVNULL)


async def test_the_camera_sends_a_vertical_show_and_comes_back_after_a_cut(
    stand: Stand, camera: list[subprocess.Popen[bytes]]
) -> None:
    stream_id, secret = stand.market.add()
    camera.append(start(stand.address(stream_id, secret)))
    await until(lambda: stand.market.heard("published", stream_id))
    packager = stand.engine.streams[stream_id].packager
    frames = packager.frames
    await until(lambda: packager.frames >= frames + 75)
    _, text = await stand.text(stream_id)
    data = b""
    for name in re.findall(r'MAP:URI="([^"]+)"', text)[:1] + re.findall(r"^(\S+\.m4s)$", text, re.MULTILINE):
        data += await stand.bytes(stream_id, name)
    with av.open(io.BytesIO(data)) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (scene.WIDTH, scene.HEIGHT)
        assert container.streams.audio[0].codec_context.name == "aac"
        first, *_, last = container.decode(video=0)
        assert bytes(first.planes[0]) != bytes(last.planes[0]), "the picture moves"
    session = stand.engine.streams[stream_id].session
    assert session is not None
    session.close("cut for the test")
    stand.engine.end(session, "cut for the test")
    await until(lambda: len(stand.market.heard("published", stream_id)) == 2)
    camera[0].terminate()
    await until(lambda: camera[0].poll() is not None)


def test_every_product_has_a_picture_of_its_own() -> None:
    drawn = {one.name: pictures.draw(one.name, 64).tobytes() for one in pictures.PRODUCTS}
    assert len(set(drawn.values())) == len(pictures.PRODUCTS) >= 12
    assert pictures.draw("mug").size == (1000, 1000)


@pytest.mark.parametrize("name", [one.name for one in pictures.PRODUCTS])
def test_nothing_of_a_cut_out_is_cut_off_by_its_edge(name: str) -> None:
    """A light that reached the edge would stand in the moving picture as a square."""
    alpha = pictures.cut_out(name, 200).getchannel("A")
    edges = [alpha.crop(box) for box in ((0, 0, 200, 1), (0, 199, 200, 200), (0, 0, 1, 200), (199, 0, 200, 200))]
    assert [edge.getextrema() for edge in edges] == [(0, 0)] * 4
    assert alpha.getextrema()[1] == 255, "and there is something in it"


def test_the_scene_needs_no_system_font(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "CHINESE_FONTS", ())
    assert scene.Scene("河畔", pictures.PRODUCTS[:2]).frame(1000.0).y.size == (scene.WIDTH, scene.HEIGHT)
