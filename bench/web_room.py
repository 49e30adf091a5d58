"""Page weight: everything that a browser loads to show a room, gzipped, before any video.

Read from the built pages' own manifest: the page, its scripts and styles, the room's route with its imports, and
the words of one language (the heavier one). Prints one JSON line; `value` in kB (1,000 bytes).
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

DIST = Path(__file__).parents[1] / "web" / "dist"
LIMIT_KB = 350
ROOM = "src/app/pages/show-page.tsx"
WORDS = ("src/shared/locales/{}.json", "src/features/room/locales/{}.json")


def closure(manifest: dict[str, dict[str, object]], entries: list[str]) -> set[str]:
    """The files of the entries, of what they import at once, and of their styles."""
    files: set[str] = set()
    seen: set[str] = set()
    waiting = list(entries)
    while waiting:
        key = waiting.pop()
        if key in seen:
            continue
        seen.add(key)
        chunk = manifest[key]
        files.add(str(chunk["file"]))
        files.update(chunk.get("css", []))  # type: ignore[arg-type]
        waiting.extend(chunk.get("imports", []))  # type: ignore[arg-type]
    return files


def packed(path: Path) -> int:
    return len(gzip.compress(path.read_bytes(), 9))


def room_kb(dist: Path, language: str) -> float:
    manifest = json.loads((dist / ".vite" / "manifest.json").read_text())
    entries = ["index.html", ROOM, *(words.format(language) for words in WORDS)]
    files = {dist / "index.html", dist / "favicon.svg"} | {dist / name for name in closure(manifest, entries)}
    return sum(packed(path) for path in files) / 1000


def main() -> int:
    dist = Path(sys.argv[1]) if len(sys.argv) > 1 else DIST
    if not (dist / ".vite" / "manifest.json").exists():
        print(f"the pages are not built: no manifest in {dist}; run `make setup`", file=sys.stderr)
        return 1
    runs = [round(max(room_kb(dist, language) for language in ("en", "zh")), 1)]
    value = runs[0]
    line = {
        "name": "web.room_kb",
        "value": value,
        "unit": "kB",
        "limit": LIMIT_KB,
        "ratio": round(value / LIMIT_KB, 3),
        "runs": runs,
    }
    print(json.dumps(line))
    return 0 if value <= LIMIT_KB else 1


if __name__ == "__main__":
    raise SystemExit(main())
