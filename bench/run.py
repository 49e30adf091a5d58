"""Runs the measurements one after the other and writes RESULTS.md: `make bench`, or `make bench BENCH="fanout claims"`.

A word names every file that begins with it. The lines of each file are kept in var/bench/, so that a run of some files
leaves the numbers of the others as they were.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
KEPT = HERE.parent / "var" / "bench"
PAGE = HERE / "RESULTS.md"
FILE_SECONDS = 900
"""For a file whose turns are taken once; it has some to spare for those that are taken again."""
sys.path.insert(0, str(HERE))

import _table  # noqa: E402
from _harness import FAILED, say  # noqa: E402


def files(words: list[str]) -> list[Path]:
    """The measurements whose names begin with one of the words; all of them without words. Raises SystemExit."""
    found = sorted(one for one in HERE.glob("[a-z]*.py") if one.name != Path(__file__).name)
    for word in words:
        if not any(one.stem.startswith(word) for one in found):
            raise SystemExit(f"no measurement begins with {word!r}: there are {', '.join(one.stem for one in found)}")
    return [one for one in found if not words or any(one.stem.startswith(word) for word in words)]


def lines(output: str, key: str = "name") -> list[dict[str, Any]]:
    """The numbers among the lines that a file printed; with the key "turn", the takes of a turn that were not good."""
    found: list[dict[str, Any]] = []
    for line in output.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and key in one:
            found.append(one)
    return found


def wrong(file: Path, code: int, takes: list[dict[str, Any]]) -> str | None:
    """What went wrong with a file that ended with `code`; None if nothing did."""
    failed = [f"{one['turn']}: {one['why']}" for one in takes if one["then"] == FAILED]
    if failed:
        return f"`{file.name}`, {'; '.join(failed)}"
    return f"`{file.name}` ended with {code}" if code else None


def run(file: Path) -> str | None:
    """Run one file and keep its lines; returns what went wrong, None if nothing did."""
    begin = time.monotonic()
    say(f"── {file.stem}")
    try:
        done = subprocess.run(
            [sys.executable, str(file)], cwd=HERE.parent, stdout=subprocess.PIPE, text=True, timeout=FILE_SECONDS,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"`{file.name}` took longer than {FILE_SECONDS} s"
    print(done.stdout, end="", flush=True)
    found, takes = lines(done.stdout), lines(done.stdout, "turn")
    if found:
        kept = {"file": file.name, "seconds": round(time.monotonic() - begin), "lines": found, "takes": takes}
        (KEPT / f"{file.stem}.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1))
    say(f"   {time.monotonic() - begin:.0f} s")
    return wrong(file, done.returncode, takes)


def page(failures: list[str]) -> str:
    """RESULTS.md of everything that is kept. A group's words are the docstrings of its files; a file belongs to the
    group of its first line."""
    records: list[dict[str, Any]] = []
    words: dict[str, str] = {}
    took: dict[str, int] = {}
    takes: dict[str, list[dict[str, Any]]] = {}
    for kept in sorted(KEPT.glob("*.json")):
        content = json.loads(kept.read_text())
        source = HERE / content["file"]
        if not source.exists():  # it was measured once, by a file that is no more
            continue
        records += content["lines"]
        took[source.stem], takes[source.stem] = content["seconds"], content.get("takes", [])
        text = (ast.get_docstring(ast.parse(source.read_text())) or "").partition("\n\n    python")[0]
        group = content["lines"][0]["name"].partition(".")[0]
        words[group] = "\n\n".join(filter(None, [words.get(group, ""), text]))
    day = datetime.now(UTC).date().isoformat()
    return _table.results(records, words, failures, _table.machine(), day, takes) + _table.minutes(took)


def main() -> int:
    KEPT.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    failures = [failure for file in files(sys.argv[1:]) if (failure := run(file))]
    PAGE.write_text(page(failures))
    say(f"{(time.monotonic() - begin) / 60:.1f} minutes in all")
    for failure in failures:
        say(failure)
    return 1 if failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
