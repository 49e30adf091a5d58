"""Documents are kept true: settings, links, words, decisions, and nothing of the workshop in what is published."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from helpers.repository import ROOT, SOURCE, files
from livestall.app import cli, settings

BANNED = {
    r"/(?:home|root|tmp|work|Users)/[a-z]+/[a-z]": "a path of one machine",
    r"(?:pypi|npmjs|yarnpkg)\.(?:org|com)|files\.pythonhosted": "a registry's address",
    r"--(?:extra-)?index-url https?:": "a registry's address",
    r"\b(?:TODO|FIXME|XXX)\b": "an unfinished note",
}
TEXTS = (".py", ".md", ".ts", ".tsx", ".css", ".json", ".toml", ".txt", ".yaml", ".html", "Makefile", "setup", "run")
ALLOWED = {"tests/house/test_docs.py"}
ENGLISH_LINES = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(#[^)\s]*)?\)")


def test_the_settings_page_is_current():
    assert (ROOT / "docs" / "settings.md").read_text() == settings.as_markdown(), "run `make settings`"


def test_every_setting_says_what_it_means():
    silent = [one.variable for one in settings.document() if len(one.meaning) < 8]
    assert silent == []


def test_every_command_that_a_page_tells_to_type_exists():
    """`pip install` by itself is none of them: it leaves the pages behind, which `make setup` builds."""
    targets = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        text = path.read_text()
        blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
        code = "\n".join([*blocks, *re.findall(r"`([^`\n]+)`", text)])
        typed = re.findall(r"(?:^|bin/|\s)livestall ([a-z-]+)\b(?!\|)", code, re.MULTILINE)
        assert [one for one in typed if one not in cli.COMMANDS] == [], path
        made = re.findall(r"^make ([a-z0-9]+)", code, re.MULTILINE)
        assert [one for one in made if one not in targets] == [], path
        assert "pip install" not in text, path


def _module(path: Path) -> str:
    return str(path.relative_to(ROOT / "src")).removesuffix(".py").removesuffix("/__init__")


def test_every_section_of_settings_is_listed():
    """A feature that declares settings must be in SECTIONS, else nobody can set them."""
    settings_class = re.compile(r"^class Settings\(.*Section", re.MULTILINE)
    declared = {path for path in files(".py", "src") if settings_class.search(path.read_text())}
    modules = {section.__module__.replace(".", "/") for section in settings.SECTIONS.values()}
    missing = [str(path) for path in declared if _module(path) not in modules]
    assert missing == []


def test_every_variable_named_anywhere_exists():
    known = {one.variable for one in settings.document()} | settings.INNER
    named: dict[str, str] = {}
    for path in [*files(".md"), *files(".yaml"), *files(".py", "src"), *files("run", ".ci"), *files("", "scripts")]:
        for name in re.findall(r"\bLIVESTALL_[A-Z0-9_]*[A-Z0-9]\b", path.read_text()):
            named[name] = str(path.relative_to(ROOT))
    stems = known | {name.rsplit("__", 1)[0] for name in known}
    unknown = {name: where for name, where in named.items() if name not in stems}
    assert unknown == {}


@pytest.mark.parametrize("document", files(".md"), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_are_alive(document: Path):
    dead: list[str] = []
    for target, anchor in ENGLISH_LINES.findall(document.read_text()):
        if "://" in target or target.startswith("mailto:"):
            continue
        found = (document.parent / target).resolve()
        if not found.exists():
            dead.append(target)
        elif anchor and found.suffix == ".md" and anchor[1:] not in _anchors(found):
            dead.append(target + anchor)
    assert dead == []


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def test_nothing_of_the_workshop_is_published():
    found: list[str] = []
    for path in files(""):
        name = str(path.relative_to(ROOT))
        if name in ALLOWED or not name.endswith(TEXTS):
            continue
        text = path.read_text(errors="replace")
        for pattern, what in BANNED.items():
            found += [f"{name}: {what}: {hit.group(0)}" for hit in re.finditer(pattern, text)]
    assert found == []


def test_the_search_for_banned_words_finds_them():
    text = "see /home/someone/x and https://pypi.org/simple TODO"
    assert sum(bool(re.search(pattern, text)) for pattern in BANNED) == 3


def test_locks_carry_hashes_and_no_addresses():
    python = (ROOT / "requirements" / "dev.txt").read_text()
    pinned = re.findall(r"^[a-z0-9][^\s=]*==\S+.*$", python, re.MULTILINE | re.IGNORECASE)
    assert len(pinned) > 50
    assert all(line.rstrip().endswith("\\") for line in pinned), "each pin is followed by its hashes"
    assert "://" not in python
    lock = (ROOT / "web" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert lock.count('"integrity"') > 50


def test_every_dependency_has_a_decision():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    decisions = "\n".join(page.read_text() for page in (ROOT / "docs" / "decisions").glob("*.md"))
    names = {re.split(r"[<>=!~\[; ]", one)[0] for one in wanted}
    assert {name for name in names if f"`{name}`" not in decisions} == set()


def test_features_are_words_of_the_glossary():
    glossary = (ROOT / "docs" / "glossary.md").read_text().lower()
    words = set(re.findall(r"[a-z][a-z-]+", "\n".join(re.findall(r"^\| ([^|]+) \|", glossary, re.MULTILINE))))
    features = {path.name for path in SOURCE.iterdir() if (path / "__init__.py").exists()} - {"app", "base"}
    unknown = {name for name in features if name not in words and name.removesuffix("s") not in words}
    assert unknown == set()


def test_words_have_a_chinese_side():
    rows = re.findall(r"^\| (.+?) \| (.+?) \| (.+?) \|$", (ROOT / "docs" / "glossary.md").read_text(), re.MULTILINE)
    missing = [row[0] for row in rows[2:] if not re.search(r"[\u4e00-\u9fff]", row[2])]
    assert missing == []
