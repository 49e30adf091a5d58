"""Page weight: everything that a browser loads to show a room, gzipped, before any video.

Read from the built pages' own manifest: the page, its scripts and styles, the room's route with its imports, and
the words of one language (the heavier one). `web.room_first_kb` is what must be there before the room is drawn and its
buttons work; `web.room_kb` adds the HLS player, which is fetched beside it. One JSON line each; `value` in kB (1,000
bytes).
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

DIST = Path(__file__).parents[1] / "web" / "dist"
LIMIT_KB = 350
ROOM = "src/app/pages/show-page.tsx"
PLAYER = "node_modules/hls.js/dist/hls.light.mjs"
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


def room_kb(dist: Path, language: str, *also: str) -> float:
    """The room in this language, and `also` these modules, fetched later. KeyError: there is no such module."""
    manifest = json.loads((dist / ".vite" / "manifest.json").read_text())
    entries = ["index.html", ROOM, *(words.format(language) for words in WORDS), *also]
    files = {dist / "index.html", dist / "favicon.svg"} | {dist / name for name in closure(manifest, entries)}
    return sum(packed(path) for path in files) / 1000


def main() -> int:
    dist = Path(sys.argv[1]) if len(sys.argv) > 1 else DIST
    if not (dist / ".vite" / "manifest.json").exists():
        print(f"the pages are not built: no manifest in {dist}; run `make setup`", file=sys.stderr)
        return 1
    most = 0.0
    for name, also in (("web.room_kb", [PLAYER]), ("web.room_first_kb", [])):
        value = round(max(room_kb(dist, language, *also) for language in ("en", "zh")), 1)
        line = {"name": name, "value": value, "unit": "kB", "limit": LIMIT_KB, "ratio": round(value / LIMIT_KB, 3)}
        print(json.dumps({**line, "runs": [value]}))
        most = max(most, value)
    return 0 if most <= LIMIT_KB else 1


if __name__ == "__main__":
    raise SystemExit(main())
