"""A reload that cannot succeed leaves the market as it was; and several processes of a plane behave as one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from helpers.market import Served, seed, until
from livestall.app.demo.client import Door, Person

PLANES = ("web", "live", "media", "work")
ASKED = 20


@pytest.fixture
def served() -> Iterator[Served]:
    """A market that a test starts."""
    market = Served(web__processes=2, work__processes=2)
    yield market
    market.stop()
    market.remove()


async def test_a_new_process_that_does_not_get_ready_leaves_the_old_one_in_its_place(served: Served):
    """The newer version is broken: what runs goes on, and the operator hears of it; mended, it takes over."""
    served.environment["PYTHONPATH"] = str(served.folder / "newer")
    served.start()
    before = served.processes()
    broken = served.folder / "newer" / "sitecustomize.py"
    broken.parent.mkdir()
    broken.write_text("import sys\nif 'web' in sys.orig_argv:\n    raise SystemExit('this version is broken')\n")
    answer = await asyncio.to_thread(served.cli, "reload")
    assert answer.returncode == 1
    assert "the new web process did not get ready" in answer.stderr
    assert served.processes() == before
    assert served.healthy()

    broken.unlink()
    answer = await asyncio.to_thread(served.cli, "reload")
    assert answer.returncode == 0, answer.stderr
    old = {one.pid for one in before if one.plane in PLANES}
    await until(lambda: not old & {one.pid for one in served.processes()}, what="everyone's place being taken")
    assert {one.plane for one in served.processes()} == {*PLANES, "postgres"}


async def test_two_web_processes_share_the_port_and_one_killed_is_not_missed(served: Served):
    served.start()
    async with Door(served.base) as door:
        cast = await seed(door, served.first_run_token, products=1)
        assert len(served.processes("web")) == 2
        served.kill("web")
        for _ in range(ASKED):  # each on a connection of its own, which might have come to the one that is gone
            async with Door(served.base) as fresh:
                somebody = Person(fresh)
                somebody.headers = dict(cast.creator.headers)
                assert (await somebody.get("/api/me"))["user"]
        await until(lambda: "plane died" in served.log(), what="the supervisor's line")
        await until(lambda: len(served.processes("web")) == 2, what="both again")


def test_several_gateways_without_a_bus_are_refused_with_a_sentence(served: Served):
    served.environment["LIVESTALL_LIVE__PROCESSES"] = "3"
    answer = served.cli("serve")
    assert answer.returncode == 1
    assert "LIVESTALL_BUS_URL" in answer.stderr
    assert "Traceback" not in answer.stderr
    doctor = served.cli("doctor")
    assert doctor.returncode == 1
    assert "LIVESTALL_BUS_URL" in doctor.stdout
