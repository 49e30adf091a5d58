"""RESULTS.md: the numbers as tables that a person reads."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from _harness import AGAIN, KEPT

Record = Mapping[str, Any]

TITLES = {
    "fanout": "Fan-out: one message to a full room",
    "claims": "Claims: orders decided per second",
    "fair": "Fair start",
    "sale": "A flash sale over HTTP",
    "video": "Video",
    "curve": "Cost curves",
    "start": "Starting",
    "reload": "Reloading while people buy",
    "web": "The page",
}
LIBRARIES = ("picows", "uvloop", "msgspec", "asyncpg", "litestar", "uvicorn", "av", "aiortc")
PROGRAMS = {"nginx": ("nginx", "-v"), "redis": ("redis-server", "--version"), "gcc": ("gcc", "--version")}
INTRODUCTION = (
    "Written by `make bench`; do not edit. Processes are kept on the cores that each part names, limit and subject "
    "take turns in one go, and each number is the median of its runs (three unless said otherwise). A turn during "
    "which the host stood still, or whose own check failed, is taken again, which is told below. Absolute figures are "
    "this machine's; ratios are what holds elsewhere. All traffic is on the loopback without TLS: budget cores for TLS "
    "in front."
)
HEAD = "| number | min | median | max | limit | ratio | aim | |\n|---|--:|--:|--:|--:|--:|---|---|"


def number(value: Any) -> str:
    """12345.6 → 12,346; 0.7123 → 0.7123; None → –."""
    if value is None:
        return "–"
    if isinstance(value, float) and not value.is_integer():
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"
    return f"{int(value):,}"


def aim(record: Record) -> str:
    return str(record.get("aim", "")).replace(">=", "≥").replace("<=", "≤") or "–"


def verdict(record: Record) -> str:
    return {True: "✓", False: "✗"}.get(record.get("met", None), "")


def row(record: Record) -> str:
    """One line of a table; a number that was not taken says why."""
    name = f"`{record['name']}`"
    if "skipped" in record:
        return f"| {name} | | | | | | not measured: {record['skipped']} | |"
    low, high = record.get("min", min(record["runs"])), record.get("max", max(record["runs"]))
    times = len(record["runs"])
    few = "" if times >= 3 else f" (runs: {times})"
    cells = [
        f"{name} {record['unit']}".rstrip() + few, number(low), f"**{number(record['value'])}**", number(high),
        number(record.get("limit")), number(record.get("ratio")), aim(record), verdict(record),
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def beside(record: Record) -> list[str]:
    """The table of what others did in the same turns, ours first."""
    others: Mapping[str, Record] = record.get("beside", {})
    if not others:
        return []
    lines = [f"`{record['name']}` beside others ({record['unit']}, same client, same run):", ""]
    lines += ["| | min | median | max | of ours |", "|---|--:|--:|--:|--:|"]
    for who, one in [("**Livestall**", record), *others.items()]:
        part = f"{one['value'] / record['value']:.2f}" if record["value"] else "–"
        lines.append(f"| {who} | {number(one['min'])} | {number(one['value'])} | {number(one['max'])} | {part} |")
    return [*lines, ""]


def section(group: str, records: Sequence[Record], words: str = "") -> str:
    """One group's heading, its words, its table, its notes and what stands beside it."""
    lines = [f"## {TITLES.get(group, group)}", ""]
    if words:
        lines += [words, ""]
    lines += [HEAD, *(row(one) for one in records), ""]
    notes = [f"- `{one['name']}`: {one['note']}" for one in records if one.get("note")]
    if notes:
        lines += [*notes, ""]
    for one in records:
        lines += beside(one)
    for one in records:
        if one.get("picture"):
            lines += [f"![{one['name']}]({one['picture']})", "", str(one.get("explained", "")), ""]
    return "\n".join(lines).rstrip() + "\n"


def grouped(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Records by the word before the point; of two with the same name the later holds."""
    latest: dict[str, Record] = {str(one["name"]): one for one in records}
    groups: dict[str, list[Record]] = {group: [] for group in TITLES}
    for one in latest.values():
        groups.setdefault(str(one["name"]).partition(".")[0], []).append(one)
    return {group: found for group, found in groups.items() if found}


def taken_again(takes: Mapping[str, Sequence[Record]]) -> str:
    """The line that says which turns of which files were not good, how often, why, and what became of them."""
    parts: list[str] = []
    for file, found in takes.items():
        for turn in dict.fromkeys(str(one["turn"]) for one in found):
            these = [one for one in found if one["turn"] == turn]
            again = sum(one["then"] == AGAIN for one in these)
            kept = sum(one["then"] == KEPT for one in these)
            said = [f"{again} {'time' if again == 1 else 'times'}"] if again else []
            said += [f"{kept} kept though it happened to the last take as well"] if kept else []
            why = "; ".join(dict.fromkeys(str(one["why"]) for one in these))
            parts.append(f"`{file}` {turn} {', '.join(said) or 'never'} ({why})")
    return f"Taken again: {', '.join(parts) if parts else 'nothing'}."


def results(
    records: Iterable[Record],
    words: Mapping[str, str],
    failures: Sequence[str],
    facts: Sequence[str],
    day: str,
    takes: Mapping[str, Sequence[Record]],
) -> str:
    """The whole page."""
    groups = grouped(records)
    everything = [one for found in groups.values() for one in found]
    missed = [f"`{one['name']}`" for one in everything if one.get("met") is False]
    lines = [
        "# Results", "", INTRODUCTION, "",
        f"{day}. {' · '.join(facts)}", "",
        f"Aims missed: {', '.join(missed) if missed else 'none'}.", "", taken_again(takes), "",
    ]  # fmt: skip
    lines += [f"Did not finish: {one}\n" for one in failures]
    body = "\n".join(section(group, found, words.get(group, "")) for group, found in groups.items())
    return "\n".join(lines) + "\n" + body


def minutes(took: Mapping[str, int]) -> str:
    """Where the time of a whole run goes: the seconds of each file."""
    rows = [f"| `{name}` | {seconds} |" for name, seconds in sorted(took.items(), key=lambda one: -one[1])]
    head = ["", "## How long it takes", "", "| file | seconds |", "|---|--:|"]
    return "\n".join([*head, *rows, f"| **all** | **{sum(took.values()):,}** |", ""])


def machine() -> list[str]:
    """What the numbers were taken on: no names, no paths."""
    model, memory = "", ""
    if (cpu := Path("/proc/cpuinfo")).exists():
        model = next((one.partition(":")[2].strip() for one in cpu.read_text().splitlines() if "model name" in one), "")
        memory = f"{int(Path('/proc/meminfo').read_text().split()[1]) // 2**20} GiB memory"
    system = f"{platform.system()} {platform.release().partition('-')[0]}"
    facts = [
        f"{len(os.sched_getaffinity(0))} cores {model}".strip(), memory, system,
        f"Python {platform.python_version()}", *(f"{name} {metadata.version(name)}" for name in LIBRARIES),
    ]  # fmt: skip
    for name, command in PROGRAMS.items():
        if shutil.which(command[0]):
            said = subprocess.run(command, capture_output=True, text=True, check=False)
            if found := re.search(r"\d+(\.\d+)+", said.stderr + said.stdout):
                facts.append(f"{name} {found[0]}")
    return [one for one in facts if one]
