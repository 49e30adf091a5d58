"""The command line: `livestall serve`, its planes one by one, and what an operator asks of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from livestall.app import guard
from livestall.base.config import BadSettings


def serve(_arguments: argparse.Namespace) -> int:
    from livestall.app import market

    return market.run("serve", [])


def web(_arguments: argparse.Namespace) -> int:
    from livestall.app import main

    main.run()
    return 0


def live(_arguments: argparse.Namespace) -> int:
    from livestall.app import gateway

    gateway.run()
    return 0


def media(_arguments: argparse.Namespace) -> int:
    from livestall.app import media as plane

    plane.run()
    return 0


def work(_arguments: argparse.Namespace) -> int:
    from livestall.app import worker

    worker.run()
    return 0


def migrate(_arguments: argparse.Namespace) -> int:
    from livestall.app import settings
    from livestall.app.migrate import NoDatabase
    from livestall.app.migrate import migrate as run

    core = settings.load()
    if not core.database_url:
        print("livestall: set LIVESTALL_DATABASE_URL; `livestall serve` migrates its own database", file=sys.stderr)
        return 2
    try:
        run(core.database_url)
    except NoDatabase as error:
        print(f"livestall: {error}", file=sys.stderr)
        return 1
    return 0


def first_run(_arguments: argparse.Namespace) -> int:
    from livestall.app import first_run as house

    return house.run()


def settings(arguments: argparse.Namespace) -> int:
    from livestall.app import settings as house

    if arguments.markdown:
        print(house.as_markdown(), end="")
        return 0
    for one in house.document():
        default = f" (default {one.default})" if one.default else ""
        print(f"{one.variable}\n    {one.type}{default}\n    {one.meaning}")
    return 0


def reload(_arguments: argparse.Namespace) -> int:
    from pathlib import Path

    from livestall.app import reload as house
    from livestall.app import settings

    return house.run(Path(settings.load().data).resolve())


def metrics(arguments: argparse.Namespace) -> int:
    from livestall.app import exported as house

    if arguments.markdown:
        print(house.as_markdown(), end="")
        return 0
    for one in house.exported():
        print(f"{one.name} ({one.kind})\n    {one.meaning}")
    return 0


def doctor(arguments: argparse.Namespace) -> int:
    from livestall.app import doctor as house

    return house.run(as_json=arguments.json)


def demo(_arguments: argparse.Namespace) -> int:
    from livestall.app import demo as house

    return house.run()


def actors(_arguments: argparse.Namespace) -> int:
    from livestall.app import demo as house
    from livestall.app import market

    market.set_up_logs("demo")
    where = market.addresses()
    return house.actors(where["market"], where["rtmp"])


def stock(arguments: argparse.Namespace) -> int:
    from livestall.app import stock_check

    return stock_check.run(as_json=arguments.json, repair=arguments.repair)


def media_config(arguments: argparse.Namespace) -> int:
    from livestall.app import media_config as house

    return house.run(arguments.name, arguments.market, arguments.folder, arguments.allow)


def openapi(_arguments: argparse.Namespace) -> int:
    import msgspec

    from livestall.app.main import create_app, describe
    from livestall.base.db import Database

    schema = describe(create_app(Database("")))
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n")
    return 0


COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], int], str]] = {
    "serve": (serve, "run the whole market on this machine"),
    "demo": (demo, "run a market with goods, a live show and a hundred viewers"),
    "reload": (reload, "replace every process of the running market by a fresh one, without a gap"),
    "doctor": (doctor, "say what is wrong with this machine"),
    "settings": (settings, "print every setting with its meaning"),
    "stock": (stock, "`stock check`: is every number what holds and movements say? --repair sets it right"),
    "metrics": (metrics, "print every number that processes export, with its meaning"),
    "openapi": (openapi, "print the API's OpenAPI 3.1 description"),
    "media-config": (media_config, "print the configuration of a neighbouring media server"),
    "migrate": (migrate, "bring the database at LIVESTALL_DATABASE_URL to the newest schema"),
    "first-run": (first_run, "print the one-time link that makes the operator, where no `serve` does"),
    "web": (web, "one plane alone: HTTP API and pages"),
    "live": (live, "one plane alone: the live gateway"),
    "media": (media, "one plane alone: RTMP and WHIP in, HLS out"),
    "work": (work, "one plane alone: events and sweeps"),
    "actors": (actors, "the people of the demo alone: host, viewers and buyers"),
}


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(prog="livestall", description="A self-hosted live commerce market.")
    commands = root.add_subparsers(dest="command", required=True, metavar="command")
    for name, (_, meaning) in COMMANDS.items():
        one = commands.add_parser(name, help=meaning, description=meaning)
        if name in {"settings", "metrics"}:
            one.add_argument("--markdown", action="store_true", help=f"as the page docs/{name}.md")
        if name == "stock":
            one.add_argument("what", choices=["check"], help="compare pools with their holds and movements")
            one.add_argument("--repair", action="store_true", help="write correcting movements where that is safe")
            one.add_argument("--json", action="store_true", help="for programs")
        if name == "media-config":
            one.add_argument("name", help="of the server in LIVESTALL_MEDIA__SERVERS")
            one.add_argument("--market", default="", help="where it reaches the web process, http://… without TLS")
            one.add_argument("--folder", default="/var/lib/livestall-video", help="where it keeps its files")
            one.add_argument("--allow", default="", help="addresses that may control it, besides its own machine")
        if name == "doctor":
            one.add_argument("--json", action="store_true", help="for programs")
    return root


def main(arguments: list[str] | None = None) -> int:
    """The console script. Returns the exit code: 0 good, 1 something is wrong, 2 wrong use."""
    guard.end_with_parent()
    chosen = parser().parse_args(arguments)
    try:
        return COMMANDS[chosen.command][0](chosen)
    except BadSettings as error:
        print(f"livestall: the settings are not right:\n{error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
