"""Hosts whose clocks are off: seen by every plane, told to the operator, the doctor and Prometheus."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest

from helpers.repository import ROOT
from livestall.app import clocks, doctor, health, settings
from livestall.app.health import PlaneHealth
from livestall.app.main import create_app
from livestall.base import clock, config, keys
from livestall.base.clock import SKEW, Reading
from livestall.base.db import Database
from livestall.base.errors import Unavailable
from livestall.video.backends import Server
from livestall.video.backends.embedded import SIGNATURE, Beat, BeatTaken
from livestall.video.embedded.hooks import Market

NEAR_SECONDS = 1.0
"""One machine has one clock: what is measured here is only the time of asking."""

MEDIA = Server(id="media-a", kind="embedded", hls_url="https://a.example", rtmp_url="rtmp://a.example/live")


def metric() -> float:
    (family,) = SKEW.collect()
    return family.samples[0].value


def test_what_the_way_there_and_back_may_have_made_of_it_is_not_held_against_a_host():
    assert Reading(0.5, 0.1).sure_seconds == pytest.approx(0.4)
    assert Reading(-0.5, 0.1).sure_seconds == pytest.approx(-0.4)
    assert Reading(0.5, 0.6).sure_seconds == 0
    assert clock.best([Reading(3, 1), Reading(2, 0.1), Reading(9, 0.5)]) == Reading(2, 0.1)


def test_half_the_round_trip_is_counted_to_the_other_clock():
    asking = clock.Asking()
    found = asking.told(datetime.now(UTC) + timedelta(hours=1))
    assert found.skew_seconds == pytest.approx(-3600, abs=NEAR_SECONDS)
    assert 0 < found.error_seconds < NEAR_SECONDS


@pytest.mark.parametrize("off_seconds", [2.6, -2.6, 0.0, 7200.0])
async def test_a_host_that_is_off_is_told_to_the_operator_with_its_direction(db: Database, off_seconds: float):
    with clock.travel(off_seconds):
        mine = await clocks.compare(db, "live")
    assert mine.reading.skew_seconds == pytest.approx(off_seconds, abs=NEAR_SECONDS)
    assert metric() == pytest.approx(off_seconds, abs=NEAR_SECONDS)
    async with db.read() as read:
        off = await clocks.off(read)
    planes = health.with_clocks([PlaneHealth("web", "up"), PlaneHealth("live", "up")], off)
    assert planes[0] == PlaneHealth("web", "up")
    if not off_seconds:
        assert off == []
        assert planes[1].code == ""
        return
    assert planes[1].code == "clock-off"
    assert planes[1].values["host"] == clocks.HOST
    assert planes[1].values["milliseconds"] == pytest.approx(off_seconds * 1000, abs=NEAR_SECONDS * 1000)
    assert ("+" in planes[1].detail) == (off_seconds > 0)


async def test_the_limit_is_a_setting_and_a_plane_that_is_worse_says_that(db: Database):
    with clock.travel(6):
        await clocks.compare(db, "work")
    down = PlaneHealth("work", "down", "no worker", "no-worker")
    async with db.read() as read:
        assert health.with_clocks([down], await clocks.off(read)) == [down]
        with config.override(settings.Watch(clock_skew_seconds_max=10.0)):
            assert await clocks.off(read) == []


async def test_the_worst_of_several_hosts_is_told_and_an_old_finding_is_not(db: Database):
    async with db.write() as tx:
        for host, skew in (("east", 0.4), ("west", -3.0), ("sure", 0.1)):
            await clocks.note(tx, clocks.HostClock(host, "live", Reading(skew, 0.001)))
    async with db.read() as read:
        assert [one.host for one in await clocks.off(read)] == ["west", "east"]
    async with db.write() as tx:
        await tx.execute("update host_clock set at = now() - interval '10 minutes' where host = 'west'")
    async with db.read() as read:
        assert [one.host for one in await clocks.off(read)] == ["east"]


async def test_a_media_host_compares_with_the_answer_to_its_beat_and_says_so_in_the_next(db: Database):
    transport = httpx.ASGITransport(create_app(db))  # type: ignore[arg-type]
    market = Market("http://market.test")
    async with httpx.AsyncClient(transport=transport, base_url="http://market.test") as client:

        async def beat() -> None:
            found = market.clock
            server = msgspec.structs.replace(
                MEDIA,
                clock_skew_seconds=found and found.skew_seconds,
                clock_error_seconds=found and found.error_seconds,
            )
            body = msgspec.json.encode(Beat(server))
            with clock.travel(-7):
                asking = clock.Asking()
                answer = await client.post(
                    "/api/hooks/media/embedded/beat", content=body, headers={SIGNATURE: keys.stamp("beat", body)}
                )
                market.compare(asking, answer.content)

        await beat()
        async with db.read() as read:
            assert await clocks.off(read) == [], "it does not know yet"
        await beat()
    async with db.read() as read:
        (found,) = await clocks.off(read)
    assert (found.host, found.plane) == ("media-a", "media")
    assert found.reading.sure_seconds == pytest.approx(-7, abs=NEAR_SECONDS)
    assert metric() == pytest.approx(-7, abs=NEAR_SECONDS)
    market.compare(clock.Asking(), b"")
    market.compare(clock.Asking(), msgspec.json.encode(BeatTaken(clock.now())))
    assert market.clock is not None
    assert abs(market.clock.skew_seconds) < NEAR_SECONDS, "the surest answer counts"


def test_the_doctor_compares_with_a_database_by_url(dsn: str):
    core = settings.Core(database_url=dsn)
    found = doctor.clock(core)
    assert found.good
    assert "ms from the database's" in found.what
    with clock.travel(2.0):
        found = doctor.clock(core)
    assert not found.good
    told = float(found.what.partition("UTC")[2].split("+")[1].split()[0])
    assert told == pytest.approx(2000, abs=NEAR_SECONDS * 1000)
    assert "NTP" in found.advice
    gone = doctor.clock(settings.Core(database_url="postgresql://nobody@127.0.0.1:9/none"))
    assert gone.good, "that the database is away is said elsewhere"
    assert "database" not in gone.what


async def test_a_database_that_is_away_is_no_reason_to_stop(dsn: str):
    db = Database("postgresql://nobody@127.0.0.1:9/none", maximum=1)
    with pytest.raises(Unavailable):
        await clocks.compare(db, "web")
    await db.close()


def test_the_alert_and_the_setting_have_one_limit():
    limit = settings.Watch().clock_skew_seconds_max
    assert f"abs(livestall_clock_skew_seconds)) > {limit}" in (ROOT / "deploy" / "alerts.yml").read_text()
