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
FILE_SECONDS = 600
sys.path.insert(0, str(HERE))

import _table  # noqa: E402
from _harness import say  # noqa: E402


def files(words: list[str]) -> list[Path]:
    """The measurements whose names begin with one of the words; all of them without words. Raises SystemExit."""
    found = sorted(one for one in HERE.glob("[a-z]*.py") if one.name != Path(__file__).name)
    for word in words:
        if not any(one.stem.startswith(word) for one in found):
            raise SystemExit(f"no measurement begins with {word!r}: there are {', '.join(one.stem for one in found)}")
    return [one for one in found if not words or any(one.stem.startswith(word) for word in words)]


def lines(output: str) -> list[dict[str, Any]]:
    """The numbers among the lines that a file printed."""
    found: list[dict[str, Any]] = []
    for line in output.splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue
        if isinstance(one, dict) and "name" in one:
            found.append(one)
    return found


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
    found = lines(done.stdout)
    if found:
        kept = {"file": file.name, "seconds": round(time.monotonic() - begin), "lines": found}
        (KEPT / f"{file.stem}.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1))
    say(f"   {time.monotonic() - begin:.0f} s")
    return f"`{file.name}` ended with {done.returncode}" if done.returncode else None


def page(failures: list[str]) -> str:
    """RESULTS.md of everything that is kept. A group's words are the docstrings of its files; a file belongs to the
    group of its first line."""
    records: list[dict[str, Any]] = []
    words: dict[str, str] = {}
    took: dict[str, int] = {}
    for kept in sorted(KEPT.glob("*.json")):
        content = json.loads(kept.read_text())
        source = HERE / content["file"]
        if not source.exists():  # it was measured once, by a file that is no more
            continue
        records += content["lines"]
        took[source.stem] = content["seconds"]
        text = (ast.get_docstring(ast.parse(source.read_text())) or "").partition("\n\n    python")[0]
        group = content["lines"][0]["name"].partition(".")[0]
        words[group] = "\n\n".join(filter(None, [words.get(group, ""), text]))
    day = datetime.now(UTC).date().isoformat()
    return _table.results(records, words, failures, _table.machine(), day) + _table.minutes(took)


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
