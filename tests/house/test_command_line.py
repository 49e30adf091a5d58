"""`livestall …` in wrong circumstances: a sentence that says what to do, an exit code, and never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from livestall.app.migrate import NoDatabase, migrate
from livestall.app.postgres import Postgres

NOBODY = "postgresql://nobody@127.0.0.1:9/none"
SECRET = "ab" * 32
EDGE = '[{"name":"edge","kind":"srs","rtmp":"rtmp://v.example/live","hls":"https://v.example"}]'
ALONE = ["LIVESTALL_SECRET and LIVESTALL_DATABASE_URL", "livestall serve"]


def cli(folder: Path, command: str, **told: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIVESTALL_")}
    environment = {**kept, "LIVESTALL_DATA": str(folder / "none"), **told}
    return subprocess.run(
        [sys.executable, "-m", "livestall.app.cli", *command.split()],
        env=environment, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("command", "told", "code", "words"),
    [
        ("web", {}, 2, ALONE),
        ("live", {}, 2, ALONE),
        ("work", {}, 2, ALONE),
        ("web", {"LIVESTALL_DATABASE_URL": NOBODY}, 2, ["LIVESTALL_SECRET:"]),
        ("media", {}, 2, ["LIVESTALL_SECRET:"]),
        ("migrate", {}, 2, ["LIVESTALL_DATABASE_URL"]),
        ("migrate", {"LIVESTALL_DATABASE_URL": NOBODY}, 1, ["Connection refused", "LIVESTALL_DATABASE_URL"]),
        ("migrate", {"LIVESTALL_DATABASE_URL": "nonsense"}, 1, ["LIVESTALL_DATABASE_URL"]),
        ("serve", {"LIVESTALL_DATABASE_URL": NOBODY}, 1, ["Connection refused", "LIVESTALL_DATABASE_URL"]),
        ("first-run", {"LIVESTALL_DATABASE_URL": NOBODY}, 1, ["does not answer"]),
        ("first-run", {"LIVESTALL_DATABASE_URL": "nonsense"}, 1, ["LIVESTALL_DATABASE_URL"]),
        ("stock check", {}, 2, ["LIVESTALL_DATABASE_URL"]),
        ("stock check", {"LIVESTALL_DATABASE_URL": NOBODY}, 2, ["does not answer"]),
        ("stock check", {"LIVESTALL_DATABASE_URL": "nonsense"}, 2, ["LIVESTALL_DATABASE_URL"]),
        ("reload", {}, 1, ["no market runs"]),
        ("media-config edge", {}, 2, ["names no server 'edge'"]),
        ("media-config edge", {"LIVESTALL_MEDIA__SERVERS": EDGE}, 2, ["LIVESTALL_SECRET", "LIVESTALL_DATA"]),
        ("doctor", {"LIVESTALL_BUS_URL": "http://x"}, 1, ["LIVESTALL_BUS_URL:"]),
        ("serve", {"LIVESTALL_LIVE__PORT": "99999"}, 2, ["LIVESTALL_LIVE__PORT: Expected `int` <= 65535"]),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    tmp_path: Path, command: str, told: dict[str, str], code: int, words: list[str]
) -> None:
    done = cli(tmp_path, command, **told)
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert (done.returncode, [word for word in words if word not in said]) == (code, []), said


@pytest.mark.parametrize("command", ["first-run", "stock check"])
def test_a_database_without_its_tables_is_named_as_such(tmp_path: Path, postgres: Postgres, command: str) -> None:
    done = cli(tmp_path, command, LIVESTALL_DATABASE_URL=postgres.dsn("postgres"))
    assert "Traceback" not in done.stderr, done.stderr
    assert "livestall migrate" in done.stderr
    assert done.returncode in {1, 2}


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_a_url_with_two_servers_and_their_ports_is_understood(scheme: str) -> None:
    """As for a standby; both are asked, though here neither is there."""
    with pytest.raises(NoDatabase, match="Connection refused"):
        migrate(f"{scheme}://nobody@127.0.0.1:9,127.0.0.1:10/none?target_session_attrs=read-write")
