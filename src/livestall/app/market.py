"""The whole market in one process: started, announced, and ended with a sentence if it cannot start."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from livestall.app import health, settings, supervisor
from livestall.app.migrate import NoDatabase
from livestall.app.postgres import PostgresFailed
from livestall.base import config, log


def run(process: str, later: Sequence[supervisor.Plane], *, quiet: bool = False) -> int:
    """Run the market in this process; `later` planes start when it is ready. Returns the exit code."""
    set_up_logs(process)
    try:
        supervisor.serve(_say_nothing if quiet else _announce, later)
    except (supervisor.CannotStart, PostgresFailed, NoDatabase) as error:
        print(f"livestall: {error}", file=sys.stderr)
        return 1
    return 0


def _say_nothing(_seconds: float, _first_run_token: str | None) -> None:
    return


def set_up_logs(process: str) -> None:
    """Load the settings and log as they say, each line marked with `process`."""
    settings.load()
    options = config.of(settings.Logs)
    log.set_up(process, as_json=options.as_json, level=options.level)


def addresses() -> dict[str, str]:
    """What a person of this machine types: pages, RTMP server, API."""
    where, media = config.of(settings.Address), config.of(settings.Media)
    host = health.own_host().replace("127.0.0.1", "localhost")
    web = where.web or f"http://{host}:{config.of(settings.Web).port}"
    return {
        "market": web,
        "rtmp": where.rtmp or f"rtmp://{host}:{media.rtmp_port}/live",
        "api": f"{web}/api/openapi.json",
    }


def _announce(seconds: float, first_run_token: str | None) -> None:
    where = addresses()
    lines = [
        f"Livestall is ready ({seconds:.1f} s).",
        f"  Market     {where['market']}",
        f"  Stream to  {where['rtmp']}",
        f"  API        {where['api']}",
    ]
    if first_run_token:
        lines.append(
            f"  First run  {where['market']}/first-run?token={first_run_token}   (makes the operator, works once)"
        )
    lines.append("Ctrl-C ends it.")
    print("\n".join(lines), flush=True)
