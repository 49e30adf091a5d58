"""A reload that cannot succeed leaves the market as it was; and several processes of a plane behave as one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from helpers.market import Served, seed, until
from livestall.app.demo.client import Door


@pytest.fixture
def served() -> Iterator[Served]:
    market = Served(web__processes=2, work__processes=2)
    yield market
    market.stop()
    market.remove()


def cli(served: Served, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "livestall.app.cli", *arguments],
        env=served.environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


async def test_a_new_process_that_does_not_get_ready_leaves_the_old_one_in_its_place(served: Served):
    """The newer version is broken: what runs goes on, and the operator hears of it; mended, it takes over."""
    served.environment["PYTHONPATH"] = str(served.folder / "newer")
    served.start()
    before = served.planes()
    broken = served.folder / "newer" / "sitecustomize.py"
    broken.parent.mkdir()
    broken.write_text("import sys\nif 'web' in sys.orig_argv:\n    raise SystemExit('this version is broken')\n")
    answer = await asyncio.to_thread(cli, served, "reload")
    assert answer.returncode == 1
    assert "the new web process did not get ready" in answer.stderr
    assert served.planes() == before
    assert served.healthy()

    broken.unlink()
    answer = await asyncio.to_thread(cli, served, "reload")
    assert answer.returncode == 0, answer.stderr
    after = served.planes()
    assert not {after[plane] for plane in ("web", "live", "media", "work")} & set(before.values())


async def test_two_web_processes_share_the_port_and_one_killed_is_not_missed(served: Served):
    served.start()
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1)
        served.kill("web")
        answers = [await cast.creator.get("/api/me") for _ in range(20)]
        assert all(one["user"] for one in answers)

        async def both() -> bool:
            return "died" in served.log()

        await until(both, what="the supervisor's line")


def test_several_gateways_without_a_bus_are_refused_with_a_sentence(served: Served):
    served.environment["LIVESTALL_LIVE__PROCESSES"] = "3"
    answer = cli(served, "serve")
    assert answer.returncode == 1
    assert "LIVESTALL_BUS_URL" in answer.stderr
    assert "Traceback" not in answer.stderr
    doctor = cli(served, "doctor")
    assert doctor.returncode == 1
    assert "LIVESTALL_BUS_URL" in doctor.stdout
