"""Files and functions stay small, and a feature's rooms keep their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.repository import ROOT, SOURCE, files

PYTHON_LINES_MAX = 400
TYPESCRIPT_LINES_MAX = 250
FUNCTION_LINES_MAX = 70
DOOR_LINES_MAX = 40

NOT_FEATURES = {"app", "base"}
ROOMS = {"__init__", "model", "store", "actions", "web", "jobs", "backends"}
"""What a feature may hold, as a file or, grown out of 400 lines, as a folder of that name."""

NAMED_ROOMS = {
    # the wire is a machine of parts
    "live": {
        "bus",
        "channel",
        "channels",
        "commands",
        "connection",
        "frames",
        "gaps",
        "hub",
        "lane",
        "socket",
        "tick",
        "tickets",
        "upgrades",
    },
    "rooms": {"audience"},  # how many watch and like: a noun of its own, SMALLER below
    "orders": {
        "counter",
        "desk",
        "entry",
        "gate",
        "lane",
        "line",
        "pricing",
        "rush",
        "settlement",
        "straight",
    },  # the queue, its short ways in and out, the money at the end
    "video": {"embedded"},  # the media server itself, a process of its own
    "catalog": {"pictures", "imports"},  # two nouns with rooms of their own: SMALLER below
}

SMALLER = {"catalog": {"pictures", "imports"}, "rooms": {"audience"}}
"""Small features inside a feature, each with a door and rooms of the same names."""


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def too_long(paths: list[Path], limit: int) -> list[str]:
    counted = ((path, len(path.read_text().splitlines())) for path in paths)
    return [f"{path.relative_to(ROOT)}: {lines} lines, at most {limit}" for path, lines in counted if lines > limit]


def test_python_files_are_short():
    assert too_long(files(".py", "src", "tests", "bench", "migrations"), PYTHON_LINES_MAX) == []


def test_typescript_files_are_short():
    written = [path for path in files(".ts", "web") + files(".tsx", "web") if path.name != "schema.ts"]
    assert too_long(written, TYPESCRIPT_LINES_MAX) == []


def test_functions_are_short():
    long = [
        f"{path.relative_to(ROOT)}:{one.lineno} {one.name} has {one.end_lineno - one.lineno + 1} lines"
        for path in files(".py", "src", "bench", "tests")
        for one in functions(path)
        if one.end_lineno and one.end_lineno - one.lineno + 1 > FUNCTION_LINES_MAX
    ]
    assert long == []


def test_the_measure_of_functions_measures(tmp_path: Path):
    sample = tmp_path / "sample.py"
    sample.write_text("async def long():\n" + "    pass\n" * FUNCTION_LINES_MAX)
    (one,) = functions(sample)
    assert one.end_lineno - one.lineno + 1 == FUNCTION_LINES_MAX + 1
    assert too_long([sample], FUNCTION_LINES_MAX + 1) == []


WAITING = re.compile(r"\.wait_for_timeout\(|networkidle")
"""Ways of a browser test to wait for a while instead of for something."""


def test_browser_tests_wait_for_something_not_for_a_while():
    written = [path for path in files(".py", "tests") if path != Path(__file__).resolve()]
    found = [str(path.relative_to(ROOT)) for path in written if WAITING.search(path.read_text())]
    assert found == []


NO_FUNCTION = re.compile(r"wait_for_function\(\s*\"(?!\(?\w*\)? =>)")
"""The pages' own policy forbids to evaluate words a second time: what is waited for must be a function."""


def test_browser_tests_wait_for_functions():
    found = [path.name for path in files(".py", "tests/e2e") if NO_FUNCTION.search(path.read_text())]
    assert found == []
    assert NO_FUNCTION.search('page.wait_for_function("document.title")')
    assert NO_FUNCTION.search('page.wait_for_function(\n    "(() => 1)()")')
    assert not NO_FUNCTION.search('page.wait_for_function("() => 1")')
    assert not NO_FUNCTION.search('page.wait_for_function("at => at")')


OWN_PATIENCE = re.compile(r"\btimeout=\d")
"""A browser test's own idea of how slow a machine may be: `helpers.patience` has one for all."""


def test_browser_tests_have_one_patience():
    found = [path.name for path in files(".py", "tests/e2e") if OWN_PATIENCE.search(path.read_text())]
    assert found == []
    assert OWN_PATIENCE.search("expect(card).to_be_visible(timeout=8_000)")


@pytest.mark.parametrize("call", ["page.wait_for_timeout(300)", 'page.wait_for_load_state("networkidle")'])
def test_waiting_for_a_while_is_found(call: str):
    assert WAITING.search(call)


@pytest.mark.parametrize("feature", sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()))
def test_a_feature_has_only_rooms_with_known_names(feature: str):
    if feature in NOT_FEATURES:
        return
    allowed = ROOMS | NAMED_ROOMS.get(feature, set())
    inside = (SOURCE / feature).iterdir()
    found = {path.stem for path in inside if path.suffix == ".py" or (path / "__init__.py").exists()}
    assert found - allowed == set(), "split by a lower noun, or into a folder named like the room"


def doors() -> list[Path]:
    return [path / "__init__.py" for path in sorted(SOURCE.iterdir()) if path.name not in NOT_FEATURES and path.is_dir()
            and (path / "__init__.py").exists()]  # fmt: skip


@pytest.mark.parametrize("door", doors(), ids=lambda path: path.parent.name)
def test_doors_are_small_and_exact(door: Path):
    text = door.read_text()
    assert len(text.splitlines()) <= DOOR_LINES_MAX
    tree = ast.parse(text)
    assert ast.get_docstring(tree), "a door says what is behind it"
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module != "__future__"]
    names = [alias.asname or alias.name for node in imports for alias in node.names]
    assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
    listed = [ast.literal_eval(node.value) for node in assigned if ast.unparse(node.targets[0]) == "__all__"]
    assert listed, "a door lists what it hands out in __all__"
    assert sorted(listed[0]) == sorted(set(names)), "__all__ is exactly what the door imports"


def test_others_use_the_door_only():
    """`from livestall.stock import store` outside stock reaches past the door; app plugs web and jobs together."""
    features = {path.parent.name for path in doors()}
    past: list[str] = []
    for path in files(".py", "src"):
        own = path.relative_to(SOURCE).parts[0]
        for node in ast.walk(ast.parse(path.read_text())):
            module = node.module if isinstance(node, ast.ImportFrom) else None
            parts = (module or "").split(".")
            if len(parts) < 2 or parts[0] != "livestall" or parts[1] not in features or parts[1] == own:
                continue
            inner = parts[2:] or [one.name for one in node.names if _is_room(SOURCE / parts[1] / one.name)]
            if inner and inner[0] in SMALLER.get(parts[1], set()):
                inner = inner[1:] or [one.name for one in node.names]
            if inner and not (own == "app" and set(inner[:1]) <= {"web", "jobs", "backends", "embedded"}):
                past.append(f"{path.relative_to(ROOT)} imports {module} {inner}")
    assert past == []


def _is_room(path: Path) -> bool:
    return path.with_suffix(".py").exists() or path.is_dir()
