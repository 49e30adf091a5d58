"""The repository as tests of the house look at it."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "livestall"


def files(suffix: str, *folders: str) -> list[Path]:
    """Every file of the repository with that suffix, committed or new, under `folders` (none: everywhere)."""
    command = ["git", "ls-files", "-co", "--exclude-standard", "--", *folders]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    return sorted(path for name in set(listed) if name.endswith(suffix) and (path := ROOT / name).is_file())
